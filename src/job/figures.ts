import { lines, readAmount } from '../core/properties/forms.ts';
import type { Controller } from '../core/properties/row.ts';
import type { ControlFiles } from '../host/control-files.ts';

/** Times in microseconds, sizes in bytes. A figure that the kernel does not offer is null, with its reason in `unavailable`. */
export interface Figures {
  readonly cpu: {
    readonly usageUsec: bigint | null;
    readonly userUsec: bigint | null;
    readonly systemUsec: bigint | null;
  };
  readonly throttling: {
    readonly periods: bigint | null;
    readonly throttledPeriods: bigint | null;
    readonly throttledUsec: bigint | null;
  };
  readonly memory: { readonly peakBytes: bigint | null; readonly swapPeakBytes: bigint | null };
  readonly tasks: { readonly peak: bigint | null; readonly refusedForks: bigint | null };
  readonly io: {
    readonly readBytes: bigint | null;
    readonly writeBytes: bigint | null;
    readonly readOperations: bigint | null;
    readonly writeOperations: bigint | null;
  };
  /** Pressure stall totals (Documentation/accounting/psi.rst). */
  readonly pressure: {
    readonly cpuUsec: bigint | null;
    readonly memoryUsec: bigint | null;
    readonly ioUsec: bigint | null;
  };
  readonly unavailable: Readonly<Record<string, string>>;
}

/** Reads each file once, so that figures of one file belong together, and collects why some are missing. */
class Reader {
  readonly unavailable: Record<string, string> = {};
  readonly files: ControlFiles;
  readonly #contents = new Map<string, string | undefined>();

  constructor(files: ControlFiles) {
    this.files = files;
  }

  content(controller: Controller, file: string): string | undefined {
    const key = `${controller} ${file}`;
    if (!this.#contents.has(key)) this.#contents.set(key, this.files.read(controller, file));
    return this.#contents.get(key);
  }

  /** One number in a file of its own. */
  single(figure: string, controller: Controller, file: string, where: string): bigint | null {
    const value = readAmount(this.content(controller, file));
    return this.#told(figure, value === 'infinity' ? undefined : value, controller, file, where);
  }

  /** A value of a file of `key value` lines. */
  keyed(figure: string, controller: Controller, file: string, key: string, where: string): bigint | null {
    const text = lines(this.content(controller, file) ?? '').find(([name]) => name === key)?.[1];
    return this.#told(figure, text === undefined ? undefined : BigInt(text), controller, file, where);
  }

  /** The total of the `some` line of a pressure file. */
  pressure(figure: string, file: string): bigint | null {
    const total = /^some .*total=(\d+)/m.exec(this.content('cpu', file) ?? '')?.[1];
    const where = 'the kernel has CONFIG_PSI and psi=1';
    return this.#told(figure, total === undefined ? undefined : BigInt(total), 'cpu', file, where);
  }

  #told(figure: string, value: bigint | undefined, controller: Controller, file: string, where: string): bigint | null {
    if (value !== undefined) return value;
    const isThere = this.content(controller, file) !== undefined;
    const reason =
      this.files.folder(controller) === undefined
        ? `there is no ${controller} hierarchy`
        : `the job's group has ${isThere ? 'no such line in its' : 'no'} ${file}`;
    this.unavailable[figure] = `${reason}; it is there where ${where}`;
    return null;
  }
}

export function readFigures(files: ControlFiles): Figures {
  return files.version === 2 ? readV2(new Reader(files)) : readV1(new Reader(files));
}

function readV2(reader: Reader): Figures {
  const stat = (figure: string, key: string): bigint | null =>
    reader.keyed(
      figure,
      'cpu',
      'cpu.stat',
      key,
      key.endsWith('usec') && !key.startsWith('thr') ? 'cgroup v2 is' : 'the cpu controller is enabled',
    );
  const io = sumIo(reader.content('io', 'io.stat'));
  if (!io)
    for (const key of IO_FIGURES)
      reader.unavailable[`io.${key}`] =
        "the job's group has no io.stat; it is there where the io controller is enabled";
  return {
    cpu: {
      usageUsec: stat('cpu.usageUsec', 'usage_usec'),
      userUsec: stat('cpu.userUsec', 'user_usec'),
      systemUsec: stat('cpu.systemUsec', 'system_usec'),
    },
    throttling: {
      periods: stat('throttling.periods', 'nr_periods'),
      throttledPeriods: stat('throttling.throttledPeriods', 'nr_throttled'),
      throttledUsec: stat('throttling.throttledUsec', 'throttled_usec'),
    },
    memory: {
      peakBytes: reader.single(
        'memory.peakBytes',
        'memory',
        'memory.peak',
        'the memory controller is enabled, from Linux 5.19 on',
      ),
      swapPeakBytes: reader.single(
        'memory.swapPeakBytes',
        'memory',
        'memory.swap.peak',
        'the memory controller is enabled, from Linux 6.5 on',
      ),
    },
    tasks: {
      peak: reader.single('tasks.peak', 'pids', 'pids.peak', 'the pids controller is enabled, from Linux 6.1 on'),
      refusedForks: reader.keyed('tasks.refusedForks', 'pids', 'pids.events', 'max', 'the pids controller is enabled'),
    },
    io: io ?? NO_IO,
    pressure: {
      cpuUsec: reader.pressure('pressure.cpuUsec', 'cpu.pressure'),
      memoryUsec: reader.pressure('pressure.memoryUsec', 'memory.pressure'),
      ioUsec: reader.pressure('pressure.ioUsec', 'io.pressure'),
    },
    unavailable: reader.unavailable,
  };
}

const IO_FIGURES = ['readBytes', 'writeBytes', 'readOperations', 'writeOperations'] as const;
const NO_IO: Figures['io'] = { readBytes: null, writeBytes: null, readOperations: null, writeOperations: null };

/** io.stat: one line a device, `MAJ:MIN rbytes=… wbytes=… rios=… wios=…`. A group that did no I/O has no line. */
function sumIo(content: string | undefined): Figures['io'] | undefined {
  if (content === undefined) return undefined;
  const sum = (key: string): bigint =>
    lines(content)
      .flat()
      .filter((word) => word.startsWith(`${key}=`))
      .reduce((total, word) => total + BigInt(word.slice(key.length + 1)), 0n);
  return {
    readBytes: sum('rbytes'),
    writeBytes: sum('wbytes'),
    readOperations: sum('rios'),
    writeOperations: sum('wios'),
  };
}

const NANOSECONDS = 1000n;

function readV1(reader: Reader): Figures {
  const time = (figure: string, file: string): bigint | null => {
    const value = reader.single(figure, 'cpuacct', file, 'the cpuacct controller is mounted, from Linux 4.6 on');
    return value === null ? null : value / NANOSECONDS;
  };
  const throttled = reader.keyed(
    'throttling.throttledUsec',
    'cpu',
    'cpu.stat',
    'throttled_time',
    'the kernel has CONFIG_CFS_BANDWIDTH',
  );
  const why = 'cgroup v2 is';
  const pressure = { 'pressure.cpuUsec': why, 'pressure.memoryUsec': why, 'pressure.ioUsec': why };
  for (const figure of Object.keys(pressure)) reader.unavailable[figure] = 'cgroup v1 keeps no pressure by group';
  reader.unavailable['memory.swapPeakBytes'] = 'cgroup v1 keeps one peak of memory and swap together';
  const bytes = sumBlkio(reader.files, 'blkio.throttle.io_service_bytes');
  const operations = sumBlkio(reader.files, 'blkio.throttle.io_serviced');
  if (!bytes || !operations)
    for (const key of IO_FIGURES) reader.unavailable[`io.${key}`] = 'the job has no group in a blkio hierarchy';
  return {
    cpu: {
      usageUsec: time('cpu.usageUsec', 'cpuacct.usage'),
      userUsec: time('cpu.userUsec', 'cpuacct.usage_user'),
      systemUsec: time('cpu.systemUsec', 'cpuacct.usage_sys'),
    },
    throttling: {
      periods: reader.keyed(
        'throttling.periods',
        'cpu',
        'cpu.stat',
        'nr_periods',
        'the kernel has CONFIG_CFS_BANDWIDTH',
      ),
      throttledPeriods: reader.keyed(
        'throttling.throttledPeriods',
        'cpu',
        'cpu.stat',
        'nr_throttled',
        'the kernel has CONFIG_CFS_BANDWIDTH',
      ),
      throttledUsec: throttled === null ? null : throttled / NANOSECONDS,
    },
    memory: {
      peakBytes: reader.single(
        'memory.peakBytes',
        'memory',
        'memory.max_usage_in_bytes',
        'the memory controller is mounted',
      ),
      swapPeakBytes: null,
    },
    tasks: {
      peak: reader.single('tasks.peak', 'pids', 'pids.peak', 'the pids controller is mounted, from Linux 6.1 on'),
      refusedForks: reader.keyed('tasks.refusedForks', 'pids', 'pids.events', 'max', 'the pids controller is mounted'),
    },
    io:
      bytes && operations
        ? {
            readBytes: bytes.read,
            writeBytes: bytes.write,
            readOperations: operations.read,
            writeOperations: operations.write,
          }
        : NO_IO,
    pressure: { cpuUsec: null, memoryUsec: null, ioUsec: null },
    unavailable: reader.unavailable,
  };
}

/** Lines `MAJ:MIN Read N`. The recursive form counts sub-groups too, where the kernel has it (4.16). */
function sumBlkio(files: ControlFiles, file: string): { read: bigint; write: bigint } | undefined {
  const content = files.read('blkio', `${file}_recursive`) ?? files.read('blkio', file);
  if (content === undefined) return undefined;
  const sum = (word: string): bigint =>
    lines(content)
      .filter(([, kind]) => kind === word)
      .reduce((total, [, , count]) => total + BigInt(count ?? '0'), 0n);
  return { read: sum('Read'), write: sum('Write') };
}
