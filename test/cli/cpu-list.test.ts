import { expect, it } from 'vitest';
import { cpuListOf } from '../../src/cli/commands/cpu-list.ts';

it.each([
  ['2-6:1/2', [2, 4, 6]],
  ['6-N', [6, 7]],
  ['all', [0, 1, 2, 3, 4, 5, 6, 7]],
  ['9', [9]],
])('an option has the list %s as the kernel reads it, on a machine of 8 CPUs', (text, cpus) => {
  expect(cpuListOf('--cpus', text, 7)).toEqual(cpus);
});
