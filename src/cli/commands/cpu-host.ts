import { resolve } from 'node:path';
import process from 'node:process';
import type { Asker } from '../../cpus/refusals.ts';
import type { CpuHost } from '../../cpus/show.ts';
import type { DriverHost } from '../../drivers/model.ts';
import { HOST } from '../../host/paths.ts';

/** The host as reservations look at it. */
export function cpuHostOf({ tree, live, self }: DriverHost): CpuHost & Asker {
  return { paths: HOST, tree, system: live?.system, program: thisProgram(), uid: self.uid };
}

/** The words that start this program again, from any folder and with any PATH; for units. */
function thisProgram(): readonly string[] {
  const [, file = ''] = process.argv;
  return [process.execPath, ...process.execArgv, resolve(file)];
}
