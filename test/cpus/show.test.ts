import { Variant } from 'dbus-next';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemdLink } from '../../src/backend/systemd-link.ts';
import { showJson } from '../../src/cli/render/cpus-json.ts';
import { showText } from '../../src/cli/render/cpus-show.ts';
import { indexSetToPaddedBytes } from '../../src/core/cpuset.ts';
import { type CpuHost, readCpuReport } from '../../src/cpus/show.ts';
import { readUnitCpus } from '../../src/cpus/units.ts';
import { RootTree } from '../../src/host/root-tree.ts';
import { type Daemon, describeWithBus, startDaemon } from '../fake/daemon.ts';
import { FakeSystemd } from '../fake/systemd.ts';
import { FakeHost, GUEST_8 } from './fake-host.ts';
import { taskFiles } from './task-files.ts';

const group = (path: string, asked: string, effective: string): Record<string, string> => ({
  [`cgroup/${path}/cpuset.cpus`]: `${asked}\n`,
  [`cgroup/${path}/cpuset.cpus.effective`]: `${effective}\n`,
  [`cgroup/${path}/cpuset.cpus.partition`]: 'member\n',
});

const INTERRUPTS = `           CPU0       CPU1       CPU2       CPU3       CPU4       CPU5       CPU6       CPU7
 24:          5          0          0          0          0          0          0          0 PCI-MSI 1-edge      nvme0q0
 25:          0          0          0          0          0          0          7          0 PCI-MSI 2-edge      nvme0q7
`;

/** A node with a reservation, a pinned service, a kubelet and irqbalance. */
function reservedHost(host: FakeHost): CpuHost {
  host.machine(GUEST_8).write({
    'proc/cmdline': 'quiet irqaffinity=0-1 isolcpus=9\n',
    'proc/self/mountinfo': `30 20 0:26 / ${host.root}/cgroup rw - cgroup2 cgroup2 rw\n`,
    'proc/interrupts': INTERRUPTS,
    'proc/irq/24/smp_affinity_list': '0-3\n',
    'proc/irq/25/smp_affinity_list': '6\n',
    'proc/irq/25/effective_affinity_list': '6\n',
    'proc/irq/default_smp_affinity': 'ff\n',
    'sys/devices/virtual/workqueue/cpumask': '3f\n',
    'etc/default/irqbalance': 'IRQBALANCE_BANNED_CPULIST=6-7\n',
    'etc/slicectl/reservations/db.slice.conf': '[Reservation]\nSlice=db.slice\nAllowedCPUs=6-7\n',
    'cgroup/cpuset.cpus.effective': '0-7\n',
    ...group('init.scope', '0-5', '0-5'),
    ...group('system.slice', '0-5', '0-5'),
    ...group('db.slice', '6-7', '6-7'),
    ...group('machine.slice', '', '0-7'),
    'var/lib/kubelet/config.yaml':
      'apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\ncpuManagerPolicy: static\nreservedSystemCPUs: 0-1\n',
    'var/lib/kubelet/cpu_manager_state': '{"policyName":"static","defaultCpuSet":"2-5","entries":{"p1":{"c":"4-5"}}}',
    ...taskFiles(10, 10, { name: 'postgres', cgroup: '0::/db.slice/pg.service\n', allowed: '6-7' }),
    ...taskFiles(11, 11, { name: 'pinned', cgroup: '0::/system.slice/pin.service\n', allowed: '2' }),
    ...taskFiles(12, 12, { name: 'irqbalance', cgroup: '0::/system.slice/irqbalance.service\n', allowed: '0-5' }),
    ...taskFiles(13, 13, { name: 'kworker/u16:1', flags: 0x0420_0000, allowed: '0' }),
  });
  return {
    paths: host.paths,
    tree: new RootTree(host.root),
    system: undefined,
  };
}

const plain = { width: 80, paint: (_: string, text: string) => text };

describe('what is shown of a host with a reservation', () => {
  it('is the machine, the roles, and who may run where', async () => {
    using host = new FakeHost();
    expect(showText(await readCpuReport(reservedHost(host)), plain)).toBe(`\
8 CPUs online: 2 packages, 2 NUMA nodes, caches not told, 4 cores with 2 threads
package 0
  node 0, 1G
    [0b 1 ] [2  3 ]
package 1
  node 1, 1G
    [4  5 ] [6* 7*]
* payload CPU   b boot CPU

Roles
  payload CPUs 6-7
  system CPUs  0-5
  db.slice: 6-7

Set at boot
  irqaffinity= 0-1
  ignored by the kernel: isolcpus="9": 9 is above 7, the last one here

Who may run where
  0-5: all but db.slice
  6-7: the root group and new groups, db.slice, machine.slice

GROUP          ASKED  EFFECTIVE  PARTITION
/db.slice      6-7    6-7        member
/init.scope    0-5    0-5        member
/system.slice  0-5    0-5        member

Threads with a narrower mask than their group
  2: 1 thread of /system.slice/pin.service (pinned)

Interrupts and workers
  lines: 1 on 0-3, 1 on 6
  that come on payload CPUs: 1
  new lines: 0-7
  irqbalance runs
  IRQBALANCE_BANNED_CPULIST: 6-7
  unbound workqueues: 0-5

Kubelet
  CPU manager policy: static
  topology manager policy: none
  reserved for the system (reservedSystemCPUs): 0-1
    by /var/lib/kubelet/config.yaml:4
  shared by pods: 2-5
  exclusive to c of pod p1: 4-5
`);
  });

  it('is one document with sets as the kernel writes them', async () => {
    using host = new FakeHost();
    const facts = JSON.parse(showJson(await readCpuReport(reservedHost(host))));
    expect(facts).toMatchObject({
      version: 1,
      roles: { payload: '6-7', system: '0-5', reservations: [{ name: 'db.slice', cpus: '6-7' }] },
      topology: { online: '0-7', offline: '', bootCpu: 0, caches: [] },
      boot: { irqaffinity: { cpus: '0-1', flags: [], text: '0-1' }, isolcpus: null, nosmt: null },
      cpuset: { version: 2, root: '0-7', isolated: '' },
      access: [{ cpus: '0-5' }, { cpus: '6-7', groups: ['/', '/db.slice', '/machine.slice'] }],
      units: null,
      pinned: [{ cgroup: '/system.slice/pin.service', allowed: '2', threads: 1, names: ['pinned'] }],
      interrupts: {
        default: '0-7',
        lines: [
          { number: 24, counts: { 0: 5 } },
          { number: 25, effective: '6' },
        ],
      },
      irqbalance: { running: true, banned: [{ cpus: '6-7' }] },
      workqueues: { cpumask: '0-5', requested: null },
      kubelet: {
        running: false,
        policy: 'static',
        reserved: '0-1',
        sources: { reservedSystemCPUs: { path: '/var/lib/kubelet/config.yaml', line: 4 } },
        state: { shared: '2-5', exclusive: [{ pod: 'p1', cpus: '4-5' }] },
      },
    });
    expect(facts.topology.cores[3]).toEqual({
      cpus: '6-7',
      package: 1,
      die: 0,
      cluster: null,
      node: 1,
      cache: null,
      kind: null,
    });
  });
});

it('where systemd itself begins is shown with the file that says so', async () => {
  using host = new FakeHost();
  const base = reservedHost(host);
  host.write({ 'etc/systemd/system.conf.d/tuned.conf': '[Manager]\nCPUAffinity=0-5\n' });
  const report = await readCpuReport(base);
  expect(showText(report, plain)).toContain(`\
  irqaffinity= 0-1
  CPUAffinity= of systemd: 0-5
    by /etc/systemd/system.conf.d/tuned.conf
`);
  expect(JSON.parse(showJson(report))).toMatchObject({
    managerAffinity: { cpus: '0-5', path: '/etc/systemd/system.conf.d/tuned.conf' },
  });
});

it('tasks whose mask lacks only the CPUs of isolcpus= or those that are offline are not pinned', async () => {
  using host = new FakeHost();
  host.machine({ ...GUEST_8, isolated: [7], offline: [3], possible: [0, 1, 2, 3, 4, 5, 6, 7, 8] }).write({
    'proc/self/mountinfo': '',
    ...taskFiles(1, 1, { name: 'systemd', allowed: '0-2,4-6' }),
    ...taskFiles(2, 2, { name: 'wide', allowed: '0-8' }),
    ...taskFiles(3, 3, { name: 'narrow', allowed: '0-1' }),
  });
  const tree = new RootTree(host.root);
  const report = await readCpuReport({ paths: host.paths, tree, system: undefined });
  expect(report.pinned.map(({ names }) => names)).toEqual([['narrow']]);
  expect(report.system).toEqual([0, 1, 2, 3, 4, 5, 6, 8]);
  expect(showText(report, plain)).toContain('no cpuset hierarchy is mounted');
});

it('lines of queues are counted together; numbers without a device and groups of mounts are not told', async () => {
  using host = new FakeHost();
  const base = reservedHost(host);
  const irqs = [30, 31, 32, 33];
  host.write({
    'proc/interrupts': `${INTERRUPTS}${irqs.map((irq) => ` ${irq}: ${'0 '.repeat(8)} PCI-MSI ${irq}-edge virtio${irq}\n`).join('')}`,
    ...Object.fromEntries(irqs.map((irq) => [`proc/irq/${irq}/smp_affinity_list`, `${irq - 30}\n`])),
    'proc/irq/3/smp_affinity_list': '0-7\n',
    ...group('dev-mqueue.mount', '', '0-7'),
  });
  const shown = showText(await readCpuReport(base), plain);
  expect(shown).toContain('  lines: 1 on 0-3, 5 on one CPU each (0-3,6)\n');
  expect(shown).toContain('  6-7: the root group and new groups, db.slice, machine.slice\n');
});

describeWithBus('units that systemd is asked for', () => {
  let daemon: Daemon;
  let fake: FakeSystemd;
  let link: SystemdLink;
  const bytes = (...cpus: number[]) => new Variant('ay', Buffer.from(indexSetToPaddedBytes(cpus)));
  beforeEach(async () => {
    daemon = await startDaemon();
    fake = await FakeSystemd.start(daemon.path);
    const add = (name: string, properties: Record<string, Variant>, activeState = 'active') =>
      fake.units.set(name, { properties: new Map(Object.entries(properties)), activeState, refs: 0 });
    add('system.slice', { AllowedCPUs: bytes(0, 1), EffectiveCPUs: bytes(0, 1) });
    add('user.slice', { AllowedCPUs: bytes(), EffectiveCPUs: bytes() });
    add('pin.service', { AllowedCPUs: bytes(), EffectiveCPUs: bytes(), CPUAffinity: bytes(2, 64) });
    add('other.service', { AllowedCPUs: bytes(3), EffectiveCPUs: bytes(), CPUAffinity: bytes() }, 'inactive');
    add('plain.service', { AllowedCPUs: bytes(), EffectiveCPUs: bytes(), CPUAffinity: bytes() });
    add('vm.scope', { AllowedCPUs: bytes(2), EffectiveCPUs: bytes() });
    add('app.scope', { AllowedCPUs: bytes(2), EffectiveCPUs: bytes() });
    link = new SystemdLink('system', { env: { DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${daemon.path}` }, uid: 0 });
  });
  afterEach(async () => {
    link.close();
    fake.disconnect();
    await daemon.stop();
  });

  it('are slices, services, init.scope and those that were named, if they set something', async () => {
    expect(await readUnitCpus(link, ['vm.scope', 'gone.scope'])).toEqual([
      { name: 'other.service', activeState: 'inactive', allowed: [3], effective: [], affinity: [] },
      { name: 'pin.service', activeState: 'active', allowed: [], effective: [], affinity: [2, 64] },
      { name: 'system.slice', activeState: 'active', allowed: [0, 1], effective: [0, 1], affinity: [] },
      { name: 'vm.scope', activeState: 'active', allowed: [2], effective: [], affinity: [] },
    ]);
    expect(fake.callsOf('ListUnitsByPatterns')).toHaveLength(1);
    expect(fake.callsOf('Get')).toHaveLength(15);
  });

  it('of a systemd that has no such properties are none', async () => {
    for (const { properties } of fake.units.values()) properties.clear();
    expect(await readUnitCpus(link, ['pin.service'])).toEqual([]);
  });

  it('are shown beside what the kernel holds, services that have not started or that nobody sees pinned among them', async () => {
    using host = new FakeHost();
    const report = await readCpuReport({ ...reservedHost(host), system: link });
    expect(report.units?.map(({ name }) => name)).toEqual(['other.service', 'pin.service', 'system.slice']);
    expect(showText(report, plain)).toContain(`\
UNIT           STATE     ALLOWEDCPUS  EFFECTIVECPUS  CPUAFFINITY
other.service  inactive  3            -              -
pin.service    active    -            -              2,64
system.slice   active    0-1          0-1            -
`);
  });
});

it('on cgroup v1 a mask is held against the group of cpuset, wherever systemd has the task', async () => {
  using host = new FakeHost();
  const cgroup = (path: string): string => `2:cpuset:${path}\n1:name=systemd:/system.slice/a.service\n0::/\n`;
  host.machine(GUEST_8).write({
    'proc/self/mountinfo': `30 20 0:26 / ${host.root}/cs rw - cgroup cgroup rw,cpuset\n`,
    'cs/cpuset.cpus': '0-7\n',
    'cs/cpuset.effective_cpus': '0-7\n',
    'cs/jobs/cpuset.cpus': '6\n',
    'cs/jobs/cpuset.effective_cpus': '6\n',
    ...taskFiles(2, 2, { name: 'in', allowed: '6', cgroup: cgroup('/jobs') }),
    ...taskFiles(3, 3, { name: 'out', allowed: '6', cgroup: cgroup('/') }),
  });
  const tree = new RootTree(host.root);
  const report = await readCpuReport({ paths: host.paths, tree, system: undefined });
  expect(report.pinned.map(({ names }) => names)).toEqual([['out']]);
});
