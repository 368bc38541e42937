import type { Readable } from 'node:stream';
import { expect, expectTypeOf, it } from 'vitest';
import type { Job, LauncherOptions, LaunchOptions, Receipt } from '../../src/index.ts';
import * as slicectl from '../../src/index.ts';
import { publicSurface } from './surface.ts';

it('exports these values', () => {
  expect(Object.keys(slicectl).sort()).toEqual([
    'Launcher',
    'SlicectlError',
    'VERSION',
    'childSlice',
    'cpuRequestToWeight',
    'escapeUnitText',
    'indexSetFromBytes',
    'indexSetToBytes',
    'launch',
    'limits',
    'parseCpuQuantity',
    'parseIndexSet',
    'parseSize',
    'parseTimespan',
    'printIndexSet',
    'printLimit',
    'printSize',
    'printTimespan',
    'receiptJson',
    'sharesToWeight',
    'sliceLevels',
    'sliceName',
    'slicePath',
    'unitName',
  ]);
});

// A change that is meant: npx vitest run -u test/types
it('offers the types that surface.txt lists', async () => {
  await expect(`${publicSurface()}\n`).toMatchFileSnapshot('surface.txt');
}, 60_000);

it('types launch() by its options and its job', () => {
  expectTypeOf(slicectl.launch).parameters.toEqualTypeOf<
    [command: string, args?: readonly string[], options?: LaunchOptions & LauncherOptions]
  >();
  expectTypeOf(slicectl.launch).returns.resolves.toEqualTypeOf<Job>();
  expectTypeOf<Job['result']>().toEqualTypeOf<Promise<Receipt>>();
  expectTypeOf<Job['stdout']>().toEqualTypeOf<Readable | null>();
  expectTypeOf<Receipt['figures']['memory']['peakBytes']>().toEqualTypeOf<bigint | null>();
});

it('takes a limit as text, number, bigint or list, by names that exist', () => {
  const options = {
    limits: { CPUQuota: '50%', TasksMax: 64, MemoryMax: 2n ** 30n, IOReadBandwidthMax: ['/dev/sda 10M'] },
    signal: AbortSignal.timeout(1000),
    leftover: 'kill',
  } satisfies LaunchOptions;
  expectTypeOf(options).toExtend<LaunchOptions>();
  // @ts-expect-error: no such limit
  ({ limits: { MemoryMaximum: '1G' } }) satisfies LaunchOptions;
  // @ts-expect-error: no such word
  ({ leftover: 'forget' }) satisfies LaunchOptions;
  // @ts-expect-error: results are read only
  (job: Job): void => (job.pid = 1);
});
