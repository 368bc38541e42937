import { quote, SlicectlError } from '../../core/errors.ts';
import type { Measurement } from './model.ts';

/** What `--save` writes: the measurement itself, version 1. Times are nanoseconds where their name ends in `Ns`. */
export function savedText(measurement: Measurement): string {
  return `${JSON.stringify(measurement, null, 1)}\n`;
}

/** Reads what {@link savedText} made. `E_SYNTAX` for another file, with what is wrong in it. */
export function parseSaved(text: string, path: string): Measurement {
  const refuse = (why: string, cause?: unknown): SlicectlError =>
    new SlicectlError('E_SYNTAX', `${quote(path)} is no saved measurement: ${why}`, {
      hint: 'name a file that --save wrote',
      data: { path },
      cause,
    });
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw refuse('it is not JSON', cause);
  }
  if (!isRecord(parsed)) throw refuse('it is not an object');
  if (parsed.version !== 1) throw refuse(`version ${quote(String(parsed.version))} is not 1`);
  const lists = [parsed.cpus, parsed.tools, parsed.notes];
  if (!lists.every(Array.isArray) || !isRecord(parsed.machine)) throw refuse('parts are missing');
  const cpus = parsed.cpus as unknown[];
  const bad = cpus.findIndex((one) => !isMeasuredCpu(one));
  if (bad !== -1) throw refuse(`entry ${bad} of its CPUs is not complete`);
  return parsed as unknown as Measurement;
}

function isMeasuredCpu(value: unknown): boolean {
  return (
    isRecord(value) &&
    Number.isInteger(value.cpu) &&
    (value.role === 'payload' || value.role === 'system') &&
    isRecord(value.around) &&
    isRecord(value.floor) &&
    isRecord(value.gap) &&
    isDistribution(value.late)
  );
}

function isDistribution(value: unknown): boolean {
  if (!isRecord(value) || !Array.isArray(value.buckets)) return false;
  const { count, minNs, maxNs, sumNs, buckets } = value;
  const isPair = (one: unknown): boolean => Array.isArray(one) && one.length === 2 && one.every(Number.isFinite);
  return [count, minNs, maxNs, sumNs].every(Number.isFinite) && buckets.every(isPair);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
