import { parseKernelList } from '../../core/cpu-list.ts';
import { type IndexSet, MAX_INDEX } from '../../core/cpuset.ts';

/**
 * The value of an option as the kernel reads lists: `2-6:1/2`, `all`, `N` for the last CPU, which is `last`. What else
 * this machine does not have is refused later, with what it has.
 */
export function cpuListOf(option: string, text: string, last: number): IndexSet {
  return parseKernelList(text, option, /n|all/i.test(text) ? last : MAX_INDEX);
}
