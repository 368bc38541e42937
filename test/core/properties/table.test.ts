import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LimitName, LimitValue } from '../../../src/core/properties/row.ts';
import { PROPERTIES, property } from '../../../src/core/properties/table.ts';
import { type Amount, U64_MAX } from '../../../src/core/quantity.ts';
import { MACHINE, onBus, refusal, rowNamed, toolMissing } from '../support.ts';

const U64 = 18_446_744_073_709_551_615n;

/** Name, text, and what systemd's vtables (src/core/dbus-cgroup.c, dbus-scope.c, dbus-service.c) take for it. */
const ON_BUS: readonly (readonly [name: LimitName, text: string, property: string, type: string, value: unknown])[] = [
  ['CPUQuota', '50%', 'CPUQuotaPerSecUSec', 't', 500_000n],
  ['CPUQuota', '200%', 'CPUQuotaPerSecUSec', 't', 2_000_000n],
  ['CPUQuota', '0.01%', 'CPUQuotaPerSecUSec', 't', 100n],
  ['CPUQuota', 'infinity', 'CPUQuotaPerSecUSec', 't', U64],
  ['CPUQuotaPeriodSec', '10ms', 'CPUQuotaPeriodUSec', 't', 10_000n],
  ['CPUWeight', '50', 'CPUWeight', 't', 50n],
  ['CPUWeight', 'idle', 'CPUWeight', 't', 0n],
  ['AllowedCPUs', '0-3,8', 'AllowedCPUs', 'ay', Uint8Array.of(15, 1)],
  ['AllowedMemoryNodes', '0-1', 'AllowedMemoryNodes', 'ay', Uint8Array.of(3)],
  ['MemoryMin', '0', 'MemoryMin', 't', 0n],
  ['MemoryLow', '1G', 'MemoryLow', 't', 1_073_741_824n],
  ['MemoryHigh', '512M', 'MemoryHigh', 't', 536_870_912n],
  ['MemoryMax', '1.5G', 'MemoryMax', 't', 1_610_612_736n],
  ['MemoryMax', '50%', 'MemoryMax', 't', 8_589_934_592n],
  ['MemoryMax', 'infinity', 'MemoryMax', 't', U64],
  ['MemorySwapMax', '0', 'MemorySwapMax', 't', 0n],
  ['MemoryZSwapMax', 'infinity', 'MemoryZSwapMax', 't', U64],
  ['TasksMax', '64', 'TasksMax', 't', 64n],
  ['TasksMax', '10%', 'TasksMax', 't', 3276n],
  ['TasksMax', 'infinity', 'TasksMax', 't', U64],
  ['IOWeight', '50', 'IOWeight', 't', 50n],
  ['IODeviceWeight', '/dev/sda 50', 'IODeviceWeight', 'a(st)', [['/dev/sda', 50n]]],
  ['IOReadBandwidthMax', '/dev/sda 10M', 'IOReadBandwidthMax', 'a(st)', [['/dev/sda', 10_000_000n]]],
  ['IOWriteBandwidthMax', '/dev/sda infinity', 'IOWriteBandwidthMax', 'a(st)', [['/dev/sda', U64]]],
  ['IOReadIOPSMax', '/dev/sda 1K', 'IOReadIOPSMax', 'a(st)', [['/dev/sda', 1000n]]],
  ['IOWriteIOPSMax', '"/dev/disk/a b" 7', 'IOWriteIOPSMax', 'a(st)', [['/dev/disk/a b', 7n]]],
  ['IODeviceLatencyTargetSec', '/dev/sda 25ms', 'IODeviceLatencyTargetUSec', 'a(st)', [['/dev/sda', 25_000n]]],
  ['RuntimeMaxSec', '10min', 'RuntimeMaxUSec', 't', 600_000_000n],
  ['RuntimeMaxSec', 'infinity', 'RuntimeMaxUSec', 't', U64],
  ['TimeoutStopSec', '10s', 'TimeoutStopUSec', 't', 10_000_000n],
  ['OOMPolicy', 'kill', 'OOMPolicy', 's', 'kill'],
];

/** The first version in which the unit types that slicectl makes take the property. */
const SINCE: Readonly<Record<LimitName, number>> = {
  CPUQuota: 213,
  CPUQuotaPeriodSec: 242,
  CPUWeight: 232,
  AllowedCPUs: 244,
  AllowedMemoryNodes: 244,
  MemoryMin: 240,
  MemoryLow: 231,
  MemoryHigh: 231,
  MemoryMax: 231,
  MemorySwapMax: 232,
  MemoryZSwapMax: 253,
  TasksMax: 227,
  IOWeight: 230,
  IODeviceWeight: 230,
  IOReadBandwidthMax: 230,
  IOWriteBandwidthMax: 230,
  IOReadIOPSMax: 230,
  IOWriteIOPSMax: 230,
  IODeviceLatencyTargetSec: 240,
  RuntimeMaxSec: 244,
  TimeoutStopSec: 209,
  OOMPolicy: 253,
};

const amounts = (low: bigint, high: bigint): fc.Arbitrary<Amount> =>
  fc.oneof({ weight: 5, arbitrary: fc.bigInt(low, high) }, fc.constant<Amount>('infinity'));
const memory = (low: bigint) => amounts(low, 1n << 60n);
const sets = fc
  .uniqueArray(fc.integer({ min: 0, max: 8191 }), { minLength: 1, maxLength: 40 })
  .map((set) => set.sort((a, b) => a - b));
const device = (amount: fc.Arbitrary<Amount>) =>
  fc
    .tuple(fc.stringMatching(/^\/dev\/[a-z0-9_-]{1,8}( [a-z]{1,3})?$/), amount)
    .map(([path, found]) => [{ device: path, amount: found }]);

/** Any value that the row can hold. */
const VALUES: Readonly<Record<LimitName, fc.Arbitrary<LimitValue>>> = {
  CPUQuota: amounts(1n, 2_000_000n).map((v) => (v === 'infinity' ? v : v * 100n)),
  CPUQuotaPeriodSec: fc.bigInt(1000n, 1_000_000n),
  CPUWeight: fc.oneof(fc.bigInt(1n, 10_000n), fc.constant('idle' as const)),
  AllowedCPUs: sets,
  AllowedMemoryNodes: sets,
  MemoryMin: memory(0n),
  MemoryLow: memory(0n),
  MemoryHigh: memory(4096n),
  MemoryMax: memory(4096n),
  MemorySwapMax: memory(0n),
  MemoryZSwapMax: memory(0n),
  TasksMax: amounts(1n, 4_194_304n),
  IOWeight: fc.bigInt(1n, 10_000n),
  IODeviceWeight: device(fc.bigInt(1n, 10_000n)),
  IOReadBandwidthMax: device(amounts(1n, 1n << 60n)),
  IOWriteBandwidthMax: device(amounts(1n, 1n << 60n)),
  IOReadIOPSMax: device(amounts(1n, 1n << 32n)),
  IOWriteIOPSMax: device(amounts(1n, 1n << 32n)),
  IODeviceLatencyTargetSec: device(fc.bigInt(1n, 1n << 40n)),
  RuntimeMaxSec: amounts(1n, 1n << 60n),
  TimeoutStopSec: amounts(1n, 1n << 60n),
  OOMPolicy: fc.constantFrom('continue' as const, 'stop' as const, 'kill' as const),
};

const ROWS = PROPERTIES.map((row) => [row.name, row] as const);

describe('the property table', () => {
  it('has each property once, and the same ones as the types', () => {
    expect(PROPERTIES.map((row) => row.name).sort()).toEqual(Object.keys(SINCE).sort());
  });

  it('has each flag once', () => {
    const flags = PROPERTIES.flatMap((row) => row.flags.map((flag) => flag.name));
    expect(new Set(flags).size).toBe(flags.length);
    expect(flags.every((flag) => /^--[a-z][a-z-]*$/.test(flag))).toBe(true);
  });

  it.each(ROWS)('has an example of %s that parses and travels', (_, row) => {
    const value = row.parse(row.example, MACHINE);
    expect(row.dbus(value)).toHaveLength(1);
    expect(row.summary).not.toBe('');
    expect(row.summary.endsWith('.')).toBe(false);
    expect(row.since).toBe(SINCE[row.name]);
  });

  it.each(ROWS)('prints any value of %s so that it reads it back', (name, row) => {
    fc.assert(
      fc.property(VALUES[name], (value) => {
        expect(row.parse(row.print(value), MACHINE)).toEqual(value);
      }),
    );
  });

  it.each(ROWS)('joins %s only where systemd does: lists and devices', (name, row) => {
    const isList = name.startsWith('Allowed') || (name.startsWith('IO') && name !== 'IOWeight');
    expect(row.join !== undefined).toBe(isList);
  });

  it.each(ROWS)('settles %s once: settled values stay as they are', (name, row) => {
    fc.assert(
      fc.property(VALUES[name], fc.constantFrom(undefined, 252, 255, 256, 258), (value, systemd) => {
        const target = { systemd, pageSize: 4096n };
        const once = row.settle?.(value, target) ?? { value };
        expect(row.settle?.(once.value, target) ?? { value: once.value }).toEqual({ value: once.value });
        expect('note' in once).toBe(once.value !== value);
      }),
    );
  });

  it.each(ON_BUS)('sends %s=%s as %s %s', (name, text, property, type, value) => {
    expect(onBus(name, text)).toEqual([[property, type, value]]);
  });

  it('has a vector of the bus for every row', () => {
    expect(new Set(ON_BUS.map(([name]) => name)).size).toBe(PROPERTIES.length);
    expect(U64_MAX).toBe(U64);
  });

  it.each(['memorymax', 'MemoryMax ', 'Memory', ''])('does not know %j', (name) => {
    expect(refusal(() => property(name)).code).toBe('E_INPUT');
  });
});

/** Texts that cannot be right, with the hint of what is. */
const REFUSED: readonly (readonly [name: LimitName, text: string, hint: RegExp])[] = [
  ['CPUQuota', '0%', /^write at least 0.01%$/],
  ['CPUQuota', '0', /^write 50% for half a CPU/],
  ['CPUQuota', '50', /^write 50% for half a CPU/],
  ['CPUQuota', '0.001%', /^write 50% for half a CPU/],
  ['CPUQuota', '-5%', /^write 50% for half a CPU/],
  ['CPUQuota', '99999999999%', /^write infinity/],
  ['CPUQuotaPeriodSec', '2s', /^write 1ms to 1s$/],
  ['CPUQuotaPeriodSec', '500us', /^write 1ms to 1s$/],
  ['CPUQuotaPeriodSec', 'infinity', /^write seconds or a span/],
  ['CPUWeight', '0', /^write 1 to 10000$/],
  ['CPUWeight', '10001', /^write 1 to 10000$/],
  ['CPUWeight', 'Idle', /^write 1 to 10000$/],
  ['AllowedCPUs', '3-1', /^write 1-3$/],
  ['AllowedCPUs', ',', /^write 0-3,8$/],
  ['AllowedCPUs', '8192', /^write 0-3,8$/],
  ['AllowedMemoryNodes', 'all', /^write 0-3,8$/],
  ['MemoryMax', '1g', /^write 1G: suffixes are upper-case/],
  ['MemoryMax', '150%', /^write at most 100%$/],
  ['MemoryMax', '0', /^write at least 1M, or infinity$/],
  ['MemoryMax', '0%', /^write at least 1M, or infinity$/],
  ['MemoryMax', '4095', /^write at least 1M, or infinity$/],
  ['MemoryHigh', '0', /^write at least 1M, or infinity$/],
  ['MemoryMax', '-1', /^a size cannot be negative/],
  ['MemoryMax', 'max', /^write a number with K M G T P E/],
  ['MemorySwapMax', '1.5.5G', /^write a number with K M G T P E/],
  ['TasksMax', '0', /^write 1 to 4194304$/],
  ['TasksMax', '0%', /^write at least 1$/],
  ['TasksMax', '101%', /^write at most 100%$/],
  ['TasksMax', '1K', /^write 1 to 4194304$/],
  ['TasksMax', '4194305', /^write 1 to 4194304$/],
  ['IOWeight', '0', /^write 1 to 10000$/],
  ['IODeviceWeight', '50', /^write IODeviceWeight="\/dev\/sda 10M"$/],
  ['IOReadBandwidthMax', '/dev/sda', /^write IOReadBandwidthMax="\/dev\/sda 10M"$/],
  ['IOReadBandwidthMax', 'sda 10M', /^write a device such as \/dev\/sda$/],
  ['IOReadBandwidthMax', '/dev/../sda 10M', /^write a device such as \/dev\/sda$/],
  ['IOReadBandwidthMax', '/dev//sda 10M', /^write a device such as \/dev\/sda$/],
  ['IOReadBandwidthMax', '/dev/sda 10m', /^write 10M: suffixes are upper-case/],
  ['IOReadIOPSMax', '/dev/sda 0', /^write at least 1, or infinity$/],
  ['IOWriteIOPSMax', '/dev/sda fast', /powers of 1000/],
  ['IODeviceLatencyTargetSec', '/dev/sda 0', /^write a span such as 25ms$/],
  ['RuntimeMaxSec', '0', /^write a span such as 30s, or infinity$/],
  ['RuntimeMaxSec', '10 lightyears', /^write seconds or a span/],
  ['TimeoutStopSec', '-1', /^write seconds or a span/],
  ['OOMPolicy', 'panic', /^write continue, stop, kill$/],
];

describe('a text that cannot be right', () => {
  it.each(REFUSED)('as %s=%s is refused in one line with a hint', (name, text, hint) => {
    const error = refusal(() => rowNamed(name).parse(text, MACHINE));
    expect(error.code).toBe('E_INPUT');
    expect(error.hint).toMatch(hint);
    expect(error.message).toContain(name);
    expect(error.message).toContain(text === ',' ? '","' : (text.split(' ').at(-1) ?? text));
    expect(error.message).not.toMatch(/\n/);
  });

  it.each(ROWS)('of %s is never anything but a refusal, whatever the text', (_, row) => {
    const words = fc.constantFrom(...' -.,%/"\n', '0', '9', '99999999999999999999', 'K', 'é', '/dev/sda', 'infinity');
    const texts = fc.oneof(
      fc.string({ maxLength: 12 }),
      fc.array(words, { maxLength: 8 }).map((found) => found.join('')),
    );
    fc.assert(
      fc.property(texts, (text) => {
        try {
          row.dbus(row.parse(text, MACHINE));
        } catch (error) {
          expect(error).toMatchObject({ name: 'SlicectlError', code: 'E_INPUT', hint: expect.any(String) });
        }
      }),
      { numRuns: 300 },
    );
  });
});

const ABSENT = toolMissing('systemd-analyze');

describe('the text of limits for systemd-analyze verify on this host', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'slicectl-verify-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  /** systemd's complaints by line number of the settings; it reads the file without a running systemd. */
  function complaints(lines: readonly string[]): Map<number, string> {
    const file = join(folder, 'limits-test.service');
    writeFileSync(file, ['[Service]', 'ExecStart=/bin/true', ...lines, ''].join('\n'));
    const { stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', '--recursive-errors=no', file], {
      encoding: 'utf8',
    });
    const found = [...stderr.matchAll(/limits-test\.service:(\d+): (.*)/g)];
    return new Map(found.map(([, line, text = '']) => [Number(line) - 3, text]));
  }

  const version = Number(
    /\d+/.exec(spawnSync('systemd-analyze', ['--version'], { encoding: 'utf8' }).stdout ?? '')?.[0],
  );
  const known = PROPERTIES.filter((row) => row.since <= version);
  const reason = ABSENT ? `: ${ABSENT}` : '';

  it.skipIf(ABSENT)(`is complained about when it is wrong, so that silence means something${reason}`, () => {
    expect([...complaints(['MemoryMx=1G', 'MemoryMax=1G', 'MemoryMax=1g']).keys()]).toEqual([0, 2]);
  });

  it.skipIf(ABSENT)(`is taken as printed, for any value of any row${reason}`, () => {
    const texts = known.flatMap((row) =>
      fc
        .sample(VALUES[row.name], { numRuns: 40, seed: 7 })
        // A unit file says "no quota" with the empty text; only the bus has UINT64_MAX for it.
        .filter((value) => !(row.name === 'CPUQuota' && value === 'infinity'))
        .map((value) => `${row.name}=${row.print(value)}`),
    );
    const found = complaints(texts);
    expect([...found].map(([line, text]) => `${texts[line]}: ${text}`)).toEqual([]);
  });

  /** slicectl is stricter on purpose: it refuses what systemd reads as something else than the writer meant. */
  const STRICTER = new Set([
    'CPUQuotaPeriodSec=2s',
    'CPUQuotaPeriodSec=500us',
    'CPUQuotaPeriodSec=infinity',
    'AllowedCPUs=,',
    'MemoryMax=4095',
    'TasksMax=0%',
    'TasksMax=4194305',
    'IOReadBandwidthMax=sda 10M',
    'IOReadBandwidthMax=/dev//sda 10M',
    'IODeviceLatencyTargetSec=/dev/sda 0',
    'RuntimeMaxSec=0',
  ]);

  it.skipIf(ABSENT)(`is refused by systemd where the table refuses it${reason}`, () => {
    const texts = REFUSED.filter(([name]) => known.some((row) => row.name === name)).map(
      ([name, text]) => `${name}=${text}`,
    );
    const found = complaints(texts);
    expect(texts.filter((text, line) => !found.has(line) && !STRICTER.has(text))).toEqual([]);
  });
});
