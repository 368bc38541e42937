import { badInput, quote } from '../errors.ts';
import { type Amount, parseSize, parseWhole, printSize, U64_MAX } from '../quantity.ts';
import { parseTimespan, printTimespan } from '../timespan.ts';
import { amountText, lines, readAmount } from './forms.ts';
import {
  asRow,
  type CgroupForm,
  type Controller,
  type DeviceAmount,
  type FileContext,
  type LimitName,
  type Row,
} from './row.ts';

type DeviceName = Extract<LimitName, `IO${string}Max` | 'IODeviceWeight' | 'IODeviceLatencyTargetSec'>;
type Devices = readonly DeviceAmount[];

/** `PATH VALUE`: the path must be absolute and normalized, as systemd demands. */
function splitDevice(text: string, name: string): [device: string, value: string] {
  const match = /^\s*(?:"([^"]*)"|(\S+))\s+(\S.*?)\s*$/.exec(text);
  const device = match?.[1] ?? match?.[2];
  const value = match?.[3];
  if (device === undefined || value === undefined) {
    throw badInput(`${name}=${quote(text)} needs a device and a value`, `write ${name}="/dev/sda 10M"`);
  }
  if (!device.startsWith('/') || /\/\/|\/\.{1,2}(\/|$)/.test(device)) {
    throw badInput(
      `${name}=${quote(text)}: ${quote(device)} is not an absolute, normalized path`,
      'write a device such as /dev/sda',
    );
  }
  return [device, value];
}

function printDevice(device: string): string {
  return /\s/.test(device) ? `"${device}"` : device;
}

function numberOf(device: string, context: FileContext): string {
  return context.devices.get(device) ?? device;
}

/** Lines `MAJ:MIN key=value …` of io.max and io.latency. */
function keyedForm(file: string, key: string): CgroupForm<Devices> {
  const controller: Controller = 'io';
  return {
    controller,
    write: (value, context) =>
      value.map(({ device, amount }) => {
        const number = numberOf(device, context);
        return {
          controller,
          file,
          text: `${number} ${key}=${amountText(amount)}`,
          shows: (content) => (keyedLines(content, key).get(number) ?? 'infinity') === amount,
        };
      }),
    read: (read) => {
      const content = read(controller, file);
      return content === undefined
        ? undefined
        : [...keyedLines(content, key)].map(([device, amount]) => ({ device, amount }));
    },
  };
}

function keyedLines(content: string, key: string): Map<string, Amount> {
  const found = new Map<string, Amount>();
  for (const [device = '', ...pairs] of lines(content)) {
    const pair = pairs.find((p) => p.startsWith(`${key}=`));
    const amount = readAmount(pair?.slice(key.length + 1));
    if (amount !== undefined) found.set(device, amount);
  }
  return found;
}

/** Lines `MAJ:MIN value` of io.weight and of v1's blkio files; 0 ends a v1 limit. */
function plainForm(controller: Controller, file: string): CgroupForm<Devices> {
  const read = (content: string): Map<string, Amount> =>
    new Map(
      lines(content).flatMap(([device = '', value]) =>
        device.includes(':') && value ? [[device, BigInt(value)] as const] : [],
      ),
    );
  return {
    controller,
    write: (value, context) =>
      value.map(({ device, amount }) => {
        const number = numberOf(device, context);
        return {
          controller,
          file,
          text: `${number} ${amount === 'infinity' ? '0' : amount}`,
          shows: (content) => (read(content).get(number) ?? 'infinity') === amount,
        };
      }),
    read: (control) => {
      const content = control(controller, file);
      return content === undefined ? undefined : [...read(content)].map(([device, amount]) => ({ device, amount }));
    },
  };
}

interface DeviceSpec {
  readonly name: DeviceName;
  readonly summary: string;
  readonly unit: string;
  readonly since: number;
  readonly example: string;
  readonly dbusName?: string;
  readonly parse: (value: string) => Amount;
  readonly print: (amount: Amount) => string;
  readonly v2: CgroupForm<Devices>;
  readonly v1?: CgroupForm<Devices>;
  readonly ignored?: readonly string[];
}

function deviceRow(spec: DeviceSpec): Row<Devices> {
  return {
    name: spec.name,
    summary: spec.summary,
    unit: spec.unit,
    scope: 'group',
    since: spec.since,
    example: spec.example,
    flags: [],
    ignored: ['where the io controller is not enabled for the group', ...(spec.ignored ?? [])],
    parse: (text) => {
      const [device, value] = splitDevice(text, spec.name);
      return [{ device, amount: spec.parse(value) }];
    },
    join: (before, next) => [...before.filter((b) => next.every((n) => n.device !== b.device)), ...next],
    print: (value) => value.map(({ device, amount }) => `${printDevice(device)} ${spec.print(amount)}`).join(', '),
    dbus: (value) => [
      [
        spec.dbusName ?? spec.name,
        'a(st)',
        value.map(({ device, amount }) => [device, amount === 'infinity' ? U64_MAX : amount]),
      ],
    ],
    v2: spec.v2,
    ...(spec.v1 && { v1: spec.v1 }),
    ancestors: 'devices',
  };
}

const rate =
  (name: DeviceName) =>
  (value: string): Amount => {
    if (value === 'infinity') return value;
    const amount = parseSize(value, 1000, name);
    if (amount === 0n) throw badInput(`${name}=0 would stop the job's I/O for ever`, 'write at least 1, or infinity');
    return amount;
  };

const weight = (name: LimitName) => (value: string) => parseWhole(value, 1n, 10_000n, name);

/** What a weight needs so that any block device honours it; the kernel accepts it either way. */
const NEEDS_SCHEDULER = 'on devices without the bfq scheduler or io.cost.qos';

const ioWeight: Row<bigint> = {
  name: 'IOWeight',
  summary: 'Share of I/O time among its neighbours when they compete; 100 is the default',
  unit: 'weight',
  scope: 'group',
  since: 230,
  example: '50',
  flags: [],
  ignored: ['where the io controller is not enabled for the group', NEEDS_SCHEDULER],
  parse: weight('IOWeight'),
  print: (value) => `${value}`,
  dbus: (value) => [['IOWeight', 't', value]],
  v2: {
    controller: 'io',
    write: (value) => [
      {
        controller: 'io',
        file: 'io.weight',
        text: `default ${value}`,
        shows: (content) => defaultWeight(content) === value,
      },
    ],
    read: (read) => defaultWeight(read('io', 'io.weight')),
  },
  v1: {
    controller: 'blkio',
    write: (value) => [{ controller: 'blkio', file: 'blkio.bfq.weight', text: `${blkioWeightOf(value)}` }],
    read: (read) => {
      const found = readAmount(read('blkio', 'blkio.bfq.weight'));
      return found === undefined || found === 'infinity' ? undefined : weightOfBlkio(found);
    },
  },
  ancestors: 'none',
};

function defaultWeight(content: string | undefined): bigint | undefined {
  const line = lines(content ?? '').find(([key]) => key === 'default');
  return line?.[1] === undefined ? undefined : BigInt(line[1]);
}

/** The bfq range that systemd maps weights to: up to 100 unchanged, above it 100 to 1000 linearly. */
export function blkioWeightOf(value: bigint): bigint {
  return value <= 100n ? value : 100n + ((value - 100n) * 900n) / 9900n;
}

/** The lowest weight that {@link blkioWeightOf} maps to a bfq weight. */
export function weightOfBlkio(bfq: bigint): bigint {
  return bfq <= 100n ? bfq : 100n + (bfq - 100n) * 11n;
}

function maxRow(
  name: DeviceName,
  summary: string,
  unit: string,
  key: string,
  v1File: string,
  example: string,
): Row<Devices> {
  return deviceRow({
    name,
    summary,
    unit,
    since: 230,
    example,
    parse: rate(name),
    print: (amount) => printSize(amount, 1000),
    v2: keyedForm('io.max', key),
    v1: plainForm('blkio', v1File),
  });
}

export const ioRows: readonly Row[] = [
  asRow(ioWeight),
  asRow(
    deviceRow({
      name: 'IODeviceWeight',
      summary: 'The I/O weight on one device',
      unit: 'weight',
      since: 230,
      example: '/dev/sda 50',
      parse: weight('IODeviceWeight'),
      print: String,
      v2: plainForm('io', 'io.weight'),
      ignored: [NEEDS_SCHEDULER],
    }),
  ),
  asRow(
    maxRow(
      'IOReadBandwidthMax',
      'Bytes read from a device per second',
      'bytes/s',
      'rbps',
      'blkio.throttle.read_bps_device',
      '/dev/sda 10M',
    ),
  ),
  asRow(
    maxRow(
      'IOWriteBandwidthMax',
      'Bytes written to a device per second',
      'bytes/s',
      'wbps',
      'blkio.throttle.write_bps_device',
      '/dev/sda 10M',
    ),
  ),
  asRow(
    maxRow(
      'IOReadIOPSMax',
      'Reads from a device per second',
      'operations/s',
      'riops',
      'blkio.throttle.read_iops_device',
      '/dev/sda 1K',
    ),
  ),
  asRow(
    maxRow(
      'IOWriteIOPSMax',
      'Writes to a device per second',
      'operations/s',
      'wiops',
      'blkio.throttle.write_iops_device',
      '/dev/sda 1K',
    ),
  ),
  asRow(
    deviceRow({
      name: 'IODeviceLatencyTargetSec',
      summary: 'The I/O latency that the job is to have on a device; others are slowed down for it',
      unit: 'µs',
      since: 240,
      example: '/dev/sda 25ms',
      dbusName: 'IODeviceLatencyTargetUSec',
      parse: (value) => {
        const target = parseTimespan(value, 'IODeviceLatencyTargetSec');
        if (target === 0n) throw badInput('IODeviceLatencyTargetSec=0 is no target', 'write a span such as 25ms');
        return target;
      },
      print: printTimespan,
      v2: keyedForm('io.latency', 'target'),
      ignored: ['on a kernel without CONFIG_BLK_CGROUP_IOLATENCY'],
    }),
  ),
];
