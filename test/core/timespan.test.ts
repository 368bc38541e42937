import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseTimespan, printTimespan } from '../../src/core/timespan.ts';
import { refusal, toolMissing } from './support.ts';

/** Answers of `systemd-analyze timespan` (systemd 252), in microseconds. */
const SYSTEMD: readonly (readonly [text: string, span: bigint])[] = [
  ['90', 90_000_000n],
  ['0', 0n],
  ['1.5h', 5_400_000_000n],
  ['1min 30s', 90_000_000n],
  ['1m30', 90_000_000n],
  ['1h1', 3_601_000_000n],
  ['1 2', 3_000_000n],
  ['500ms', 500_000n],
  ['500 ms', 500_000n],
  ['1.5us', 1n],
  ['3µs', 3n],
  ['3μs', 3n],
  ['1M', 2_629_800_000_000n],
  ['2 M', 5_259_600_000_000n],
  ['1y 2month', 36_817_200_000_000n],
  ['1.25d 3', 108_003_000_000n],
  ['2hr 3weeks 1minutes', 1_821_660_000_000n],
];

const ABSENT = toolMissing('systemd-analyze');

describe('a time span', () => {
  it.each(SYSTEMD)('%j is %i µs, as for systemd', (text, span) => {
    expect(parseTimespan(text, 'RuntimeMaxSec')).toBe(span);
  });

  it.skipIf(ABSENT)(`is what systemd-analyze on this host reads${ABSENT ? `: ${ABSENT}` : ''}`, () => {
    for (const [text, span] of SYSTEMD) {
      const { stdout } = spawnSync('systemd-analyze', ['timespan', text], {
        encoding: 'utf8',
        env: { PATH: process.env.PATH, LC_ALL: 'C.UTF-8' },
      });
      expect({ text, micro: /s: (\d+)$/m.exec(stdout)?.[1] }).toEqual({ text, micro: `${span}` });
    }
  });

  it('comes back from its printed form', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 1n << 62n), (span) => {
        expect(parseTimespan(printTimespan(span), 'x')).toBe(span);
      }),
    );
  });

  it.skipIf(ABSENT)(`is printed so that systemd reads the same${ABSENT ? `: ${ABSENT}` : ''}`, () => {
    for (const span of [1n, 999n, 1001n, 61_000_001n, 3_600_000_000n, 90_061_001_001n, 999_999_999_999n]) {
      const { stdout } = spawnSync('systemd-analyze', ['timespan', printTimespan(span)], { encoding: 'utf8' });
      expect(/s: (\d+)$/m.exec(stdout)?.[1]).toBe(`${span}`);
    }
  });

  it.each([
    [90_000_000n, '1min 30s'],
    [0n, '0'],
    [1_500n, '1ms 500us'],
    ['infinity', 'infinity'],
  ] as const)('of %s prints as %s', (span, text) => {
    expect(printTimespan(span)).toBe(text);
  });

  it.each(['', 'soon', '12.34.56', '-5', '5 -3', '1,5s', '5!', 'infinity', '1e3'])('%j is refused', (text) => {
    const error = refusal(() => parseTimespan(text, 'RuntimeMaxSec'));
    expect(error).toMatchObject({ code: 'E_INPUT', hint: 'write seconds or a span such as 30s, 1min 30s or 500ms' });
    expect(error.message).toContain(`RuntimeMaxSec=${JSON.stringify(text)}`);
  });

  it.each(['5 lightyears', '5constructor', '5S', '3 Min'])('%j is refused for its unit', (text) => {
    expect(refusal(() => parseTimespan(text, 'RuntimeMaxSec')).message).toContain('is not a unit of time');
  });

  it('that no 64-bit count of microseconds holds is refused', () => {
    expect(refusal(() => parseTimespan('600000y', 'RuntimeMaxSec')).hint).toBe('write infinity');
  });

  it('is read in linear time, however long the nonsense', () => {
    const before = performance.now();
    expect(refusal(() => parseTimespan(`${'1'.repeat(50_000)}!`, 'x')).code).toBe('E_INPUT');
    expect(performance.now() - before).toBeLessThan(1000);
  });
});
