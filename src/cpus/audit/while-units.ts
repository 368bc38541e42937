import type { Finding } from '../finding.ts';
import type { ReservationRecord } from '../model.ts';
import { recordPath } from '../record.ts';
import { listText } from '../roles.ts';
import type { CpuHost } from '../show.ts';
import { type WatcherState, type WhileState, watcherState, whileService, whileState } from '../while-unit.ts';

/** A reservation that is to end with a unit, how that unit stands, and who would release it. */
export interface WhileLook {
  readonly record: ReservationRecord;
  readonly unit: string;
  readonly state: WhileState;
  readonly watcher: WatcherState;
}

/** None where systemd does not answer: that is a finding of its own. */
export async function lookAtWhileUnits(
  { system: link, tree }: Pick<CpuHost, 'system' | 'tree'>,
  records: readonly ReservationRecord[],
): Promise<readonly WhileLook[]> {
  if (link === undefined) return [];
  const looks: WhileLook[] = [];
  for (const record of records) {
    const { name, whileUnit: unit } = record;
    if (unit === undefined) continue;
    const state = await whileState(link, unit);
    const watcher = await watcherState(link, name);
    // What was released while this was asked is no reservation any more.
    if (tree.text(recordPath(record)) !== undefined) looks.push({ record, unit, state, watcher });
  }
  return looks;
}

/** Whether it is over and nobody is about to release it. A machine that stops takes all of it. */
export function isLeftOver({ state, watcher }: WhileLook): boolean {
  return state === 'ended' && watcher !== 'releases';
}

/** Whether nobody would see its end. */
export function isUnwatched({ state, watcher }: WhileLook): boolean {
  return state === 'runs' && watcher === 'stopped';
}

export function whileFindings(looks: readonly WhileLook[]): Finding[] {
  return looks.flatMap((look): Finding[] => {
    const { record, unit } = look;
    const { name, cpus } = record;
    const service = whileService(name);
    const base = { severity: 'drift', subject: name, isFixable: true } as const;
    if (isLeftOver(look)) {
      return [
        {
          ...base,
          kind: 'while-unit-ended',
          what: `${unit} has ended, with which ${name} was to be released, and payload CPUs ${listText(cpus)} are still reserved`,
          cause: `nothing released it: ${service} was stopped or killed, or a change that was interrupted was in its way`,
          cure: `slicectl cpus release ${name}`,
        },
      ];
    }
    if (!isUnwatched(look)) return [];
    return [
      {
        ...base,
        kind: 'while-unit-unwatched',
        what: `${unit} runs, and nothing will release ${name} when it ends`,
        cause: `${service}, which does that, does not run: somebody stopped or killed it`,
        cure: 'slicectl cpus audit --fix',
      },
    ];
  });
}
