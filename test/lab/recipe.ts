import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Kind, MachineSpec } from './catalogue.ts';
import { labFolder } from './paths.ts';

const basePackages = [
  'systemd',
  'systemd-sysv',
  'dbus',
  'dbus-user-session',
  'libpam-systemd',
  'procps',
  'util-linux',
  'passwd',
  'polkitd',
  'libstdc++6',
  'libatomic1',
  'ca-certificates',
  'perl-base',
];

const machinePackages = ['linux-image-cloud-amd64', 'initramfs-tools', 'udev', 'openssh-server', 'iproute2'];

/** All that decides what is in a tree or a disk: equal recipes give interchangeable images. */
export interface Recipe {
  readonly kind: Kind;
  readonly suite: string;
  readonly packages: readonly string[];
  readonly options: readonly string[];
  /** Node is part of a disk; a container has it bound from the host. */
  readonly node: string | undefined;
  readonly script: string;
}

export const setupScript = join(labFolder, 'image/setup.sh');
export const machineScript = join(labFolder, 'image/machine.sh');
export const initrdScript = join(labFolder, 'image/initrd.sh');

export function recipeOf({ kind, suite }: MachineSpec): Recipe {
  const emulated = kind === 'emulated';
  return {
    kind,
    suite,
    packages: emulated ? [...basePackages, ...machinePackages] : basePackages,
    // The Release file of a suite in preparation may be older than it promises to be.
    options: suite === 'forky' ? ['--aptopt=Acquire::Check-Valid-Until "false"'] : [],
    node: emulated ? process.version : undefined,
    script: (emulated ? [setupScript, machineScript, initrdScript] : [setupScript]).map(readScript).join(''),
  };
}

const readScript = (path: string): string => readFileSync(path, 'utf8');

/** The recipe's name without its hash: one image of each is kept. */
export const familyOf = ({ kind, suite }: Recipe): string => `${kind === 'container' ? 'tree' : 'disk'}-${suite}`;

export const hashOf = (recipe: Recipe): string =>
  createHash('sha256').update(JSON.stringify(recipe)).digest('hex').slice(0, 16);
