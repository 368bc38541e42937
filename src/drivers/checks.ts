import type { CheckTable } from '../change/plan.ts';
import type { DriverHost } from './model.ts';
import { readers } from './runtimes.ts';

/** What the checks in the plans of all runtimes mean, for those who apply, undo or resume them. */
export function allChecks(host: DriverHost): CheckTable {
  return Object.assign({}, ...readers.map((reader) => reader.checks(host)));
}
