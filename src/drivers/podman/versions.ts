import { isAtLeast } from '../../core/program-version.ts';

/**
 * What podman reads of containers.conf, by its version. From the version of containers/common (go.podman.io/common) that
 * each release has in its go.mod: its pkg/config/config.go and new.go, and from 6.0 on storage/pkg/configfile.
 */
const FIRST_VERSIONS = {
  /** containers.conf.d, beside /etc/containers/containers.conf and beside the user's own (common 0.40). */
  dropIns: '3.3',
  /** The variable CONTAINERS_CONF_OVERRIDE (common 0.52). */
  override: '4.5',
  /** root too has a file of its own below ~/.config (common 0.58). */
  rootsOwn: '5.0',
  /** A link among the drop-ins that leads nowhere is passed over, and no longer an error (common 0.58). */
  brokenLinks: '5.0',
  /** /etc/containers/containers.rootless.conf with its .d and .d/UID, for all users but root (common 0.65). */
  rootless: '5.7',
  /** A link in the place of a folder of drop-ins is followed (common 0.65). */
  linkedFolder: '5.7',
  /** Of the main files only the nearest is read, and drop-ins of one name replace each other (configfile). */
  oneMainFile: '6.0',
} as const;

export type PodmanRules = Readonly<Record<keyof typeof FIRST_VERSIONS, boolean>>;

/** Of an unknown version, those of the last 5.x: what 6.0 changed makes no difference where one file sets the driver. */
const ASSUMED = '5.99';

export function rulesOf(version: string | undefined): PodmanRules {
  const is = (first: string): boolean => isAtLeast(version ?? ASSUMED, first);
  return {
    dropIns: is(FIRST_VERSIONS.dropIns),
    override: is(FIRST_VERSIONS.override),
    rootsOwn: is(FIRST_VERSIONS.rootsOwn),
    brokenLinks: is(FIRST_VERSIONS.brokenLinks),
    rootless: is(FIRST_VERSIONS.rootless),
    linkedFolder: is(FIRST_VERSIONS.linkedFolder),
    oneMainFile: is(FIRST_VERSIONS.oneMainFile),
  };
}
