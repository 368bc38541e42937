import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blkioWeightOf, weightOfBlkio } from '../../../src/core/properties/io.ts';
import type { LimitName } from '../../../src/core/properties/row.ts';
import { files, isShown, rowNamed, writes } from '../support.ts';

const DISKS = new Map([
  ['/dev/sda', '8:0'],
  ['/dev/nvme0n1', '259:0'],
]);

/** As the kernel prints them (Documentation/admin-guide/cgroup-v2.rst, "IO Interface Files"). */
const IO_MAX = '8:16 rbps=2097152 wbps=max riops=max wiops=120\n8:0 rbps=max wbps=10000000 riops=1000 wiops=max\n';
const IO_LATENCY = '8:16 target=75000\n8:0 target=25000\n';
const IO_WEIGHT = 'default 100\n8:16 200\n8:0 50\n';
const V1_THROTTLE = '8:16 2097152\n8:0 10000000\n';

describe('device limits of cgroup v2', () => {
  it.each([
    ['IOReadBandwidthMax', '/dev/sda 10M', 'io.max', '8:0 rbps=10000000'],
    ['IOWriteBandwidthMax', '/dev/sda 10M', 'io.max', '8:0 wbps=10000000'],
    ['IOReadIOPSMax', '/dev/nvme0n1 1K', 'io.max', '259:0 riops=1000'],
    ['IOWriteIOPSMax', '/dev/sda infinity', 'io.max', '8:0 wiops=max'],
    ['IODeviceLatencyTargetSec', '/dev/sda 25ms', 'io.latency', '8:0 target=25000'],
    ['IODeviceWeight', '/dev/sda 50', 'io.weight', '8:0 50'],
  ] as const)('write %s=%s to %s as %j', (name, text, file, line) => {
    expect(writes('v2', name, { [name]: text }, DISKS)).toMatchObject([{ controller: 'io', file, text: line }]);
  });

  it('write one line a device, since the kernel takes one at a time', () => {
    const row = rowNamed('IOReadBandwidthMax');
    const value = [
      { device: '/dev/sda', amount: 1n },
      { device: '/dev/nvme0n1', amount: 2n },
    ];
    const found = row.v2?.write(value, { limits: {}, devices: DISKS }) ?? [];
    expect(found.map(({ text }) => text)).toEqual(['8:0 rbps=1', '259:0 rbps=2']);
  });

  it.each([
    ['IOReadBandwidthMax', { 'io.max': IO_MAX }, [2_097_152n, 'infinity']],
    ['IOWriteBandwidthMax', { 'io.max': IO_MAX }, ['infinity', 10_000_000n]],
    ['IOReadIOPSMax', { 'io.max': IO_MAX }, ['infinity', 1000n]],
    ['IOWriteIOPSMax', { 'io.max': IO_MAX }, [120n, 'infinity']],
    ['IODeviceLatencyTargetSec', { 'io.latency': IO_LATENCY }, [75_000n, 25_000n]],
    ['IODeviceWeight', { 'io.weight': IO_WEIGHT }, [200n, 50n]],
  ] as const)('read %s of two devices from %j', (name, contents, [first, second]) => {
    expect(rowNamed(name).v2?.read(files(contents))).toEqual([
      { device: '8:16', amount: first },
      { device: '8:0', amount: second },
    ]);
  });

  it.each([
    ['IOWriteBandwidthMax', '/dev/sda 10M', IO_MAX, true],
    ['IOWriteBandwidthMax', '/dev/sda 11M', IO_MAX, false],
    ['IOReadBandwidthMax', '/dev/sda 10M', IO_MAX, false],
    ['IOReadBandwidthMax', '/dev/sda infinity', IO_MAX, true],
    ['IOReadBandwidthMax', '/dev/nvme0n1 infinity', IO_MAX, true],
    ['IOReadBandwidthMax', '/dev/nvme0n1 1M', '', false],
    ['IODeviceLatencyTargetSec', '/dev/sda 25ms', IO_LATENCY, true],
    ['IODeviceLatencyTargetSec', '/dev/sda 75ms', IO_LATENCY, false],
    ['IODeviceWeight', '/dev/sda 50', IO_WEIGHT, true],
    ['IODeviceWeight', '/dev/sda 100', IO_WEIGHT, false],
  ] as const)('%s=%s with the content %j is in force: %s', (name: LimitName, text, content, held) => {
    const [write] = writes('v2', name, { [name]: text }, DISKS);
    expect(write && isShown(write, content)).toBe(held);
  });

  it('read nothing where the kernel has no such file, and no device from an empty one', () => {
    expect(rowNamed('IOReadIOPSMax').v2?.read(files({}))).toBeUndefined();
    expect(rowNamed('IOReadIOPSMax').v2?.read(files({ 'io.max': '' }))).toEqual([]);
  });
});

describe('device limits of cgroup v1', () => {
  it.each([
    ['IOReadBandwidthMax', 'blkio.throttle.read_bps_device'],
    ['IOWriteBandwidthMax', 'blkio.throttle.write_bps_device'],
    ['IOReadIOPSMax', 'blkio.throttle.read_iops_device'],
    ['IOWriteIOPSMax', 'blkio.throttle.write_iops_device'],
  ] as const)('put %s into %s, where 0 ends a limit', (name, file) => {
    const [limit] = writes('v1', name, { [name]: '/dev/sda 10M' }, DISKS);
    expect(limit).toMatchObject({ controller: 'blkio', file, text: '8:0 10000000' });
    expect(limit && isShown(limit, V1_THROTTLE)).toBe(true);
    expect(limit && isShown(limit, '')).toBe(false);
    const [none] = writes('v1', name, { [name]: '/dev/sda infinity' }, DISKS);
    expect(none?.text).toBe('8:0 0');
    expect(none && isShown(none, '8:16 2097152\n')).toBe(true);
    expect(none && isShown(none, V1_THROTTLE)).toBe(false);
    expect(rowNamed(name).v1?.read(files({ [file]: V1_THROTTLE }))).toEqual([
      { device: '8:16', amount: 2_097_152n },
      { device: '8:0', amount: 10_000_000n },
    ]);
  });

  it('have neither a latency target nor a weight for one device', () => {
    expect(rowNamed('IODeviceLatencyTargetSec').v1).toBeUndefined();
    expect(rowNamed('IODeviceWeight').v1).toBeUndefined();
  });
});

describe('IOWeight', () => {
  const row = rowNamed('IOWeight');

  it('is the default line of io.weight', () => {
    const [write] = writes('v2', 'IOWeight', { IOWeight: '50' });
    expect(write).toMatchObject({ file: 'io.weight', text: 'default 50' });
    expect(write && isShown(write, 'default 50\n8:16 200\n')).toBe(true);
    expect(write && isShown(write, 'default 100\n8:16 50\n')).toBe(false);
    expect(row.v2?.read(files({ 'io.weight': IO_WEIGHT }))).toBe(100n);
    expect(row.v2?.read(files({}))).toBeUndefined();
  });

  // systemd src/test/test-cgroup-util.c, BFQ_WEIGHT.
  it.each([
    [1n, 1n],
    [100n, 100n],
    [500n, 136n],
    [5000n, 545n],
    [10_000n, 1000n],
  ])('%i is the bfq weight %i', (value, bfq) => {
    expect(blkioWeightOf(value)).toBe(bfq);
    expect(writes('v1', 'IOWeight', { IOWeight: `${value}` })).toMatchObject([
      { file: 'blkio.bfq.weight', text: `${bfq}` },
    ]);
  });

  it('read from v1 is one that gives the same bfq weight', () => {
    fc.assert(
      fc.property(fc.bigInt(1n, 1000n), (bfq) => {
        const value = row.v1?.read(files({ 'blkio.bfq.weight': `${bfq}\n` }));
        expect(value).toBe(weightOfBlkio(bfq));
        expect(blkioWeightOf(weightOfBlkio(bfq))).toBe(bfq);
      }),
    );
  });
});
