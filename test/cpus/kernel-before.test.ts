import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  KERNEL_BEFORE_PATH,
  kernelBeforeText,
  NOTHING_BEFORE,
  parseKernelBefore,
  readKernelBefore,
} from '../../src/cpus/kernel-before.ts';
import { RootTree } from '../../src/host/root-tree.ts';
import { FakeHost } from './fake-host.ts';
import { set } from './ground.ts';

const BEFORE = {
  interrupts: [{ id: '24', of: 'PCI-MSIX-0000:00:02.0 1-edge', cpus: set('4-7') }],
  workqueues: [],
  kernelThreads: [{ id: '61', of: 'kswapd1', cpus: set('4-7') }],
};

describe('what was there before', () => {
  it('has a line for each that was moved', () => {
    expect(kernelBeforeText(BEFORE)).toBe(`{
 "interrupts": [
  {"id":"24","of":"PCI-MSIX-0000:00:02.0 1-edge","cpus":"4-7"}],
 "workqueues": [],
 "kernelThreads": [
  {"id":"61","of":"kswapd1","cpus":"4-7"}]
}
`);
  });

  it('is read as it was written', () => {
    const former = fc.record({
      id: fc.string(),
      of: fc.string({ unit: 'binary' }),
      cpus: fc.subarray([...set('0-40')], { minLength: 1 }),
    });
    const some = fc.array(former, { minLength: 1 });
    fc.assert(
      fc.property(fc.record({ interrupts: some, workqueues: some, kernelThreads: some }), (before) => {
        expect(parseKernelBefore(kernelBeforeText(before) ?? '')).toEqual(before);
      }),
    );
  });

  it('is no file where nothing was moved, and nothing where there is no file', () => {
    using host = new FakeHost();
    expect(kernelBeforeText(NOTHING_BEFORE)).toBeNull();
    expect(readKernelBefore(new RootTree(host.root))).toEqual(NOTHING_BEFORE);
  });

  it.each([
    ['', 'it is no JSON'],
    ['[]', 'it is no object'],
    ['{"irqs": []}', 'this slicectl does not know "irqs"'],
    ['{"interrupts": {}}', 'interrupts is no list'],
    ['{"interrupts": [7]}', 'what is in interrupts is no object'],
    ['{"workqueues": [{"id": "cpumask", "cpus": "0"}]}', 'an entry of workqueues lacks id, of or cpus'],
    ['{"workqueues": [{"id": "cpumask", "of": "", "cpus": ""}]}', 'workqueues "cpumask" names no CPU'],
    ['{"workqueues": [{"id": "cpumask", "of": "", "cpus": "9-1"}]}', 'runs backwards'],
  ])('is refused with a way out where it says %j', (text, why) => {
    using host = new FakeHost().write({ [KERNEL_BEFORE_PATH]: text });
    const read = () => readKernelBefore(new RootTree(host.root));
    expect(read).toThrow(why);
    expect(read).toThrow(expect.objectContaining({ code: 'E_SYNTAX', data: { path: KERNEL_BEFORE_PATH } }));
  });
});
