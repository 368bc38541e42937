import { badInput } from '../errors.ts';
import { type Amount, type Machine, parsePermyriad, parseShareOf, parseWhole } from '../quantity.ts';
import { amountFile, amountProperty } from './forms.ts';
import { asRow, type Row } from './row.ts';

/** PID_MAX_LIMIT of 64-bit kernels; pids.max refuses more. */
const MOST = 4_194_304n;

function parseTasks(text: string, machine: Machine): Amount {
  if (text.trim() === 'infinity') return 'infinity';
  if (parsePermyriad(text) === 0n) throw badInput('TasksMax=0% leaves the job no task at all', 'write at least 1');
  const share = parseShareOf(text, machine.tasks, 'TasksMax');
  if (share !== undefined) return share < 1n ? 1n : share;
  return parseWhole(text, 1n, MOST, 'TasksMax');
}

const tasksMax: Row<Amount> = {
  name: 'TasksMax',
  summary: 'Processes and threads that the job can have at once',
  unit: 'tasks',
  scope: 'group',
  since: 227,
  example: '64',
  flags: [{ name: '--tasks', placeholder: '<n>', help: 'processes and threads: 64, 10%', parse: parseTasks }],
  ignored: ['where the pids controller is not enabled for the group'],
  parse: parseTasks,
  print: (value) => `${value}`,
  dbus: amountProperty('TasksMax'),
  v2: amountFile('pids', 'pids.max'),
  v1: amountFile('pids', 'pids.max'),
  ancestors: 'smallest',
};

export const tasksRows: readonly Row[] = [asRow(tasksMax)];
