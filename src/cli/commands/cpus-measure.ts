import { closeSync, existsSync, openSync, unlinkSync } from 'node:fs';
import { extname } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { badInput, errnoOf, quote, SlicectlError } from '../../core/errors.ts';
import { measureJitter } from '../../cpus/measure/measure.ts';
import type { Measurement } from '../../cpus/measure/model.ts';
import { PROBE_NODE_FLAGS } from '../../cpus/measure/probe.ts';
import { parseSaved, savedText } from '../../cpus/measure/saved.ts';
import { targetsOf } from '../../cpus/measure/targets.ts';
import { readRecords } from '../../cpus/record.ts';
import { closeHost, openHost } from '../../drivers/hosts.ts';
import { readRegularFile } from '../../host/files.ts';
import { HOST } from '../../host/paths.ts';
import { readSelf } from '../../host/self.ts';
import { readTopology } from '../../host/topology.ts';
import { isStderrTerminal, print, tell, writeAll } from '../output.ts';
import { measureText } from '../render/cpus-measure.ts';
import { measureSvg } from '../render/cpus-measure-svg.ts';
import { cpuListOf } from './cpu-list.ts';

export interface MeasureOptions {
  /** Seconds. */
  readonly measure: string;
  readonly cpus?: string;
  /** Microseconds; wake-ups that are later are counted. */
  readonly limit?: string;
  readonly fifo?: boolean;
  readonly save?: string;
  readonly against?: string;
  readonly svg?: string;
  readonly json?: boolean;
}

const MOST_SECONDS = 24 * 3600;
const MOST_LIMIT_US = 1_000_000;
const USUAL_LIMIT_US = '100';

/** `slicectl cpus audit [NAME] --measure SECONDS`: prints what it measured; 0, whatever that is. */
export async function measure(name: string | undefined, options: MeasureOptions): Promise<number> {
  const seconds = wholeNumber(options.measure, '--measure', MOST_SECONDS);
  const limitUs = wholeNumber(options.limit ?? USUAL_LIMIT_US, '--limit', MOST_LIMIT_US);
  const before = options.against === undefined ? undefined : readSaved(options.against);
  const self = readSelf();
  const host = await openHost({ self });
  const outputs: NewFile[] = [];
  const isDone = { yes: false };
  const ending = new AbortController();
  const end = (): void => ending.abort();
  process.on('SIGINT', end).on('SIGTERM', end);
  try {
    const all = readRecords(host.tree);
    const reservations = name === undefined ? all : all.filter((record) => record.name === name);
    if (name !== undefined && reservations.length === 0) {
      throw badInput(`there is no reservation ${quote(name)}`, 'slicectl cpus show lists them');
    }
    const topology = readTopology(HOST);
    const last = topology.possible.at(-1) ?? 0;
    const cpus = options.cpus === undefined ? undefined : cpuListOf('--cpus', options.cpus, last);
    const hasSystemd = host.live?.system !== undefined;
    const targets = targetsOf({ topology, reservations, all, cpus, hasSystemd });
    const save = openNew(options.save, '--save', outputs);
    const svg = openNew(options.svg, '--svg', outputs);
    const measurement = await measureJitter({
      paths: HOST,
      topology,
      targets,
      reservation: reservations.length === 0 ? undefined : reservations.map((one) => one.name).join(', '),
      seconds,
      limitUs,
      fifo: options.fifo ?? false,
      probe: probeCommand(),
      env: self.env,
      signal: ending.signal,
      onProgress: (text) => {
        if (isStderrTerminal()) tell(`${text}\n`);
      },
    });
    save?.write(savedText(measurement));
    svg?.write(measureSvg(measurement, before));
    isDone.yes = true;
    print(options.json ? jsonOf(measurement, before) : measureText(measurement, before));
    return 0;
  } finally {
    process.off('SIGINT', end).off('SIGTERM', end);
    for (const output of outputs) output.close(isDone.yes);
    closeHost(host);
  }
}

function jsonOf(measurement: Measurement, before: Measurement | undefined): string {
  return `${JSON.stringify(before ? { ...measurement, before } : measurement, null, 2)}\n`;
}

function wholeNumber(text: string, option: string, most: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > most) {
    throw badInput(`${option} ${quote(text)} is no whole number of 1 to ${most}`, `write for example ${option} 10`);
  }
  return value;
}

function readSaved(path: string): Measurement {
  const bytes = readRegularFile(path);
  if (bytes === undefined) throw badInput(`--against ${quote(path)} is not there`, 'name a file that --save wrote');
  return parseSaved(bytes.toString('utf8'), path);
}

interface NewFile {
  write(text: string): void;
  /** Removes it again where there is nothing in it. */
  close(keep: boolean): void;
}

/** Made before the measurement, which may take long: a path that cannot be written is refused at once. */
function openNew(path: string | undefined, option: string, outputs: NewFile[]): NewFile | undefined {
  if (path === undefined) return undefined;
  let fd: number;
  try {
    fd = openSync(path, 'wx', 0o644);
  } catch (cause) {
    const errno = errnoOf(cause);
    const why = errno === 'EEXIST' ? 'is there already' : `cannot be written (${errno})`;
    throw new SlicectlError('E_INPUT', `${option} ${quote(path)} ${why}`, { hint: 'name another file', cause });
  }
  const file: NewFile = {
    write: (text) => writeAll(fd, text),
    close: (keep) => {
      closeSync(fd);
      if (!keep) unlinkSync(path);
    },
  };
  outputs.push(file);
  return file;
}

/** The probe lies one folder up, here as in the built program, where this file is among the chunks. */
function probeCommand(): readonly string[] {
  const file = fileURLToPath(new URL(`../probe${extname(import.meta.url)}`, import.meta.url));
  if (!existsSync(file)) {
    throw new SlicectlError('E_FILE', `the probe ${quote(file)} is not there`, { hint: 'install slicectl again' });
  }
  return [process.execPath, ...process.execArgv, ...PROBE_NODE_FLAGS, file];
}
