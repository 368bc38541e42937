import { text } from 'node:stream/consumers';
import { errnoOf, SlicectlError } from '../../core/errors.ts';
import type { ProbeResult, Target } from './model.ts';
import { lineReader, type Places, type Running } from './place.ts';
import { INTERVAL_NS, type ProbePlan } from './probe.ts';

/** Above the kernel's interrupt threads, which have 50 (sched/core.c, sched_set_fifo). */
export const FIFO_PRIORITY = 80;

/** What is put before a command so that it runs on one CPU alone, and with `fifo` before all normal tasks. */
export function pinned(cpu: number, fifo: boolean, command: readonly string[]): readonly string[] {
  return [...(fifo ? ['chrt', '-f', `${FIFO_PRIORITY}`] : []), 'taskset', '-c', `${cpu}`, ...command];
}

interface Started {
  readonly target: Target;
  readonly running: Running;
  readonly nextLine: () => Promise<string | undefined>;
  readonly errors: Promise<string>;
}

export interface ProbeRun {
  readonly places: Places;
  readonly targets: readonly Target[];
  readonly seconds: number;
  readonly fifo: boolean;
  readonly probe: readonly string[];
  /** Called when all probes are warm, right before they begin. */
  readonly onStart: () => void;
}

/**
 * Runs a probe on each target, all in the same seconds. Rejects with `E_GATE` where one does not run or does not answer;
 * no probe is left then.
 */
export async function runProbes(run: ProbeRun): Promise<readonly ProbeResult[]> {
  const attempts = await Promise.allSettled(run.targets.map((target, at) => startProbe(run, target, at)));
  const started = attempts.flatMap((attempt) => (attempt.status === 'fulfilled' ? [attempt.value] : []));
  try {
    const failed = attempts.find((attempt) => attempt.status === 'rejected');
    if (failed) throw failed.reason;
    await Promise.all(started.map((one) => answerOf(one)));
    run.onStart();
    for (const { running } of started) running.stdin.write('go\n');
    const results = await Promise.all(started.map(async (one) => JSON.parse(await answerOf(one)) as ProbeResult));
    await Promise.all(started.map(({ running }) => running.ended));
    return results;
  } catch (error) {
    // Those that wait for their start end when the pipe does, the others with their time.
    for (const { running } of started) running.stdin.end();
    throw error;
  }
}

async function startProbe(run: ProbeRun, target: Target, at: number): Promise<Started> {
  const phaseNs = Math.round((at / run.targets.length) * INTERVAL_NS);
  const plan: ProbePlan = { cpu: target.cpu, seconds: run.seconds, phaseNs };
  const command = pinned(target.cpu, run.fifo, [...run.probe, JSON.stringify(plan)]);
  try {
    const running = await run.places.start(target.slice, command);
    return { target, running, nextLine: lineReader(running.stdout), errors: text(running.stderr) };
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    throw new SlicectlError('E_COMMAND_NOT_FOUND', `${command[0]}, which pins the probes, is not installed`, {
      hint: 'install util-linux',
      cause: error,
    });
  }
}

async function answerOf({ target, nextLine, errors, running }: Started): Promise<string> {
  const line = await nextLine();
  if (line !== undefined) return line;
  const code = await running.ended;
  const why = (await errors).trim().split('\n').at(-1) || (code === null ? 'it was killed' : `exit status ${code}`);
  const where = target.slice === undefined ? '' : ` in ${target.slice}`;
  throw new SlicectlError('E_GATE', `the probe of CPU ${target.cpu}${where} did not run: ${why}`, {
    hint: 'slicectl cpus show says who may run on which CPU',
    data: { cpu: target.cpu },
  });
}

/** Why real-time scheduling is refused at that place; undefined where it is allowed. */
export async function fifoRefusal(places: Places, { slice, cpu }: Target): Promise<string | undefined> {
  const { stdin, stderr, ended } = await places.start(slice, pinned(cpu, true, ['true']));
  stdin.end();
  const [why, code] = await Promise.all([text(stderr), ended]);
  return code === 0 ? undefined : why.trim().replace(/^chrt: /, '') || `exit status ${code}`;
}
