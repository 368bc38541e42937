import { describe, expect, it } from 'vitest';
import { tidyUnit } from '../../../src/cpus/hold/leftovers.ts';
import { RootTree } from '../../../src/host/root-tree.ts';
import { FakeHost } from '../fake-host.ts';

const PATH = '/run/systemd/system.control/late.slice.d/50-AllowedCPUs.conf';
const text = (cpus: string): string => `[Slice]\nAllowedCPUs=\nAllowedCPUs=${cpus}\n`;
const tidying = { name: 'AllowedCPUs', sets: [[0, 1], [], [0, 1, 2, 3]] } as const;

describe("systemd's own drop-in of a slice that a killed step left", () => {
  const left = (now: string, known: Readonly<Record<string, string>> = {}): string | undefined => {
    using host = new FakeHost().write({ [PATH.slice(1)]: now });
    const tree = new RootTree(host.root);
    tidyUnit(tree, 'late.slice', known, tidying);
    return tree.text(PATH);
  };

  it('goes where there was none', () => {
    expect(left(text('0-3'))).toBeUndefined();
    expect(left(text('0-1'))).toBeUndefined();
  });

  it('becomes what it was', () => {
    expect(left(text('0-3'), { [PATH]: text('1') })).toBe(text('1'));
  });

  it('stays where it was there before the step, or says what the step did not set', () => {
    expect(left(text('0-3'), { [PATH]: text('0-3') })).toBe(text('0-3'));
    expect(left(text('2'))).toBe(text('2'));
  });
});
