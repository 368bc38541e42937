import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SlicectlError } from '../../../src/core/errors.ts';
import { readGroupTree } from '../../../src/cpus/groups.ts';
import { cpuChecks } from '../../../src/cpus/hold/checks.ts';
import { differing, isOurs } from '../../../src/cpus/hold/force.ts';
import { ghosts } from '../../../src/cpus/hold/ghosts.ts';
import { kernelAction } from '../../../src/cpus/hold/kernel.ts';
import { tasksBelow } from '../../../src/cpus/hold/masks.ts';
import { leakedCpus } from '../../../src/cpus/hold/partition.ts';
import { ownSet } from '../../../src/cpus/hold/sweep.ts';
import { readOwnDropIns, restoreOwnDropIns, setInFiles } from '../../../src/cpus/hold/written.ts';
import { LASTING, UNTIL_REBOOT } from '../../../src/cpus/own-files.ts';
import { readUnmoved, UNMOVED_PATH } from '../../../src/cpus/unmoved.ts';
import { parseKernelLine, readKernelLine } from '../../../src/host/kernel-line.ts';
import { RootTree } from '../../../src/host/root-tree.ts';
import { readTasks } from '../../../src/host/tasks.ts';
import { readTopology } from '../../../src/host/topology.ts';
import { FakeHost, GUEST_8 } from '../fake-host.ts';
import { taskFiles, threadLists } from '../task-files.ts';

const set = (text: string, section = 'Slice'): string => `[${section}]\nAllowedCPUs=\nAllowedCPUs=${text}\n`;

/** A v2 host of 8 CPUs, whose groups have the files given. */
function host(files: Readonly<Record<string, string>> = {}): FakeHost {
  const fake = new FakeHost().machine(GUEST_8);
  const mount = `${fake.root}/sys/fs/cgroup`;
  return fake.write({
    'proc/self/mountinfo': `30 1 0:26 / ${mount} rw - cgroup2 cgroup2 rw\n`,
    'proc/cmdline': 'quiet\n',
    'sys/fs/cgroup/cpuset.cpus.effective': '0-7\n',
    ...threadLists(files),
    ...files,
  });
}

const fromRoot = (files: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(files).map(([path, text]) => [path.slice(1), text]));

describe('the set that files give a unit', () => {
  it('is that of the drop-in for all slices, which one of the slice itself with the same name replaces', () => {
    using fake = host({
      'etc/systemd/system/slice.d/60.conf': set('0-3'),
      'run/systemd/system/pay.slice.d/60.conf': set('4-7'),
    });
    const tree = new RootTree(fake.root);
    expect(setInFiles(tree, 'later.slice', 'AllowedCPUs')).toEqual([0, 1, 2, 3]);
    expect(setInFiles(tree, 'pay.slice', 'AllowedCPUs')).toEqual([4, 5, 6, 7]);
  });

  it('adds up without an empty assignment, and leaves out what systemd cannot read', () => {
    using fake = host({
      'etc/systemd/system/a.slice.d/10.conf': '[Slice]\nAllowedCPUs=0-1\nAllowedCPUs=x\n',
      'etc/systemd/system/a.slice.d/20.conf': '[Slice]\nAllowedCPUs=4\n[Install]\nAllowedCPUs=7\n',
    });
    expect(setInFiles(new RootTree(fake.root), 'a.slice', 'AllowedCPUs')).toEqual([0, 1, 4]);
  });

  it.each([
    ['lasts', LASTING],
    ['is until reboot', UNTIL_REBOOT],
  ])('is the own one of a unit without those of a reservation that %s and of SetUnitProperties until reboot', (_, layer) => {
    const files = {
      [`${layer.units}/slice.d/${layer.forAll}`]: set('0-3'),
      [`${layer.units}/system.slice.d/${layer.dropIn}`]: set('0-3'),
      '/run/systemd/system.control/system.slice.d/50-AllowedCPUs.conf': set('0-6'),
    };
    const foreign = { '/etc/systemd/system.control/other.slice.d/50-AllowedCPUs.conf': set('0-5') };
    using fake = host(fromRoot({ ...files, ...foreign }));
    const own = (unit: string) => ownSet({ tree: new RootTree(fake.root) }, unit, 'AllowedCPUs');
    expect(own('system.slice')).toEqual([]);
    expect(own('later.slice')).toEqual([]);
    expect(own('other.slice')).toEqual([0, 1, 2, 3, 4, 5]);
  });
});

describe("systemd's own drop-ins", () => {
  it('come back byte for byte, and go where there were none', () => {
    using fake = host({ 'run/systemd/system.control/a.slice.d/50-AllowedCPUs.conf': set('0-6') });
    const tree = new RootTree(fake.root);
    const [a, b] = ['a.slice', 'b.slice'].map((unit) => readOwnDropIns(tree, unit, 'AllowedCPUs'));
    fake.write({
      'run/systemd/system.control/a.slice.d/50-AllowedCPUs.conf': set('0'),
      'run/systemd/system.control/b.slice.d/50-AllowedCPUs.conf': set('0'),
      'run/systemd/system.control/b.slice.d/50-MemoryMax.conf': '[Slice]\nMemoryMax=1G\n',
    });
    for (const own of [a, b, b]) restoreOwnDropIns(tree, own ?? {});
    expect(tree.text('/run/systemd/system.control/a.slice.d/50-AllowedCPUs.conf')).toBe(set('0-6'));
    expect(tree.list('/run/systemd/system.control/b.slice.d')).toEqual(['50-MemoryMax.conf']);
  });
});

describe('the other set for a moment', () => {
  it.each([
    [
      [0, 1, 2],
      [0, 1, 2, 3],
      [0, 1],
    ],
    [
      [0, 1, 3],
      [0, 1, 2],
      [0, 3],
    ],
    [[1], [0, 1], [0, 1]],
    [[0], [0], [0]],
  ])('of %j with %j online is %j', (all, online, other) => {
    expect(differing(all, online)).toEqual(other);
  });
});

describe('a set that is found', () => {
  const sets = [
    [0, 1, 2],
    [3, 4, 5],
  ];
  it.each([
    ['one of a step', [3, 4, 5], true],
    ['the other one for a moment, in which it was killed', [3, 4], true],
    ['none', [], true],
    ["somebody's", [0, 3], false],
  ])('that is %s: %j, ours: %s', (_, found, ours) => {
    expect(isOurs(found, sets, [0, 1, 2, 3, 4, 5])).toBe(ours);
  });
});

describe('tasks of a group', () => {
  const KTHREAD = 0x0020_0000;
  const NO_SETAFFINITY = 0x0400_0000;
  const zombie = (files: Record<string, string>): Record<string, string> =>
    Object.fromEntries(
      Object.entries(files).map(([path, text]) => [path, path.endsWith('/stat') ? text.replace(') S ', ') Z ') : text]),
    );

  it('are those that can run there: no kernel threads, no workers of io_uring, none that has ended', () => {
    using fake = host({
      ...taskFiles(10, 10, { cgroup: '0::/system.slice/a.service\n' }),
      ...taskFiles(11, 11, { cgroup: '0::/system.slice/a.service\n', flags: KTHREAD }),
      ...taskFiles(10, 12, { cgroup: '0::/system.slice/a.service\n', flags: NO_SETAFFINITY }),
      ...zombie(taskFiles(13, 13, { cgroup: '0::/system.slice/a.service\n' })),
      ...taskFiles(14, 14, { cgroup: '0::/system.slicer/a.service\n' }),
    });
    expect(tasksBelow(fake.paths, '/system.slice', 'AllowedCPUs').map(({ tid }) => tid)).toEqual([10]);
  });

  it('count thread by thread where these are in groups of their own', () => {
    using fake = host({
      ...taskFiles(10, 10, { cgroup: '0::/machine.slice/vm.scope/emulator\n' }),
      ...taskFiles(10, 11, { cgroup: '0::/pay.slice/vcpu0\n', allowed: '6' }),
    });
    expect(tasksBelow(fake.paths, '/pay.slice', 'AllowedCPUs').map(({ tid }) => tid)).toEqual([11]);
  });
});

describe('the check that payload CPUs are held', () => {
  const held = (fake: FakeHost, except: string) => cpuChecks(fake)['cpus.held']?.({ payload: '6-7', except }, '/');

  it('passes over what is excepted by unit or by group, and nothing that only begins like it', async () => {
    using fake = host({
      ...taskFiles(10, 10, { cgroup: '0::/pay.slice/x.service\n', allowed: '6-7' }),
      ...taskFiles(11, 11, { cgroup: '0::/docker/1\n', allowed: '0-7' }),
      ...taskFiles(12, 12, { cgroup: '0::/system.slice/b.service\n', allowed: '0-5' }),
    });
    expect(await held(fake, 'pay.slice /docker')).toMatchObject({ ok: true });
  });

  it('names the group and the task that may run there', async () => {
    using fake = host(taskFiles(11, 11, { name: 'stray', cgroup: '0::/docker/1\n', allowed: '0-7' }));
    const result = await held(fake, '/dock');
    expect(result?.ok).toBe(false);
    expect(result?.found).toContain('/docker/1: stray (11, 0-7)');
  }, 30_000);
});

describe('ghosts', () => {
  const find = (fake: FakeHost, affinity: readonly number[] = []) => {
    const topology = readTopology(fake.paths);
    const unit = {
      given: [],
      givenNodes: [],
      isTransient: false,
      name: 'a.service',
      activeState: 'active',
      allowed: [],
      effective: [],
      affinity,
    };
    return ghosts({
      tasks: readTasks(fake.paths),
      groups: readGroupTree(fake.paths, topology.online),
      topology,
      units: [{ ...unit, cgroup: '/system.slice/a.service', slice: 'system.slice', memoryNodes: [], dropIns: [] }],
      kernelLine: readKernelLine(fake.paths, 7),
      managerAffinity: undefined,
    });
  };

  it('are tasks narrower than their group, by group and mask', () => {
    using fake = host({
      ...taskFiles(10, 10, { cgroup: '0::/system.slice/a.service\n', allowed: '0-3' }),
      ...taskFiles(10, 11, { cgroup: '0::/system.slice/a.service\n', allowed: '0-3' }),
      ...taskFiles(12, 12, { cgroup: '0::/system.slice/b.service\n', allowed: '0-7' }),
    });
    expect(find(fake).map(({ unit, tasks }) => [unit, tasks.map(({ tid }) => tid)])).toEqual([['a.service', [10, 11]]]);
  });

  it('are none where the unit has CPUAffinity, or the group itself is as narrow', () => {
    using fake = host({
      'sys/fs/cgroup/user.slice/cpuset.cpus': '0-3\n',
      'sys/fs/cgroup/user.slice/cpuset.cpus.effective': '0-3\n',
      ...taskFiles(10, 10, { cgroup: '0::/system.slice/a.service\n', allowed: '0-3' }),
      ...taskFiles(11, 11, { cgroup: '0::/user.slice/u.scope\n', allowed: '0-3' }),
    });
    expect(find(fake, [0, 1, 2, 3])).toEqual([]);
  });
});

describe('tasks that inherit CPUAffinity= of systemd itself', () => {
  const narrow = taskFiles(10, 10, { cgroup: '0::/system.slice/a.service\n', allowed: '0-3' });

  it.each([
    ['the kernel command line', { 'proc/cmdline': 'systemd.cpu_affinity=0-3,9\n' }, [7]],
    ['its configuration', {}, [0, 1, 2, 3, 9]],
  ])('by %s are no ghosts', (_, files, ofManager) => {
    using fake = host({ ...narrow, ...files });
    const topology = readTopology(fake.paths);
    const facts = {
      tasks: readTasks(fake.paths),
      groups: readGroupTree(fake.paths, topology.online),
      topology,
      units: [],
      kernelLine: readKernelLine(fake.paths, 7),
      managerAffinity: { cpus: ofManager, path: '/etc/systemd/system.conf' },
    };
    expect(ghosts(facts)).toEqual([]);
    const other = { cpus: [7], path: '/etc/systemd/system.conf' };
    const bare = { ...facts, kernelLine: parseKernelLine('quiet', 7), managerAffinity: other };
    expect(ghosts(bare).map(({ unit }) => unit)).toEqual(['a.service']);
  });
});

describe('leaked CPUs', () => {
  it('are those that neither the root group nor a valid partition has', () => {
    using fake = host({
      'sys/fs/cgroup/cpuset.cpus.effective': '0-3\n',
      'sys/fs/cgroup/pay.slice/cpuset.cpus': '6-7\n',
      'sys/fs/cgroup/pay.slice/cpuset.cpus.effective': '6-7\n',
      'sys/fs/cgroup/pay.slice/cpuset.cpus.partition': 'isolated\n',
    });
    expect(leakedCpus(fake)).toEqual([4, 5]);
  });
});

describe("the kernel's files", () => {
  const parameters = (fake: FakeHost) => ({
    form: 'mask',
    writes: ['a', 'b', 'gone'].map((name) => ({ path: `${fake.root}/${name}`, before: 'ff', after: '3f' })),
  });
  const at = (fake: FakeHost, name: string): string => readFileSync(`${fake.root}/${name}`, 'utf8').trim();

  it('go back to what they said when they were written, but not those that somebody wrote to since', async () => {
    using fake = host({ a: '7f', b: 'ff' });
    const action = kernelAction({ paths: fake.paths, tree: new RootTree(fake.root) });
    const facts = await action.facts(parameters(fake));
    await action.carryOut(parameters(fake), facts);
    expect([at(fake, 'a'), at(fake, 'b')]).toEqual(['3f', '3f']);
    fake.write({ b: '0f' });
    await action.takeBack(parameters(fake), facts);
    expect([at(fake, 'a'), at(fake, 'b')]).toEqual(['7f', '0f']);
  });

  it('of interrupts are all tried, and which did not move is said and noted for the next plan', async () => {
    using fake = host({
      'proc/interrupts': '  CPU0\n 24: 0 PCI-MSI 1-edge nvme0q0\n 25: 0 PCI-MSI 2-edge nvme0q1\n',
      'proc/irq/24/smp_affinity_list': '0-7\n',
      'proc/irq/25/smp_affinity_list': '0-7\n',
    });
    const pathOf = (line: number): string => `${fake.paths.proc}/irq/${line}/smp_affinity_list`;
    const asked = {
      form: 'list',
      writes: [25, 24].map((line) => ({ path: pathOf(line), before: '0-7', after: '0-5' })),
    };
    let isFull = true;
    let tries = 0;
    const action = kernelAction({ paths: fake.paths, tree: new RootTree(fake.root) }, (path, text) => {
      // As of CPUs whose vectors are used up.
      if (isFull && path === pathOf(25)) throw new SlicectlError('E_NOT_IN_FORCE', '', { data: { errno: 'ENOSPC' } });
      tries += 1;
      // As of a line whose last move is under way.
      if (tries === 1) throw new SlicectlError('E_NOT_IN_FORCE', '', { data: { errno: 'EBUSY' } });
      writeFileSync(path, text);
    });
    const facts = await action.facts(asked);
    await expect(action.carryOut(asked, facts)).rejects.toMatchObject({
      code: 'E_NOT_IN_FORCE',
      message: expect.stringMatching(/^the kernel did not move interrupt line 25 \(ENOSPC: /),
      hint: expect.stringContaining(UNMOVED_PATH),
    });
    expect(at(fake, 'proc/irq/24/smp_affinity_list')).toBe('0-5');
    const noted = () => readUnmoved(new RootTree(fake.root));
    expect(noted()).toEqual([{ line: 25, of: 'PCI-MSI 2-edge', to: [0, 1, 2, 3, 4, 5], errno: 'ENOSPC' }]);
    isFull = false;
    tries = 0;
    await action.carryOut(asked, facts);
    expect(noted()).toEqual([]);
  });
});
