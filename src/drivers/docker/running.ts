import { posix } from 'node:path';
import type { Finding, LiveHost, Observed } from '../model.ts';
import { type DockerContainer, readContainers } from './containers.ts';
import type { Daemon } from './daemons.ts';
import { chooseDriver } from './exec-opts.ts';
import { type DockerRun, NOT_RUNNING } from './facts.ts';
import { type DockerFlag, flagValue, readProcessFlags } from './flags.ts';
import { type DockerInfo, getInfo, saysWhat } from './info.ts';
import { flagOptions, type NextStart, type StartFacts } from './next-start.ts';
import { socketsOf } from './sockets.ts';

export interface RunFacts {
  readonly live: LiveHost;
  readonly daemon: Daemon;
  readonly start: StartFacts;
  readonly next: NextStart;
  /** Whether other dockerds run, so that a socket may be another one's. */
  readonly hasOthers: boolean;
  readonly timeoutMs?: number | undefined;
}

/**
 * A dockerd as it is now. One that does not run is not asked: a connection to docker.socket would start it.
 */
export async function readRun(facts: RunFacts): Promise<DockerRun> {
  const { daemon, next, live, start } = facts;
  const { process, loaded } = daemon;
  const places = { tree: start.tree, user: daemon.user, usual: usualSocket(daemon) };
  if (process === undefined) {
    const hasFailed = loaded?.activeState === 'failed' || loaded?.activeState === 'activating';
    const [socket] = socketsOf(places, start.flags, next.file.document);
    return { ...NOT_RUNNING, hasFailed, socket, findings: failures(daemon) };
  }
  const flags = readProcessFlags(process.argv, process.pid);
  const answer = await ask(facts, flags, socketsOf(places, flags, next.file.document));
  const info = answer.info;
  const containers = info && answer.socket ? await readContainers(answer.socket, live.paths) : undefined;
  const observed = observe(facts, flags, answer);
  const findings = [...answer.findings, ...failures(daemon), ...mixed(observed, containers)];
  return { isRunning: true, hasFailed: false, socket: answer.socket, observed, info, containers, findings };
}

function usualSocket({ user, process }: Daemon): string {
  if (user === undefined) return '/run/docker.sock';
  const run = process?.environment()?.get('XDG_RUNTIME_DIR');
  return `${run || `/run/user/${user.uid}`}/docker.sock`;
}

interface Asked {
  readonly socket: string | undefined;
  readonly info: DockerInfo | undefined;
  readonly findings: readonly Finding[];
}

async function ask(facts: RunFacts, flags: readonly DockerFlag[], sockets: readonly string[]): Promise<Asked> {
  const findings: Finding[] = [];
  for (const socket of sockets) {
    const answer = await getInfo(socket, facts.timeoutMs);
    if (answer.ok) {
      if (!isOther(facts, flags, answer.info)) return { socket, info: answer.info, findings: [] };
      findings.push({
        severity: 'warning',
        code: 'docker-other-daemon',
        message: `the socket ${socket} is another Docker's, which keeps its data in ${answer.info.root}`,
        hint: 'give each its own --host',
      });
      continue;
    }
    findings.push({
      severity: answer.denied ? 'info' : 'warning',
      code: answer.denied ? 'docker-denied' : 'docker-no-answer',
      message: saysWhat(socket, answer),
      hint: answer.denied ? 'run it as root to see the driver in force' : 'look at journalctl -u docker',
    });
  }
  return { socket: sockets[0], info: undefined, findings };
}

/** Two daemons on one host (moby has no lock for the socket of systemd): the folder of the data tells them apart. */
function isOther(
  { start, daemon, next, hasOthers }: RunFacts,
  flags: readonly DockerFlag[],
  info: DockerInfo,
): boolean {
  if (!hasOthers || info.root === undefined) return false;
  const use = flagValue(flags, 'data-root') ?? flagValue(flags, 'graph');
  const inFile = next.file.document?.value(['data-root']);
  const root = use?.value ?? (typeof inFile === 'string' ? inFile : usualRoot(daemon));
  const expected = [root, start.tree.follow(root)];
  // With userns-remap the data is in a folder of its own below.
  return !expected.some((path) => info.root === path || posix.dirname(info.root ?? '') === path);
}

function usualRoot({ kind, user }: Daemon): string {
  if (user !== undefined) return `${user.home}/.local/share/docker`;
  return kind === 'snap' ? '/var/snap/docker/common/var-lib-docker' : '/var/lib/docker';
}

function observe(
  { start, daemon }: RunFacts,
  flags: readonly DockerFlag[],
  { info, socket }: Asked,
): Observed | undefined {
  if (info?.driver !== undefined) return { driver: info.driver, how: 'api', text: `GET /info on ${socket}` };
  const { driver } = chooseDriver(flagOptions(flags), start.rules);
  if (driver === undefined || driver === 'invalid') return undefined;
  return { driver, how: 'command-line', text: `--exec-opt of process ${daemon.process?.pid}` };
}

function failures({ loaded, unit, process }: Daemon): readonly Finding[] {
  const findings: Finding[] = [];
  if (loaded?.needDaemonReload && unit !== undefined) {
    findings.push({
      severity: 'warning',
      code: 'need-daemon-reload',
      message: `systemd has not read the changed files of ${unit} yet: its next start is as they were before`,
      hint: 'run systemctl daemon-reload',
    });
  }
  if (loaded?.activeState === 'failed' && process === undefined) {
    const isLimit = loaded.result === 'start-limit-hit';
    findings.push({
      severity: 'error',
      code: 'docker-failed',
      message: `${unit ?? 'docker.service'} has failed (${loaded.result})`,
      hint: isLimit
        ? 'mend the cause, then run systemctl reset-failed docker.service docker.socket and start it'
        : `look at journalctl -u ${unit ?? 'docker.service'}`,
    });
  }
  return findings;
}

/** Containers that live-restore carried over a change of the driver. */
function mixed(observed: Observed | undefined, containers: readonly DockerContainer[] | undefined): readonly Finding[] {
  const old = (containers ?? []).filter(({ layout }) => layout !== undefined && layout !== observed?.driver);
  if (observed?.how !== 'api' || observed.driver === 'none' || old.length === 0) return [];
  const names = old.map(({ name }) => name);
  const shown = names.length > 3 ? `${names.slice(0, 3).join(', ')} and ${names.length - 3} more` : names.join(', ');
  return [
    {
      severity: 'warning',
      code: 'docker-mixed-layout',
      message: `containers still run in cgroups of the other driver: ${shown}`,
      hint: 'restart them when it suits',
    },
  ];
}
