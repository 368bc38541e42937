import { type Amount, type Machine, parseShareOf, parseSize, parseWhole } from '../quantity.ts';
import { amountFile, amountProperty } from './forms.ts';
import { asRow, type Row } from './row.ts';

function parseTasks(text: string, machine: Machine): Amount {
  if (text.trim() === 'infinity') return 'infinity';
  const share = parseShareOf(text, machine.tasks, 'TasksMax');
  if (share !== undefined) return share < 1n ? 1n : share;
  const suffixed = /[KMGTPE]$/.test(text.trim());
  return suffixed ? parseSize(text, 1024, 'TasksMax') : parseWhole(text, 1n, 4_194_304n, 'TasksMax');
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
