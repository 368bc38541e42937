import { expect, it } from 'vitest';
import { HOST } from '../../src/host/paths.ts';
import { readTasks } from '../../src/host/tasks.ts';
import { FakeHost } from './fake-host.ts';
import { taskFiles } from './task-files.ts';

const KTHREAD = 0x0020_0000;
const NO_SETAFFINITY = 0x0400_0000;

it('reads a task by its files', () => {
  using host = new FakeHost();
  const cgroup = '0::/system.slice/a.service\n';
  host.write(
    taskFiles(12, 12, { name: 'a) (b', allowed: '2-3,8191', cpu: 3, cgroup, involuntary: 77, startTicks: 4711 }),
  );
  expect(readTasks(host.paths)).toEqual([
    {
      tid: 12,
      pid: 12,
      startTicks: 4711n,
      name: 'a) (b',
      kind: 'user',
      state: 'S',
      cgroup: '/system.slice/a.service',
      cpusetV1: undefined,
      allowed: [2, 3, 8191],
      cpu: 3,
      involuntary: 77n,
      noSetAffinity: false,
    },
  ]);
});

it.each([
  ['a process', 0, '3', 'user'],
  ['an I/O worker of a process', NO_SETAFFINITY, '3', 'user'],
  ['kauditd', KTHREAD, '0-7', 'movable'],
  ['an interrupt thread on one CPU', KTHREAD, '3', 'movable'],
  ['kworker/u16:0', KTHREAD | NO_SETAFFINITY, '0-7', 'fixed'],
  ['ksoftirqd/3', KTHREAD | NO_SETAFFINITY, '3', 'per-cpu'],
])('%s with flags %i on %s is %s', (name, flags, allowed, kind) => {
  using host = new FakeHost();
  host.write(taskFiles(9, 9, { name, flags, allowed }));
  expect(readTasks(host.paths)[0]).toMatchObject({ kind, noSetAffinity: (flags & NO_SETAFFINITY) !== 0 });
});

it('has the threads of a process each in its own group', () => {
  using host = new FakeHost();
  host.write({
    ...taskFiles(5, 5, { cgroup: '0::/machine.slice/vm.scope/emulator\n' }),
    ...taskFiles(5, 6, { cgroup: '0::/machine.slice/vm.scope/vcpu0\n', allowed: '4' }),
  });
  expect(readTasks(host.paths).map(({ tid, pid, cgroup }) => [tid, pid, cgroup])).toEqual([
    [5, 5, '/machine.slice/vm.scope/emulator'],
    [6, 5, '/machine.slice/vm.scope/vcpu0'],
  ]);
});

it.each([
  ['0::/a.slice\n', '/a.slice', undefined],
  ['0::/a.slice\n3:cpuset:/b\n', '/a.slice', '/b'],
  ['3:cpu,cpuset:/b\n1:name=systemd:/s\n0::/\n', '/s', '/b'],
  ['3:cpuset:/b\n1:name=systemd:/\n0::/\n', '/b', '/b'],
  ['0::/\n', '/', undefined],
  ['0::/a:b.slice\n', '/a:b.slice', undefined],
  ['3:cpuset:/\n', '/', '/'],
])('finds the groups of %j', (text, cgroup, cpusetV1) => {
  using host = new FakeHost();
  host.write(taskFiles(5, 5, { cgroup: text }));
  expect(readTasks(host.paths)[0]).toMatchObject({ cgroup, cpusetV1 });
});

it('leaves out a task that ended between two reads, and what is no task', () => {
  using host = new FakeHost();
  host.write({ ...taskFiles(5, 5, {}), 'proc/6/task/6/stat': '', 'proc/7/cgroup': '', 'proc/cpuinfo': '' });
  expect(readTasks(host.paths).map(({ tid }) => tid)).toEqual([5]);
});

it('of this machine finds this process on CPUs that it may use', () => {
  const self = readTasks(HOST).find(({ tid }) => tid === process.pid);
  expect(self).toMatchObject({ kind: 'user', pid: process.pid });
  expect(self?.allowed).toContain(self?.cpu);
});
