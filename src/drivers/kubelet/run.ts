import { readLayout } from '../../host/cgroups.ts';
import { readIfThere } from '../../host/files.ts';
import type { HostPaths } from '../../host/paths.ts';
import { findProcesses, type ProcessFacts, readProcess } from '../../host/processes.ts';
import { CriClient } from '../cri/client.ts';
import type { LiveHost, Observed } from '../model.ts';
import { type LoadedUnit, readLoaded } from '../service/loaded.ts';
import type { Followed, KubeletRun, KubeletSettings } from './facts.ts';
import { podsGroup, podsGroups, podsInGroups } from './groups.ts';
import { settingOf, textOf } from './settings.ts';

export interface RunQuestion {
  readonly unit: string;
  readonly settings: KubeletSettings;
  readonly followed: Followed | undefined;
  readonly socket: string | undefined;
}

/** The kubelet as it runs: its unit, its process, the driver that it can be shown to use, the pods. */
export async function readRun(live: LiveHost, question: RunQuestion): Promise<KubeletRun> {
  const loaded = live.system === undefined ? undefined : await readLoaded(live.system, question.unit);
  const process = mainProcess(live.paths, loaded);
  const startedMs = process && (loaded?.activeEnterTimestampMs ?? startTime(live.paths, process));
  return {
    activeState: loaded?.activeState ?? (process ? 'active' : 'inactive'),
    subState: loaded?.subState ?? '',
    needDaemonReload: loaded?.needDaemonReload ?? false,
    isRunning: process !== undefined,
    startedMs,
    observed: process && observe(live.paths, process, startedMs, question),
    pods: await podsOf(live.paths, question),
  };
}

function mainProcess(paths: HostPaths, loaded: LoadedUnit | undefined): ProcessFacts | undefined {
  if (loaded !== undefined) return loaded.mainPid === undefined ? undefined : readProcess(paths, loaded.mainPid);
  return findProcesses(paths, ['kubelet'])[0];
}

/**
 * The driver in force. The group above the pods is made at the kubelet's start, so that one alone is a proof. Without it:
 * what the runtime says, where it is asked; the process's own flag; the files, where they are older than the process.
 */
function observe(
  paths: HostPaths,
  process: ProcessFacts,
  startedMs: number | undefined,
  { settings, followed }: RunQuestion,
): Observed | undefined {
  const root = textOf(settings, 'cgroupRoot') ?? '/';
  const [driver, other] = podsGroups(paths, root);
  if (driver !== undefined && other === undefined) {
    return { driver, how: 'container', text: `the group ${podsGroup(driver, root)}, where the kubelet puts pods` };
  }
  if (followed?.how === 'cri' && followed.driver !== undefined) {
    return { driver: followed.driver, how: 'cri', text: followed.text };
  }
  const flag = flagOf(process.argv);
  const text = `the command line of process ${process.pid}`;
  if (flag !== undefined) return { driver: known(flag), how: 'command-line', text };
  const isOlder = settings.layers.every(({ mtimeMs }) => startedMs !== undefined && mtimeMs < startedMs);
  if (!isOlder || followed !== undefined) return undefined;
  const setting = settingOf(settings, 'cgroupDriver');
  const where = setting?.source.path ?? "the kubelet's default";
  return { driver: known(String(setting?.value ?? '')), how: 'command-line', text: `${text} and ${where}` };
}

function known(value: string): 'systemd' | 'cgroupfs' {
  return value === 'systemd' ? 'systemd' : 'cgroupfs';
}

/** The last `--cgroup-driver` of a command line. */
function flagOf(argv: readonly string[]): string | undefined {
  let value: string | undefined;
  for (const [at, word] of argv.entries()) {
    const match = /^--cgroup[-_]driver(?:=(.*))?$/s.exec(word);
    if (match) value = match[1] ?? argv[at + 1] ?? '';
  }
  return value;
}

/** When a process started, in milliseconds since 1970: proc_pid_stat(5), starttime in ticks of 1/100 s, and btime. */
function startTime({ proc }: HostPaths, { startTicks }: ProcessFacts): number | undefined {
  const boot = /^btime (\d+)$/m.exec(readIfThere(`${proc}/stat`) ?? '')?.[1];
  return boot === undefined ? undefined : Number(boot) * 1000 + Number(startTicks) * 10;
}

/** What the runtime lists, else what has groups: an old kubelet can have another runtime than that of its socket. */
async function podsOf(paths: HostPaths, { socket, settings }: RunQuestion): Promise<readonly string[]> {
  const answer = socket === undefined ? undefined : await new CriClient(socket).pods();
  const ready = answer?.ok ? answer.value.filter(({ isReady }) => isReady) : [];
  if (ready.length > 0) return ready.map(({ namespace, name }) => `${namespace}/${name}`);
  return podsInGroups(paths, textOf(settings, 'cgroupRoot') ?? '/');
}

/** Whether the host has cgroup v1 alone, which the kubelet means by it too (hybrid counts as v1). */
export function isCgroupV1(paths: HostPaths): boolean {
  return ['legacy', 'hybrid'].includes(readLayout(paths).mode);
}
