import process from 'node:process';
import { parseIndexSet, printIndexSet } from '../../src/core/cpuset.ts';
import { takeLease } from '../../src/cpus/lease/lease.ts';
import { HOST } from '../../src/host/paths.ts';
import { GUEST_8, topologyOf } from '../cpus/fake-host.ts';

// A program of the tests: `lease-taker.js FOLDER TIMES` takes one core of four, TIMES times, each time until it got one,
// and lets go of it again. Prints `take CPUS` and `give CPUS`, each as it happens, and stays until its input ends.
const [folder = '', times = '1', keep = ''] = process.argv.slice(2);
const topology = topologyOf(GUEST_8);
const store = { folder, paths: HOST, uid: process.getuid?.() ?? 0, world: 'machine', above: undefined } as const;
const ground = {
  topology,
  readReservations: () => [],
  interrupts: new Map<number, number>(),
  open: parseIndexSet('0-7', 'open'),
  place: '/system.slice',
};
const say = (line: string): boolean => process.stdout.write(`${line}\n`);

for (let at = 0; at < Number(times); at += 1) {
  try {
    const request = { cores: 1, node: undefined, reservation: undefined };
    const lease = await takeLease(store, ground, request, 'taker');
    say(`take ${printIndexSet(lease.cpus)}`);
    if (keep === 'keep') continue;
    say(`give ${printIndexSet(lease.cpus)}`);
    lease.release();
  } catch (error) {
    say(`refused ${(error as { code?: string }).code}`);
  }
}
if (keep === 'keep') process.stdin.resume();
