import { existsSync, statSync } from 'node:fs';
import type { CheckTable } from '../../change/plan.ts';
import { systemdIsBooted } from '../../host/cgroups.ts';
import { packageVersion } from '../../host/packages.ts';
import { ifReadable } from '../../host/readable.ts';
import type { RootTree } from '../../host/root-tree.ts';
import type { CgroupDriver, Configured, DriverHost, Finding, Runtime, RuntimeStatus } from '../model.ts';
import { readServiceCommand } from '../service/command.ts';
import { findFlags } from '../service/flags.ts';
import { askPodman, type InfoAnswer } from './info.ts';
import type { PodmanUser } from './layers.ts';
import { planPodman } from './plan.ts';
import { configuredOf, type DefaultDriver, readSettings, type Settings } from './settings.ts';
import { type Account, accountsOf } from './users.ts';
import { type PodmanRules, rulesOf } from './versions.ts';

/** podman of one user. */
export interface PodmanFacts {
  readonly tree: RootTree;
  readonly isLive: boolean;
  readonly user: PodmanUser;
  readonly hasSession: boolean;
  /** Empty for root, else `user NAME`. */
  readonly instance: string;
  readonly version: string | undefined;
  readonly rules: PodmanRules;
  readonly settings: Settings;
  readonly fallback: DefaultDriver;
  readonly configured: Configured;
  /** What podman itself says. */
  readonly running: CgroupDriver | undefined;
  readonly findings: readonly Finding[];
}

/** Where distributions put it. */
const PROGRAMS = ['/usr/bin/podman', '/usr/local/bin/podman', '/bin/podman', '/opt/podman/bin/podman'];

/** podman, of root and of the user who asks. It has no daemon: what its files say holds for the next container. */
export const podman: Runtime<PodmanFacts> = {
  name: 'podman',

  async read(host) {
    const program = programOf(host.tree);
    const packaged = packageVersion(host.tree, ['podman'])?.version;
    const assumed = host.assumed.get('podman');
    const isToCome = host.live === undefined && assumed !== undefined;
    if (program === undefined && packaged === undefined && !isToCome) return [];
    const version = assumed ?? packaged;
    return Promise.all(accountsOf(host).map((account) => readAccount(host, account, program, version)));
  },

  status: (facts) => [statusOf(facts)],
  plan: planPodman,
  checks: (host) => podmanChecks(host),
};

async function readAccount(
  host: DriverHost,
  { user, hasSession }: Account,
  program: string | undefined,
  packaged: string | undefined,
): Promise<PodmanFacts> {
  const { tree, live, self } = host;
  const answer = live && user.isSelf && program ? await askPodman(tree.onHost(program), self.env) : undefined;
  const version = (answer?.ok ? answer.info.version : undefined) ?? packaged;
  const rules = rulesOf(version);
  const settings = readSettings(tree, rules, user);
  const fallback = defaultOf(host, user);
  return {
    tree,
    isLive: live !== undefined,
    user,
    hasSession,
    instance: user.uid === 0 ? '' : `user ${user.name}`,
    version,
    rules,
    settings,
    fallback,
    configured: configuredOf(settings, fallback),
    running: answer?.ok ? answer.info.driver : undefined,
    findings: [...unanswered(answer, settings), ...(user.uid === 0 ? serviceFlag(tree) : [])],
  };
}

function programOf(tree: RootTree): string | undefined {
  const found = PROGRAMS.find((path) => ifReadable(() => tree.kind(path)) === 'file');
  return found === undefined ? undefined : tree.follow(found);
}

/**
 * containers/common pkg/config/systemd.go: systemd where it runs, as sd_booted(3) has it; before 6.0 cgroupfs all the same
 * for others than root on cgroup v1.
 */
function defaultOf({ tree, live }: DriverHost, { uid }: PodmanUser): DefaultDriver {
  const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  const hasSystemd =
    live === undefined
      ? ['/usr/lib/systemd/systemd', '/lib/systemd/systemd'].some(
          (path) => ifReadable(() => tree.kind(path)) === 'file',
        )
      : systemdIsBooted(live.paths, isFolder);
  if (!hasSystemd) return { driver: 'cgroupfs', text: "podman's default where systemd does not run" };
  if (uid !== 0 && live && !existsSync(`${live.paths.sys}/fs/cgroup/cgroup.controllers`)) {
    return { driver: 'cgroupfs', text: "podman's default for users on cgroup v1" };
  }
  return { driver: 'systemd', text: "podman's default where systemd runs" };
}

function statusOf(facts: PodmanFacts): RuntimeStatus {
  const { user, instance, version, configured, running, settings, findings } = facts;
  return {
    runtime: 'podman',
    instance,
    version,
    unit: undefined,
    ...(user.uid !== 0 && { user: user.name }),
    running: running && { driver: running, how: 'api', text: 'podman info' },
    configured,
    findings: [...settings.findings, ...findings, ...fallsBack(facts), ...environment(facts)],
  };
}

function fallsBack({ configured, hasSession, user }: PodmanFacts): Finding[] {
  if (hasSession || configured.driver !== 'systemd') return [];
  return [
    {
      severity: 'warning',
      code: 'podman-no-session',
      message: `${user.name} has no session of systemd, so that podman falls back to cgroupfs`,
      hint: `log in as ${user.name} without su or sudo, or run "loginctl enable-linger ${user.name}"`,
    },
  ];
}

function environment({ settings }: PodmanFacts): Finding[] {
  return settings.layers
    .filter(({ kind }) => kind === 'environment')
    .map(({ path }) => ({
      severity: 'info',
      code: 'podman-environment',
      message: `a variable of this shell makes podman read ${JSON.stringify(path)}: elsewhere podman may use another manager`,
      path,
    }));
}

/** A fault in a file is told already, with its place. */
function unanswered(answer: InfoAnswer | undefined, { findings }: Settings): Finding[] {
  if (answer === undefined || answer.ok || findings.some(({ severity }) => severity === 'error')) return [];
  return [{ severity: 'warning', code: 'podman-info', message: `podman info failed: ${answer.reason}` }];
}

/** The API service can have the option in its unit, which beats all files for containers that are made by the API. */
function serviceFlag(tree: RootTree): Finding[] {
  const command = ifReadable(() => readServiceCommand(tree, 'podman.service'));
  const use = command && findFlags(command, ['--cgroup-manager']).at(-1);
  if (use === undefined) return [];
  return [
    {
      severity: 'warning',
      code: 'podman-service-flag',
      message: `podman.service gives ${use.name} ${use.value} to containers that are made by podman's API, whatever the files say`,
      hint: 'take the option out of the unit',
      ...(use.source.path !== undefined && { path: use.source.path }),
      ...(use.source.line !== undefined && { line: use.source.line }),
    },
  ];
}

function podmanChecks({ tree, self }: DriverHost): CheckTable {
  return {
    'podman-driver': async ({ driver = '', user = '' }) => {
      const program = programOf(tree);
      if (program === undefined) return { ok: false, found: 'podman is not installed' };
      const answer = await askPodman(tree.onHost(program), self.env);
      if (!answer.ok) return { ok: false, found: `podman info failed: ${answer.reason}` };
      const found = answer.info.driver ?? 'another manager';
      return { ok: found === driver, found: `podman of ${user} gives ${found} to new containers` };
    },
  };
}
