import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { deserialize, serialize } from 'node:v8';
import { apply } from '../../../src/change/apply.ts';
import { describeStep } from '../../../src/change/describe.ts';
import type { Plan } from '../../../src/change/plan.ts';
import { resume, undo } from '../../../src/change/undo.ts';
import { contextOf, cpuMeans } from '../../../src/cli/commands/change.ts';
import { SlicectlError } from '../../../src/core/errors.ts';
import { readCpuFacts } from '../../../src/cpus/facts.ts';
import { planRelease } from '../../../src/cpus/release.ts';
import { planReserve } from '../../../src/cpus/reserve.ts';
import { closeHost, openHost } from '../../../src/drivers/hosts.ts';
import { HOST } from '../../../src/host/paths.ts';
import { readSelf } from '../../../src/host/self.ts';
import type { ChildOrder, StoredPlans } from './kill-child.ts';
import type { When } from './kill-fuse.ts';
import { type Look, look, notNothing, notWhole, type Sets } from './kill-look.ts';

/** What the program reads from its input, as JSON. */
export type KillOrder = Prepare | Chain | Alone | Kill | Judge;

/** Makes both plans and carries out that of the reservation, which stays. */
export interface Prepare {
  readonly what: 'prepare';
  readonly sets: Sets;
  /** Interrupts, workers and kernel threads too. */
  readonly isFull: boolean;
  readonly runtime: boolean;
}

/**
 * Kills what makes and finishes a change, or takes it back, at each of its steps but those of files, one after the other,
 * until it gets through. What is undone has to be the last change.
 */
export interface Chain {
  readonly what: 'chain';
  readonly plan: Which;
  readonly way: Way;
  readonly when: When;
  /** Which of them, counted without those of files. */
  readonly steps: 'all' | 'odd' | 'even';
}

/** One kill, then the way to its end and back; begins and ends with nothing reserved, a release with the reservation. */
export interface Alone {
  readonly what: 'alone';
  readonly plan: Which;
  /** From 1. */
  readonly step: number;
  readonly when: When;
  readonly way: Way;
}

/** A kill, and nothing after it. */
export interface Kill {
  readonly what: 'kill';
  readonly plan: Which;
  readonly step: number;
  readonly when: When;
}

export interface Judge {
  readonly what: 'judge';
  /** Whether the reservation should be there. */
  readonly isWhole: boolean;
}

type Which = keyof StoredPlans;
type Way = 'undo' | 'resume';

export interface Prepared {
  readonly steps: Readonly<Record<Which, readonly { readonly kind: string; readonly does: string }[]>>;
  /** What of the reservation is wrong, and how much of it is not as before it. */
  readonly faults: readonly string[];
  readonly changes: readonly string[];
}

export interface Killed {
  /** How each process ended: `killed begin`, or what it said. */
  readonly ends: readonly string[];
  /** What of the state that it should have led to is wrong. */
  readonly faults: readonly string[];
}

interface State {
  readonly sets: Sets;
  readonly bare: Look;
  readonly whole: Look;
}

const STATE = '/root/kill-state';
const PLANS = '/root/kill-plans';
const load = <T>(path: string): T => deserialize(fs.readFileSync(path)) as T;

const order = JSON.parse(fs.readFileSync(0, 'utf8')) as KillOrder;
const self = readSelf();
const host = await openHost({ self });
const program = ['/usr/local/bin/slicectl'];
const cpuHost = { paths: HOST, tree: host.tree, system: host.live?.system, program, uid: self.uid };
const context = contextOf(host, await cpuMeans(host));

async function prepare({ sets, isFull, runtime }: Prepare): Promise<Prepared> {
  const bare = look();
  const reserve = await planReserve(await readCpuFacts(cpuHost), cpuHost, {
    name: 'payload.slice',
    pick: { cpus: sets.payload.split('-').map(Number) },
    keep: [],
    memoryNodes: false,
    partition: sets.partition,
    interrupts: isFull,
    workqueues: isFull,
    kernelThreads: isFull,
    kubelet: false,
    drained: false,
    whileUnit: undefined,
    runtime,
    leases: [],
  });
  await apply(reserve, context);
  const whole = look();
  const release = planRelease(await readCpuFacts(cpuHost), cpuHost, 'payload.slice');
  fs.writeFileSync(PLANS, serialize({ reserve, release } satisfies StoredPlans));
  fs.writeFileSync(STATE, serialize({ sets, bare, whole } satisfies State));
  const names = ({ steps }: Plan) => steps.map((step) => ({ kind: step.kind, does: describeStep(step) }));
  return {
    steps: { reserve: names(reserve), release: names(release) },
    faults: notWhole(whole, whole, sets),
    changes: notNothing(whole, bare, sets),
  };
}

/** What should be there now, looked at after a service in a new slice has been started and has gone. */
function judge(isWhole: boolean): readonly string[] {
  const { sets, bare, whole } = load<State>(STATE);
  const seen = look();
  stopLate();
  return isWhole ? notWhole(seen, whole, sets) : notNothing(seen, bare, sets);
}

function child(made: Omit<ChildOrder, 'plans'>): string {
  const input = JSON.stringify({ plans: PLANS, ...made } satisfies ChildOrder);
  const { signal, stdout, stderr } = spawnSync(process.execPath, ['/root/kill-child.mjs'], { input, encoding: 'utf8' });
  return signal === 'SIGKILL' ? `killed ${stdout}` : `${stdout}${stderr}`.trim();
}

/** As anybody may at any time. */
function startLate(): void {
  spawnSync('systemd-run', ['--quiet', '--slice=late.slice', '--unit=late', 'sleep', 'infinity']);
}

function stopLate(): void {
  spawnSync('systemctl', ['stop', 'late.slice']);
}

function chain({ plan: which, way, when, steps }: Chain): Killed {
  const { [which]: plan } = load<StoredPlans>(PLANS);
  const isBack = way === 'undo';
  const bomb = { plan: which, direction: isBack ? 'back' : 'forward', when } as const;
  const live = plan.steps.flatMap(({ kind }, at) => (kind === 'file' ? [] : [at + 1]));
  const numbers = isBack ? live.map((_, at) => at + 1) : live;
  const chosen = numbers.filter((_, at) => steps === 'all' || (at % 2 === 0) === (steps === 'odd'));
  const ends: string[] = [];
  // The last one gets through: no way has a step more than the plan.
  for (const step of [...chosen, plan.steps.length + 1]) {
    ends.push(child({ ...bomb, act: isBack || ends.length > 0 ? way : 'apply', step }));
    if (!ends.at(-1)?.startsWith('killed')) break;
    if (ends.length === 4) startLate();
  }
  return { ends, faults: judge(isBack === (which === 'release')) };
}

const kill = ({ plan, step, when }: Omit<Kill, 'what'>): string =>
  child({ plan, act: 'apply', direction: 'forward', step, when });

async function alone({ plan: which, step, when, way }: Alone): Promise<Killed> {
  const isWhole = (way === 'resume') === (which === 'reserve');
  const ends = [kill({ plan: which, step, when })];
  startLate();
  ends.push(await finish(way));
  const faults = [...judge(isWhole)];
  if (way === 'resume') {
    ends.push(await finish('undo'));
    faults.push(...judge(!isWhole));
  }
  return { ends, faults };
}

async function finish(way: Way): Promise<string> {
  try {
    const { state, problems } = await { undo, resume }[way](undefined, context);
    return [state, ...problems].join('; ');
  } catch (error) {
    if (!(error instanceof SlicectlError)) throw error;
    return `${error.code}: ${error.message}`;
  }
}

async function carryOut(): Promise<unknown> {
  if (order.what === 'prepare') return prepare(order);
  if (order.what === 'chain') return chain(order);
  if (order.what === 'judge') return { ends: [], faults: judge(order.isWhole) };
  return order.what === 'kill' ? { ends: [kill(order)], faults: [] } : alone(order);
}

try {
  console.log(JSON.stringify(await carryOut()));
} finally {
  closeHost(host);
}
