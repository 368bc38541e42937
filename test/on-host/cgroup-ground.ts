import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Backend, Group, GroupRequest, Plan } from '../../src/backend/backend.ts';
import { type AskedLimits, type LimitsInput, limits } from '../../src/core/limits.ts';
import type { Controller } from '../../src/core/properties/row.ts';
import { type CgroupLayout, type Membership, readLayout } from '../../src/host/cgroups.ts';
import { removeGroups } from '../../src/host/control-writes.ts';
import { readMachine } from '../../src/host/machine.ts';
import { HOST } from '../../src/host/paths.ts';
import { processesBelow } from '../../src/host/tree.ts';

/** A group of the test's own in every hierarchy, standing for the group that slicectl was started in. */
export interface Ground {
  readonly layout: CgroupLayout;
  readonly membership: Membership;
  /** The ground's folder in the hierarchy of a controller, or in the v2 tree. */
  folder(controller: Controller | 'v2'): string;
  close(): Promise<void>;
}

export const HERE = readLayout(HOST);
export const MACHINE = readMachine(HOST);
/** Why the tests on v1 cannot run here; undefined when they can. */
export const NO_V1 =
  process.getuid?.() !== 0
    ? 'needs root'
    : (['cpu', 'cpuacct', 'cpuset', 'memory', 'pids', 'freezer'] as const).some((c) => !HERE.v1.has(c))
      ? 'needs the v1 hierarchies cpu, cpuacct, cpuset, memory, pids and freezer'
      : undefined;
export const NO_V2 = process.getuid?.() !== 0 ? 'needs root' : HERE.v2 ? undefined : 'needs a v2 mount';

export function openGround(version: 1 | 2, name = `slicectl-test-${process.pid}-${Date.now().toString(36)}`): Ground {
  const folders = new Map<Controller | 'v2', string>();
  if (version === 2 && HERE.v2) folders.set('v2', `${HERE.v2.mount}/${name}`);
  if (version === 1) for (const [c, { mount }] of HERE.v1) folders.set(c, `${mount}/${name}`);
  for (const folder of new Set(folders.values())) mkdirSync(folder);
  const cpuset = folders.get('cpuset');
  for (const file of cpuset ? ['cpuset.mems', 'cpuset.cpus'] : [])
    writeFileSync(`${cpuset}/${file}`, readFileSync(`${HERE.v1.get('cpuset')?.mount}/${file}`));
  return {
    layout: version === 2 ? { mode: 'unified', v2: HERE.v2, v1: new Map() } : HERE,
    membership: {
      v2: version === 2 ? `/${name}` : undefined,
      v1: new Map(version === 1 ? [...HERE.v1.keys()].map((c) => [c, `/${name}`] as const) : []),
    },
    folder: (controller) => folders.get(controller) ?? '',
    async close() {
      for (const folder of new Set(folders.values())) {
        for (let round = 0; round < 200 && processesBelow(folder).length > 0; round += 1) {
          for (const pid of processesBelow(folder)) if (pid > 0) killQuietly(pid);
          await sleep(10);
        }
        for (let round = 0; round < 100 && !removeGroups(folder); round += 1) await sleep(20);
      }
    },
  };
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended between the reading of the list and the signal.
  }
}

export function asked(input: LimitsInput): AskedLimits {
  return limits(input, MACHINE);
}

export function request(input: LimitsInput = {}, more: Partial<GroupRequest> = {}): GroupRequest {
  return {
    limits: asked(input),
    slice: undefined,
    sliceInherit: false,
    unit: undefined,
    description: 'test',
    bestEffort: false,
    ...more,
  };
}

export interface Started {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly plan: Plan;
  readonly group: Group;
  readonly exited: Promise<{ code: number | null; signal: string | null; out: string }>;
}

/** Starts a shell line that waits, places it, and lets it go. */
export async function start(backend: Backend, wanted: GroupRequest, script: string): Promise<Started> {
  const child = spawn('sh', ['-c', `read go || exit 99\n${script}`], { stdio: ['pipe', 'pipe', 'pipe'] });
  const pid = child.pid ?? 0;
  let out = '';
  child.stdout.on('data', (data) => {
    out += data;
  });
  child.stderr.on('data', (data) => {
    out += data;
  });
  const exited = new Promise<{ code: number | null; signal: string | null; out: string }>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal, out }));
  });
  try {
    const plan = await backend.plan(wanted);
    const group = await backend.place(plan, pid);
    child.stdin.write('\n');
    return { child, pid, plan, group, exited };
  } catch (error) {
    child.stdin.end();
    await exited;
    throw error;
  }
}

export function read(path: string): string {
  return readFileSync(path, 'utf8').trim();
}
