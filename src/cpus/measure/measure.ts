import { SlicectlError } from '../../core/errors.ts';
import type { HostPaths } from '../../host/paths.ts';
import type { Topology } from '../../host/topology.ts';
import { readLoad, readMachineSurroundings } from './machine.ts';
import type { Measurement, Target } from './model.ts';
import { Places } from './place.ts';
import { INTERVAL_NS } from './probe.ts';
import { FIFO_PRIORITY, fifoRefusal, runProbes } from './run-probes.ts';
import { readMoment, surroundingsOf } from './surroundings.ts';
import { runTools } from './tools.ts';

export interface MeasureRequest {
  readonly paths: HostPaths;
  readonly topology: Topology;
  readonly targets: readonly Target[];
  /** The name of the reservation that is measured. */
  readonly reservation: string | undefined;
  /** How long the probes measure, and each further program after them. */
  readonly seconds: number;
  /** Wake-ups later than this are counted. */
  readonly limitUs: number;
  /** Real-time scheduling, where the kernel allows it; a note tells where it does not. */
  readonly fifo: boolean;
  /** The command that is a probe: its program and what comes before its own argument. */
  readonly probe: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal;
  /** Told in a few words what goes on now. */
  readonly onProgress?: (text: string) => void;
}

/**
 * Measures how late a task wakes up on each target. The probes run at one time, so that all meet the same load. Rejects
 * with `E_GATE` where a probe does not run, `E_ABORTED` after the signal, and as a launch does where a slice cannot be
 * used.
 */
export async function measureJitter(request: MeasureRequest): Promise<Measurement> {
  const { paths, topology, targets, seconds, limitUs, onProgress = () => undefined } = request;
  const places = new Places(request.env, request.signal);
  try {
    const [first] = targets;
    const refusal = request.fifo && first ? await fifoRefusal(places, first) : undefined;
    const fifo = request.fifo && refusal === undefined;
    const taken = new Date().toISOString();
    const loadBefore = readLoad(paths);
    onProgress(`${targets.length} probes warm up`);
    let before = readMoment(paths);
    const results = await runProbes({
      places,
      targets,
      seconds,
      fifo,
      probe: request.probe,
      onStart: () => {
        onProgress(`measures for ${seconds} s`);
        before = readMoment(paths);
      },
    });
    const after = readMoment(paths);
    const machine = readMachineSurroundings(paths, topology.online, loadBefore);
    const cpus = targets.map(({ cpu }) => cpu);
    const around = surroundingsOf(paths, topology, cpus, [before, after]);
    const priority = fifo ? FIFO_PRIORITY : undefined;
    const intervalUs = INTERVAL_NS / 1000;
    const { tools, notes } = await runTools({ paths, places, targets, seconds, intervalUs, priority, onProgress });
    return {
      version: 1,
      taken,
      seconds,
      intervalUs,
      limitUs,
      reservation: request.reservation,
      machine,
      cpus: targets.flatMap(({ cpu, role }) => {
        const [result, own] = [results.find((one) => one.cpu === cpu), around.find((one) => one.cpu === cpu)];
        return result && own ? [{ ...result, role, around: own }] : [];
      }),
      tools,
      notes: [
        ...(refusal === undefined
          ? []
          : [`real-time scheduling was refused, so the probes ran as normal tasks: ${refusal}`]),
        ...notes,
      ],
    };
  } catch (cause) {
    if (!request.signal?.aborted) throw cause;
    throw new SlicectlError('E_ABORTED', 'the measurement was ended before its time', { cause });
  } finally {
    await places.close();
  }
}
