import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chosen } from '../chosen.ts';
import { bundle } from './bundle.ts';
import type { Sets } from './kill-look.ts';
import type { Alone, Chain, Killed, KillOrder, Prepare, Prepared } from './kill-program.ts';
import { CpuLab } from './support.ts';

const MACHINES = ['v2-262', 'v2-257', 'v2-252'].filter((name, at) => chosen?.includes(name) ?? at === 0);

const isAsked = chosen !== undefined;

const SETS: Sets = { all: '0-3', system: '0-1', payload: '2-3' };
const RESERVE = ['cpus', 'reserve', '--cpus', SETS.payload, '--for', 'payload.slice', '--yes'];
const LIMIT_MS = 3_600_000;

/**
 * Work of each kind that is there before: in slices, in the root slice, and in a group that systemd did not make. And the
 * lock of leases, which the first job that asks for cores leaves in /run, and any reservation.
 */
const WORK = `slicectl run --quiet --exclusive 1 -- true
  service() { systemd-run --quiet --slice=$1 --unit=$2 sleep infinity; }
  service early.slice early; service system-deep.slice deep; service user.slice person; service -.slice loose
  mkdir /sys/fs/cgroup/foreign
  setsid sleep infinity >/dev/null 2>&1 </dev/null & echo $! >/sys/fs/cgroup/foreign/cgroup.procs`;

describe.each(MACHINES)('a reservation whose process is killed on %s', (name) => {
  const folder = mkdtempSync(join(tmpdir(), 'slicectl-kill-'));
  let lab: CpuLab;

  const run = async <T>(order: KillOrder): Promise<T> => {
    const input = JSON.stringify(order);
    const { code, stdout, stderr } = await lab.sh('node /root/kill-program.mjs', { input, timeoutMs: LIMIT_MS });
    if (code !== 0) throw new Error(`status ${code} of ${input}\n${stdout}${stderr}`);
    return JSON.parse(stdout) as T;
  };
  const prepare = (order: Omit<Prepare, 'what'>) => run<Prepared>({ what: 'prepare', ...order });
  const alone = (order: Omit<Alone, 'what'>) => run<Killed>({ what: 'alone', ...order });

  /**
   * Killed at each step, and through in the end. An emulated machine takes ten seconds for one: so a run of everything
   * kills what goes forward at each second step, and what goes back at the others.
   */
  const expectThrough = async (order: Omit<Chain, 'what' | 'steps'>): Promise<void> => {
    const steps = isAsked ? 'all' : order.way === 'undo' ? 'even' : 'odd';
    const { ends, faults } = await run<Killed>({ what: 'chain', steps, ...order });
    expect(faults, ends.join()).toEqual([]);
    expect(ends.at(-1)).toBe(order.way === 'undo' ? 'undone' : 'applied');
    expect(ends.slice(0, -1).filter((end) => !end.startsWith('killed'))).toEqual([]);
    expect(ends.length).toBeGreaterThan(4);
  };

  beforeAll(async () => {
    lab = await CpuLab.open(name, 'kill');
    for (const program of ['kill-program', 'kill-child'])
      await lab.push(await bundle(program, folder), `/root/${program}.mjs`);
    await lab.out(WORK);
  });

  afterAll(async () => {
    rmSync(folder, { recursive: true });
    await lab?.down();
  });

  describe('with interrupts, workers and kernel threads', () => {
    let steps: Prepared['steps'];

    it('is whole where nothing is killed, and not as before', async () => {
      const prepared = await prepare({ sets: SETS, isFull: true, runtime: false });
      expect(prepared.faults).toEqual([]);
      const changes = prepared.changes.join('\n');
      for (const what of [
        'file /etc/slicectl/reservations/payload.slice.conf',
        'user /system.slice/system-deep.slice/deep.service sleep: CPUs 0,1',
        'user /loose.service sleep: CPUs 0,1',
        'user /foreign sleep: CPUs 0,1',
        'movable / kthreadd: CPUs 0,1',
        "group /payload.slice: cpuset.cpus '2-3', effective 2-3",
        'early.slice: AllowedCPUs=0-1',
        'payload.slice: AllowedCPUs=2-3',
        'kernel /proc/irq/default_smp_affinity: 3, not f',
        'kernel /sys/devices/virtual/workqueue/cpumask: 3, not f',
      ]) {
        expect(changes).toContain(what);
      }
      steps = prepared.steps;
      const kinds = new Set(steps.reserve.map(({ kind }) => kind));
      expect(kinds).toEqual(new Set(['file', 'reload', 'action', 'check']));
    });

    it(
      'is gone when its release was killed in the middle of each step and resumed',
      async () => {
        await expectThrough({ plan: 'release', way: 'resume', when: 'within' });
      },
      LIMIT_MS,
    );

    it(
      'is whole again when the undo of that was killed after each step',
      async () => {
        await expectThrough({ plan: 'release', way: 'undo', when: 'carried' });
      },
      LIMIT_MS,
    );

    it(
      'is gone when its own undo was killed in the middle of each step',
      async () => {
        await expectThrough({ plan: 'reserve', way: 'undo', when: 'within' });
      },
      LIMIT_MS,
    );

    it(
      'keeps another one from beginning, which says what to do, and goes back by the command',
      async () => {
        const step = steps.reserve.findIndex(({ does }) => does.startsWith('confine user.slice')) + 1;
        const { ends } = await run<Killed>({ what: 'kill', plan: 'reserve', step, when: 'within' });
        expect(ends).toEqual(['killed within']);
        const other = await lab.slicectl(RESERVE);
        expect(other.code, other.stdout).not.toBe(0);
        expect(other.stderr).toMatch(
          /\(reserve payload CPUs 2-3 for payload\.slice\) was interrupted at step \d+, confine user\.slice/,
        );
        expect(other.stderr).toMatch(/take it back with slicectl undo \S+, or finish it with slicectl resume/);
        expect((await lab.done('undo', '--yes')).stdout).toContain('is undone');
        expect((await run<Killed>({ what: 'judge', isWhole: false })).faults).toEqual([]);
      },
      LIMIT_MS,
    );

    it.runIf(isAsked)(
      'is whole when it was killed after each step and resumed, and goes back',
      async () => {
        await expectThrough({ plan: 'reserve', way: 'resume', when: 'carried' });
        await expectThrough({ plan: 'reserve', way: 'undo', when: 'begin' });
      },
      LIMIT_MS,
    );

    it.runIf(isAsked)(
      'goes back or is finished after a kill before each single step',
      async () => {
        for (const [at, { does }] of steps.reserve.entries()) {
          const { faults } = await alone({
            plan: 'reserve',
            step: at + 1,
            when: 'begin',
            way: at % 2 ? 'resume' : 'undo',
          });
          expect(faults, does).toEqual([]);
        }
      },
      LIMIT_MS,
    );
  });

  it.runIf(isAsked)(
    'is whole or gone as a partition until reboot, too',
    async () => {
      const sets: Sets = { ...SETS, partition: 'root' };
      // On 6.12 a kernel thread that had fewer CPUs has all after a partition, killed or not: so there was one before.
      await prepare({ sets, isFull: false, runtime: true });
      await lab.done('undo', '--yes');
      const prepared = await prepare({ sets, isFull: false, runtime: true });
      expect(prepared.faults).toEqual([]);
      expect(prepared.changes.join('\n')).toContain("/payload.slice: cpuset.cpus '2-3', effective 2-3, root");
      await expectThrough({ plan: 'release', way: 'resume', when: 'within' });
      await expectThrough({ plan: 'release', way: 'undo', when: 'within' });
      await expectThrough({ plan: 'reserve', way: 'undo', when: 'within' });
      await expectThrough({ plan: 'reserve', way: 'resume', when: 'carried' });
      await expectThrough({ plan: 'reserve', way: 'undo', when: 'carried' });
    },
    LIMIT_MS,
  );
});
