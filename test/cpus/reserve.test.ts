import { describe, expect, it } from 'vitest';
import type { Plan } from '../../src/change/plan.ts';
import { printIndexSet } from '../../src/core/cpuset.ts';
import type { CpuFacts } from '../../src/cpus/model.ts';
import { planReserve, type ReserveRequest } from '../../src/cpus/reserve.ts';
import { wantedFor } from '../../src/cpus/want.ts';
import { parseKernelLine } from '../../src/host/kernel-line.ts';
import { RootTree } from '../../src/host/root-tree.ts';
import { FakeHost, GUEST_8, topologyOf } from './fake-host.ts';
import { factsOf, groupOf, heldGroups, recordOf, set, taskOf, unitOf } from './ground.ts';

function request(more: Partial<ReserveRequest> = {}): ReserveRequest {
  return {
    name: 'db.slice',
    pick: { cpus: set('6-7') },
    keep: [],
    memoryNodes: false,
    partition: undefined,
    interrupts: false,
    workqueues: false,
    kernelThreads: false,
    kubelet: false,
    drained: false,
    whileUnit: undefined,
    runtime: false,
    leases: [],
    ...more,
  };
}

async function plan(facts: CpuFacts, more: Partial<ReserveRequest> = {}, uid = 0): Promise<Plan> {
  using host = new FakeHost();
  const at = { paths: host.paths, tree: new RootTree(host.root), system: undefined, uid };
  return planReserve(facts, at, request(more));
}

const refusals = async (facts: CpuFacts, more: Partial<ReserveRequest> = {}): Promise<string[]> =>
  (await plan(facts, more)).refusals.map(({ reason }) => reason);

const notes = async (facts: CpuFacts, more: Partial<ReserveRequest> = {}): Promise<string[]> =>
  (await plan(facts, more)).notes.flatMap(({ severity, text, items = [] }) => [`${severity}: ${text}`, ...items]);

const BOTH = '(payload CPUs 6-7, system CPUs 0-5)';

describe('a plan to reserve', () => {
  it('names both sets by their roles, and why these', async () => {
    const {
      title,
      refusals: none,
      notes: [first],
    } = await plan(factsOf(), { pick: { cores: 1 } });
    expect(title).toBe('reserve payload CPUs 6-7 for db.slice');
    expect(none).toEqual([]);
    expect(first).toMatchObject({ severity: 'info', text: 'payload CPUs 6-7 for db.slice, system CPUs 0-5' });
    expect(first?.items).toContain('1 whole core with all threads: 6-7');
  });

  it('keeps the cores that the slice has where it is asked for as many', async () => {
    const records = [recordOf('db.slice', '4-5')];
    const { title } = await plan(factsOf({ records }), { pick: { cores: 1 } });
    expect(title).toBe('reserve payload CPUs 4-5 for db.slice');
    const more = await plan(factsOf({ records }), { pick: { cores: 2 } });
    expect(more.title).toBe('reserve payload CPUs 4-7 for db.slice');
    expect(more.notes.flatMap(({ items = [] }) => items)).toContain('CPUs 4-5 → CPUs 4-7');
  });

  it('gives the memory nodes of the payload CPUs on request', async () => {
    const { steps } = await plan(factsOf(), { memoryNodes: true });
    expect(steps).toContainEqual(
      expect.objectContaining({ parameters: expect.objectContaining({ name: 'AllowedMemoryNodes', after: '1' }) }),
    );
  });

  it('says that CPUs which the payload slice has of its own are replaced', async () => {
    const units = [...factsOf().units, unitOf('db.slice', { given: set('0-1') })];
    expect(await notes(factsOf({ units }))).toContain(
      'warning: db.slice has CPUs of its own, 0-1, which its reservation replaces until it is released',
    );
    const alike = [...factsOf().units, unitOf('db.slice', { given: set('6-7') })];
    expect((await notes(factsOf({ units: alike }))).join('\n')).not.toContain('of its own');
  });

  it('chooses no core that a job has for itself', async () => {
    const leases = [{ name: 'the job a.scope', cpus: set('6-7'), within: undefined }];
    expect((await plan(factsOf(), { pick: { cores: 1 }, leases })).title).toContain('CPUs 4-5');
  });

  it('is watched from its record on where it ends with a unit, and before anybody is confined', async () => {
    const { steps } = await plan(factsOf(), { whileUnit: 'vm.scope' });
    const words = steps.map((step) =>
      step.kind === 'file' ? step.path : step.kind === 'unit' ? step.verb : step.kind,
    );
    expect(words.slice(0, 6)).toEqual([
      'check',
      '/run/slicectl/reservations/db.slice.conf',
      '/run/systemd/system/slicectl-while-db.service',
      'reload',
      'start',
      'check',
    ]);
  });

  it('looks before anything is written, and once more when it is written down, whether a job took its CPUs', async () => {
    const { steps } = await plan(factsOf());
    const looks = steps.flatMap((step, at) => (step.kind === 'check' && step.check === 'cpus.unleased' ? [at] : []));
    expect(looks).toEqual([0, 2]);
    expect(steps[0]).toMatchObject({ expect: { cpus: '6-7', within: 'db.slice' } });
    expect(steps[1]).toMatchObject({ path: '/etc/slicectl/reservations/db.slice.conf' });
  });

  it('is until reboot where it ends with a unit', async () => {
    const { steps } = await plan(factsOf(), { whileUnit: 'vm.scope' });
    expect(steps.map((step) => (step.kind === 'file' ? step.path : ''))).toContain(
      '/run/slicectl/reservations/db.slice.conf',
    );
  });
});

describe('what is refused, both sets named', () => {
  it.each<[string, Partial<CpuFacts>, Partial<ReserveRequest>, string]>([
    [
      'all CPUs',
      {},
      { pick: { cpus: set('0-7') } },
      'nothing would be left for the system (payload CPUs 0-7, system CPUs none)',
    ],
    [
      'a CPU that is not there',
      {},
      { pick: { cpus: set('6-8') } },
      'this machine has no CPU 8 (payload CPUs 6-8, system CPUs 0-5)',
    ],
    [
      'a CPU that is offline',
      { topology: topologyOf({ ...GUEST_8, offline: [7] }) },
      {},
      'CPU 7 is offline (payload CPUs 6-7, system CPUs 0-5)',
    ],
    [
      'CPUs of another reservation',
      { records: [recordOf('rt.slice', '7')] },
      {},
      `CPU 7 is reserved for rt.slice ${BOTH}`,
    ],
    [
      'CPUs of isolcpus= beside others',
      { topology: topologyOf({ ...GUEST_8, isolated: [7] }) },
      {},
      `CPU 7 is isolated by isolcpus= and the others are not ${BOTH}`,
    ],
    [
      'a unit that would have none of its CPUs',
      { units: [unitOf('rt.service', { given: set('7') })] },
      {},
      `rt.service asks for CPUs 7 by AllowedCPUs=, and none of them would be open to it ${BOTH}`,
    ],
    [
      'CPUs of a job',
      {},
      { leases: [{ name: 'the job a.scope', cpus: set('7'), within: undefined }] },
      `the job a.scope has CPUs 7 for itself ${BOTH}`,
    ],
    [
      'a job that would lose CPUs of the reservation that it is in',
      { records: [recordOf('db.slice', '4-7')] },
      { leases: [{ name: 'the job a.scope', cpus: set('4-5'), within: 'db.slice' }] },
      `the job a.scope has CPUs 4-5 of db.slice for itself ${BOTH}`,
    ],
    [
      'isolated before 6.1',
      { kernel: [5, 15] },
      { partition: 'isolated' },
      `Linux 5.15 has no partitions of type isolated, which came with 6.1 ${BOTH}`,
    ],
    [
      'a root partition on isolcpus=',
      { kernel: [7, 2], topology: topologyOf({ ...GUEST_8, isolated: [6, 7] }) },
      { partition: 'root' },
      `Linux 7.2 makes no partition of type root of CPUs of isolcpus=: they conflict with its housekeeping ${BOTH}`,
    ],
    [
      'an isolated partition on isolcpus= before 7.2',
      { topology: topologyOf({ ...GUEST_8, isolated: [6, 7] }) },
      { partition: 'isolated' },
      `Linux 6.12 makes no partition of type isolated of CPUs of isolcpus=: they conflict with its housekeeping ${BOTH}`,
    ],
    [
      'a partition of CPUs that a kept slice lists',
      { units: [unitOf('vm.slice', { given: set('5-6') })] },
      { partition: 'root', keep: ['vm.slice'] },
      `vm.slice is kept with its CPUs 5-6, which no partition can have at the same time ${BOTH}`,
    ],
    [
      "somebody's partition",
      {
        groups: {
          version: 2,
          root: set('0-6'),
          isolated: [],
          groups: [groupOf('/rt.slice', '7', { partition: { type: 'root', invalid: undefined } })],
        },
      },
      {},
      `CPUs 7 belong to the partition /rt.slice, which slicectl did not make ${BOTH}`,
    ],
  ])('%s', async (_, facts, more, reason) => {
    expect(await refusals(factsOf(facts), more)).toEqual([reason]);
  });

  it('an isolated partition on isolcpus= is none since 7.2', async () => {
    const topology = topologyOf({ ...GUEST_8, isolated: [6, 7] });
    expect(await refusals(factsOf({ kernel: [7, 2], topology }), { partition: 'isolated' })).toEqual([]);
  });

  it('units in the payload slice may ask for payload CPUs, and those of kept slices for any', async () => {
    const units = [
      unitOf('pg.service', { slice: 'db.slice', given: set('7') }),
      unitOf('qemu.scope', { slice: 'vm.slice', given: set('7') }),
    ];
    expect(await refusals(factsOf({ units }), { keep: ['vm.slice'] })).toEqual([]);
  });
});

describe('units beside all slices', () => {
  const loose = { slice: '-.slice', cgroup: '/odd.service' };

  it.each([
    unitOf('odd.service', { ...loose, given: set('7') }),
    unitOf('init.scope', { given: set('7') }),
  ])('are refused with CPUs of their own that they would not have, and are told of no slice to keep', async (unit) => {
    const { refusals: found } = await plan(factsOf({ units: [unit] }));
    expect(found).toEqual([
      {
        reason: `${unit.name} asks for CPUs 7 by AllowedCPUs=, and none of them would be open to it ${BOTH}`,
        hint: `change it (systemctl cat ${unit.name} shows where it is set)`,
      },
    ]);
  });

  it('fail at their next start where they pin themselves to payload CPUs', async () => {
    const units = [unitOf('odd.service', { ...loose, affinity: set('6') })];
    const found = await notes(factsOf({ units }));
    const at = found.findIndex((line) => line.includes('215/CPUAFFINITY'));
    expect(found.slice(at, at + 2)).toEqual([expect.stringMatching(/^impact: /), 'odd.service: CPUAffinity=6']);
  });
});

describe('hosts where nothing can be reserved', () => {
  it.each<[string, Partial<CpuFacts>, RegExp]>([
    ['cgroup v1', { cgroups: 'legacy' }, /cgroup v1, where systemd stores AllowedCPUs and does not apply it/],
    ['the hybrid layout', { cgroups: 'hybrid' }, /the hybrid layout, where systemd stores AllowedCPUs/],
    ['systemd 243', { systemd: 243 }, /systemd 243 has no AllowedCPUs=, which came with 244/],
    ['no systemd', { systemd: undefined }, /systemd does not run here/],
  ])('%s, with what works', async (_, facts, reason) => {
    const { refusals: found, steps } = await plan(factsOf(facts));
    expect(found[0]?.reason).toMatch(reason);
    expect(found[0]?.hint).toContain('slicectl run --exclusive');
    expect(steps).toEqual([]);
  });

  it('are containers without the controller', async () => {
    expect(await refusals(factsOf({ hasCpuset: false }))).toEqual([
      expect.stringContaining('the cpuset controller is missing here'),
    ]);
  });

  it('are those of others than root', async () => {
    expect((await plan(factsOf(), {}, 1000)).refusals).toEqual([
      { reason: 'only root may reserve CPUs', hint: 'run it with sudo' },
    ]);
  });
});

describe('slices that cannot be the payload', () => {
  it.each(['system.slice', 'user.slice', 'init.scope'])('%s', async (name) => {
    expect(await refusals(factsOf(), { name })).toEqual([`${name} cannot be the payload: the system itself is in it`]);
  });

  it('-.slice', async () => {
    expect(await refusals(factsOf(), { name: '-.slice' })).toEqual(['-.slice cannot be the payload: it is everything']);
  });

  it('one in another, with the way out', async () => {
    const { refusals: found } = await plan(factsOf(), { name: 'db-main.slice' });
    expect(found).toEqual([
      {
        reason: 'db-main.slice lies in db.slice, whose CPUs bound its own',
        hint: 'reserve for db.slice, or name a slice without dashes, such as db_main.slice',
      },
    ]);
  });

  it.each(['db', 'a b.slice', 'db@1.slice'])('%j, which is no name of one', async (name) => {
    await expect(plan(factsOf(), { name })).rejects.toMatchObject({ code: 'E_INPUT' });
  });

  it.each(['db.slice', 'vm-a.slice', '-.slice'])('nor is %s kept', async (slice) => {
    await expect(plan(factsOf(), { keep: [slice] })).rejects.toMatchObject({ code: 'E_INPUT' });
  });
});

describe('what is foretold', () => {
  it('is which units fail at their next start, and which keep a part of their CPUs', async () => {
    const units = [
      unitOf('dpdk.service', { affinity: set('6-7') }),
      unitOf('half.service', { affinity: set('5-6') }),
      unitOf('fine.service', { affinity: set('0') }),
      unitOf('part.service', { given: set('4-7') }),
    ];
    const found = await notes(factsOf({ units }));
    expect(found.find((line) => line.includes('215/CPUAFFINITY'))).toMatch(/^impact: /);
    expect(found).toContain('dpdk.service: CPUAffinity=6-7');
    expect(found).toContain('half.service: CPUAffinity=5-6');
    expect(found).toContain('part.service: 4-7 → 4-5');
    expect(found.join('\n')).not.toContain('fine.service');
  });

  it('is what runs in the root slice, and that a partition keeps off what comes there later', async () => {
    const units = [unitOf('odd.service', { cgroup: '/odd.service', slice: '-.slice' })];
    const found = await notes(factsOf({ units }));
    expect(found.find((line) => line.includes('Slice=system.slice'))).toMatch(/^warning: .*later/);
    expect(found).toContain('odd.service');
    const parted = await notes(factsOf({ units }), { partition: 'root' });
    expect(parted.find((line) => line.includes('root slice'))).toMatch(/^info: /);
  });

  it('is which containers are squeezed', async () => {
    const id = '0123456789abcdef'.repeat(4);
    const tasks = [
      taskOf('nginx', `/system.slice/docker-${id}.scope`),
      taskOf('nginx', `/system.slice/docker-${id}.scope`),
    ];
    const found = await notes(factsOf({ tasks }));
    expect(found).toContain('impact: 1 container in system.slice will share the system CPUs 0-5 with all services');
    expect(found).toContain('docker-0123456789ab.scope');
  });

  it('is what running tasks lose: sets of containers, affinities before Linux 6.2, and CPUs for their threads', async () => {
    const groups = { version: 2 as const, root: set('0-7'), isolated: [], groups: [groupOf('/docker', '')] };
    const docker = { ...groups, groups: [...groups.groups, groupOf('/docker/c1', '7')] };
    const tasks = [
      ...Array.from({ length: 8 }, () => taskOf('java', '/system.slice/java.service')),
      taskOf('pinned', '/system.slice/pinned.service', { allowed: set('1') }),
    ];
    const found = await notes(factsOf({ kernel: [6, 1], groups: docker, tasks }));
    expect(found).toContain('/docker/c1: 7 → 0-5');
    expect(found).toContain('pinned.service: 1 thread on 1');
    expect(found).toContain('java.service: 8 threads, 8 → 6 CPUs');
  });

  it('is who meddles', async () => {
    const tasks = [
      taskOf('intel_lpmd', '/system.slice/intel_lpmd.service'),
      taskOf('tuned', '/system.slice/tuned.service'),
    ];
    const found = await notes(factsOf({ tasks, irqbalance: { isRunning: true, banned: [] } }));
    expect(found.filter((line) => line.startsWith('warning: ')).map((line) => line.split(' ')[1])).toEqual([
      'intel_lpmd',
      'tuned',
      'irqbalance',
    ]);
  });

  it('is that services begin on the CPUs of systemd.cpu_affinity=', async () => {
    const kernelLine = parseKernelLine('systemd.cpu_affinity=0-3', 7);
    expect((await notes(factsOf({ kernelLine }))).join('\n')).toContain('CPUAffinity=6-7');
  });

  it('is that services begin on the CPUs of systemd itself by its configuration, where the kernel is told nothing', async () => {
    const managerAffinity = { cpus: set('0-1'), path: '/etc/systemd/system.conf.d/tuned.conf' };
    expect(await notes(factsOf({ managerAffinity }))).toContain(
      'warning: CPUAffinity= in /etc/systemd/system.conf.d/tuned.conf lets services start on CPUs 0-1 alone: in db.slice they need CPUAffinity=6-7 of their own',
    );
    const kernelLine = parseKernelLine('systemd.cpu_affinity=0-7', 7);
    expect((await notes(factsOf({ managerAffinity, kernelLine }))).join('\n')).not.toContain('lets services start');
  });

  it('is what stays on the payload CPUs at this level of effort', async () => {
    const stays = async (more: Partial<ReserveRequest>): Promise<readonly string[]> =>
      (await plan(factsOf(), more)).notes.find(({ text }) => text === 'on the payload CPUs stay')?.items ?? [];
    expect(await stays({})).toHaveLength(4);
    expect(await stays({ interrupts: true, workqueues: true, kernelThreads: true })).toEqual([
      "each CPU's own kernel threads and timer, which nothing moves",
    ]);
  });
});

describe('interrupts that stay on payload CPUs', () => {
  const line = (number: number) => ({
    number,
    name: `nvme0q${number}`,
    source: 'PCI-MSI',
    counts: new Map(),
    affinity: set('6'),
    effective: set('6'),
  });
  const facts = factsOf({
    interrupts: { lines: [1, 2, 3].map(line), defaultAffinity: set('0-7') },
    movability: new Map([
      [1, 'refuses'],
      [2, 'unknown'],
    ]),
    unmoved: [{ line: 3, of: 'PCI-MSI', to: set('0-5'), errno: 'ENOSPC' }],
  });

  it('are said, with why, and are in no step', async () => {
    const { notes: found, steps } = await plan(facts, { interrupts: true });
    const stay = found.filter(({ text }) => text.includes('they stay'));
    expect(stay.map(({ severity, items }) => [severity, ...(items ?? [])])).toEqual([
      ['warning', '1 nvme0q1: on 6'],
      ['warning', '3 nvme0q3: on 6, ENOSPC: the interrupt vectors of these CPUs are used up'],
    ]);
    const written = JSON.stringify(steps.map((step) => (step.kind === 'action' ? step.parameters : {})));
    expect([1, 2, 3].filter((number) => written.includes(`/irq/${number}/`))).toEqual([2]);
  });
});

it('plans nothing the second time', async () => {
  using host = new FakeHost();
  const bare = factsOf();
  const records = [recordOf('db.slice', '6-7')];
  const wanted = wantedFor(bare, records);
  host.write(Object.fromEntries(wanted.files.map(({ path, text }) => [path, text])));
  const units = [...bare.units, unitOf('db.slice')].map((unit) => ({
    ...unit,
    given: [],
    allowed: wanted.units.find((one) => one.unit === unit.name)?.cpus ?? [],
  }));
  const at = { paths: host.paths, tree: new RootTree(host.root), system: undefined, uid: 0 };
  const groups = heldGroups(bare.groups, units);
  const { steps, title } = await planReserve({ ...bare, units, groups, records }, at, request({ pick: { cores: 1 } }));
  expect(steps).toEqual([]);
  expect(title).toContain(printIndexSet(records[0]?.cpus ?? []));
});
