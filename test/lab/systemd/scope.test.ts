import { beforeAll, describe, expect, it } from 'vitest';
import { CONTAINERS, Lab } from './support.ts';

/** Starts many jobs at once by the library and prints one line a job. */
const MANY = `
import { Launcher } from '/opt/slicectl/dist/index.js';
const launcher = await Launcher.open();
const one = async (n) => {
  const job = await launcher.launch('sh', ['-c', 'exit ' + (n % 7)], { stdio: ['ignore', 'ignore', 'ignore'] });
  return job.result;
};
const receipts = await Promise.all(Array.from({ length: 200 }, (_, n) => one(n)));
launcher.close();
const statuses = receipts.map(({ status }, n) => status === n % 7);
const measured = receipts.filter(({ figures }) => figures.cpu.usageUsec > 0n);
console.log(JSON.stringify({ right: statuses.filter(Boolean).length, measured: measured.length, units: new Set(receipts.map(({ unit }) => unit)).size }));
`;

/** Prints a job's figures twice, with the job ended and its group still there. */
const TWICE = `
import { readFileSync } from 'node:fs';
import { Launcher } from '/opt/slicectl/dist/index.js';
const launcher = await Launcher.open();
const job = await launcher.launch('sh', ['-c', 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done']);
const stat = () => Number(/usage_usec (\\d+)/.exec(readFileSync('/sys/fs/cgroup' + job.cgroup + '/cpu.stat', 'utf8'))?.[1]);
const before = stat();
const pid = job.pid;
let last = before;
while (true) {
  try { last = stat(); } catch { break; }
  await new Promise((resolve) => setImmediate(resolve));
}
const { figures } = await job.result;
launcher.close();
console.log(JSON.stringify({ before, last, told: Number(figures.cpu.usageUsec) }));
`;

describe.each(CONTAINERS)('a scope on $name', ({ name, systemd }) => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await Lab.open(name, 'scope');
  });

  it('gives the exit status of its command, and 128+N for a death by signal N', async () => {
    expect((await lab.run(['--', 'sh', '-c', 'exit 7'])).code).toBe(7);
    for (const [signal, status] of [
      ['TERM', 143],
      ['KILL', 137],
      ['SEGV', 139],
      ['HUP', 129],
    ] as const) {
      const { code, receipt } = await lab.receipt(['--', 'sh', '-c', `kill -${signal} $$`]);
      expect([code, receipt.status, receipt.exit.signal]).toEqual([status, status, `SIG${signal}`]);
      expect(receipt.cause).toContain('came from outside of slicectl');
    }
    expect(await lab.leftovers()).toBe('');
  });

  it('lies in a slice of its own and is collected even if it fails', async () => {
    const script =
      'read -r unit </proc/self/cgroup; systemctl show "$1" -p CollectMode,Slice,TasksMax; tail -1 /proc/self/cgroup';
    const { stdout, receipt } = await lab.receipt(['--unit', 'mine', '--', 'sh', '-c', script, 'sh', 'mine.scope']);
    expect(stdout).toContain('CollectMode=inactive-or-failed');
    expect(stdout).toContain('TasksMax=infinity');
    const slice = /^Slice=(system-slicectl_[0-9a-z_]+\.slice)$/m.exec(stdout)?.[1];
    expect(stdout).toContain(`0::/system.slice/${slice}/mine.scope\n`);
    expect(receipt).toMatchObject({ unit: 'mine.scope', cgroup: `/system.slice/${slice}` });
    expect(await lab.leftovers('mine*')).toBe('');
  });

  it('has an OOMPolicy that leaves the job alone, from the systemd on that has one for scopes', async () => {
    const show = 'systemctl show "$(basename "$(tail -1 /proc/self/cgroup)")" -p OOMPolicy';
    const { stdout } = await lab.run(['--', 'sh', '-c', show]);
    expect(stdout).toBe(systemd >= 253 ? 'OOMPolicy=continue\n' : 'OOMPolicy=stop\n');
  });

  it('that lives for an instant has exact CPU figures', async () => {
    const { receipt } = await lab.receipt(['--', 'true']);
    expect(receipt.cpu.usageUsec).toBeGreaterThan(0);
    // One exec and exit of a small program: far from the cost of Node, which is not in the group.
    expect(receipt.cpu.usageUsec).toBeLessThan(100_000);
  });

  it('is measured to its end, beyond what could be read while it ran', async () => {
    const { before, last, told } = JSON.parse(
      await lab.out(`cat >/tmp/twice.mjs <<'END'\n${TWICE}\nEND\nnode /tmp/twice.mjs`),
    ) as { before: number; last: number; told: number };
    expect(last).toBeGreaterThan(before);
    // The last look at the file came before the end of the last process.
    expect(told).toBeGreaterThanOrEqual(last);
    expect(await lab.leftovers()).toBe('');
  });

  it('leaves nothing after fifty in a row', async () => {
    const script =
      'i=0; while [ $i -lt 50 ]; do i=$((i+1)); slicectl run --receipt json -- false && exit 9; done 2>/tmp/50; grep -c usageUsec /tmp/50';
    expect(await lab.out(script)).toBe('50');
    expect(await lab.leftovers()).toBe('');
  });

  it('is one of 200 at once over one connection, each with its own status and receipt', async () => {
    const text = await lab.out(`cat >/tmp/many.mjs <<'END'\n${MANY}\nEND\nnode /tmp/many.mjs`);
    expect(JSON.parse(text)).toEqual({ right: 200, measured: 200, units: 200 });
    expect(await lab.leftovers()).toBe('');
  });

  it('that is stopped from outside says so and ends with 143', async () => {
    const job = lab.receipt(['--unit', 'stopped', '--', 'sleep', '1000']);
    await lab.until('systemctl is-active stopped.scope');
    await lab.out('systemctl stop stopped.scope');
    const { code, receipt } = await job;
    expect(code).toBe(143);
    expect(receipt.cause).toBe('killed by SIGTERM (15), which came from outside of slicectl');
    expect(await lab.leftovers('stopped*')).toBe('');
  });

  it('that is frozen by hand waits, goes on when it is thawed, and loses nothing', async () => {
    const job = lab.receipt([
      '--unit',
      'cold',
      '--',
      'sh',
      '-c',
      'while [ ! -e /tmp/go-on ]; do sleep 0.05; done; exit 5',
    ]);
    await lab.until('systemctl is-active cold.scope');
    await lab.out('systemctl freeze cold.scope; touch /tmp/go-on');
    expect(await lab.show('cold.scope', 'FreezerState')).toEqual({ FreezerState: 'frozen' });
    await lab.out('systemctl thaw cold.scope');
    const { code, receipt } = await job;
    expect([code, receipt.cause]).toEqual([5, 'exited with status 5']);
    await lab.out('rm /tmp/go-on');
    expect(await lab.leftovers('cold*')).toBe('');
  });

  it('that is killed while it is frozen dies', async () => {
    const script = `
import { Launcher } from '/opt/slicectl/dist/index.js';
const launcher = await Launcher.open();
const job = await launcher.launch('sleep', ['1000']);
await job.freeze();
await job.kill('SIGKILL');
console.log((await job.result).status);
launcher.close();`;
    expect(await lab.out(`cat >/tmp/frozen.mjs <<'END'\n${script}\nEND\nnode /tmp/frozen.mjs`)).toBe('137');
    expect(await lab.leftovers()).toBe('');
  });

  it('has ended at its RuntimeMaxSec with that as its cause', async () => {
    const { code, receipt } = await lab.receipt(['-p', 'RuntimeMaxSec=1', '--', 'sleep', '1000']);
    expect([code, receipt.cause]).toEqual([143, 'ended by RuntimeMaxSec=1s']);
    expect(await lab.leftovers()).toBe('');
  });
});
