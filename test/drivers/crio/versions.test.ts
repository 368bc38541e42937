import { describe, expect, it } from 'vitest';
import { type Monitors, pairFault, rulesOf } from '../../../src/drivers/crio/versions.ts';

const monitors = (common?: string, own: Record<string, string | undefined> = {}): Monitors => ({
  common,
  own: new Map(Object.entries(own)),
  definesDefault: 'crun' in own,
});
const starts = (version: string | undefined, manager: 'systemd' | 'cgroupfs', pair: Monitors) =>
  pairFault(rulesOf(version), manager, pair) === undefined;

describe('a manager and the group of conmon, as each version compares them', () => {
  it.each([
    // Nothing set: the group is system.slice.
    ['1.18.0', 'cgroupfs', monitors(), true],
    ['1.19.0', 'cgroupfs', monitors(), false],
    ['1.23.0', 'cgroupfs', monitors(), false],
    ['1.24.0', 'cgroupfs', monitors(), false],
    ['1.32.13', 'cgroupfs', monitors(), false],
    ['1.33.0', 'cgroupfs', monitors(), true],
    ['1.22.0', 'systemd', monitors(), true],
    ['1.34.0', 'systemd', monitors(), true],
    // Empty.
    ['1.22.0', 'cgroupfs', monitors(''), false],
    ['1.22.0', 'systemd', monitors(''), false],
    ['1.30.0', 'systemd', monitors(''), true],
    ['1.24.0', 'cgroupfs', monitors(undefined, { crun: undefined }), true],
    ['1.26.0', 'cgroupfs', monitors(undefined, { crun: undefined }), false],
    ['1.33.0', 'cgroupfs', monitors(undefined, { crun: undefined }), true],
    // One runtime that has another group than the rest.
    ['1.34.0', 'cgroupfs', monitors(undefined, { kata: 'kata.slice' }), false],
    ['1.34.0', 'cgroupfs', monitors('pod', { kata: 'kata.slice' }), true],
    ['1.34.0', 'systemd', monitors(undefined, { kata: '/kata' }), false],
    // A group that goes with no manager, and one that goes with systemd only.
    ['1.18.0', 'cgroupfs', monitors('/conmon'), false],
    ['1.34.0', 'cgroupfs', monitors('machine.slice'), false],
    ['1.34.0', 'systemd', monitors('machine.slice'), true],
    ['1.34.0', 'systemd', monitors('/conmon'), false],
    [undefined, 'cgroupfs', monitors(), true],
  ] as const)('%s with %s and %j starts: %s', (version, manager, pair, answer) =>
    expect(starts(version, manager, pair)).toBe(answer));

  it.each([
    '1.16.1',
    '1.19.0',
    '1.22.0',
    '1.24.0',
    '1.26.0',
    '1.32.0',
    '1.33.0',
    '1.36.0',
  ])('pod goes with both in %s', (version) => {
    expect(starts(version, 'systemd', monitors('pod', { kata: '' }))).toBe(true);
    expect(starts(version, 'cgroupfs', monitors('pod', { kata: '' }))).toBe(true);
  });
});
