import { chmodSync } from 'node:fs';
import { expect, it } from 'vitest';
import { readCpuFacts } from '../../src/cpus/facts.ts';
import { UNMOVED_PATH, unmovedText } from '../../src/cpus/unmoved.ts';
import { describeWithBus } from '../fake/daemon.ts';
import { ReservedHost } from './reserved-host.ts';

describeWithBus('facts of a host', () => {
  it('have its CPUs, kernel, systemd, groups and units', async () => {
    await using host = await ReservedHost.open();
    host.systemd.fake.behaviour.version = '252.39-1~deb12u1';
    const facts = await readCpuFacts(host);
    expect(facts).toMatchObject({ kernel: [6, 12], systemd: 252, cgroups: 'unified', hasCpuset: true, records: [] });
    expect(facts.topology.online).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(facts.units.map(({ name }) => name)).toEqual(['-.slice', 'init.scope', 'system.slice', 'user.slice']);
    expect(facts.groups?.groups.map(({ path }) => path)).toEqual(['/init.scope', '/system.slice', '/user.slice']);
  });

  it('have neither systemd nor units where it does not run', async () => {
    await using host = await ReservedHost.open();
    const { paths, tree } = host;
    const facts = await readCpuFacts({ paths, tree, system: undefined });
    expect(facts).toMatchObject({ systemd: undefined, units: [] });
    expect(facts.topology.online).toHaveLength(8);
  });

  it('take set-property until reboot for slicectl itself only while there are records', async () => {
    await using host = await ReservedHost.open();
    const path = '/run/systemd/system.control/system.slice.d/50-AllowedCPUs.conf';
    host.systemd.unit('system.slice', { Slice: '-.slice', ControlGroup: '/system.slice', DropInPaths: [path] });
    host.files.write({ [path.slice(1)]: '[Slice]\nAllowedCPUs=0-5\n' });
    const given = async () => (await readCpuFacts(host)).units.find(({ name }) => name === 'system.slice')?.given;
    expect(await given()).toEqual([0, 1, 2, 3, 4, 5]);
    host.files.write({ 'etc/slicectl/reservations/db.slice.conf': '[Reservation]\nSlice=db.slice\nAllowedCPUs=6-7\n' });
    expect(await given()).toEqual([]);
  });

  it('are none where a record cannot be read, since its CPUs would be given away', async () => {
    await using host = await ReservedHost.open();
    host.files.write({ 'etc/slicectl/reservations/db.slice.conf': '[Reservation]\nSlice=db.slice\nAllowedCPUs=x\n' });
    await expect(readCpuFacts(host)).rejects.toMatchObject({ code: 'E_SYNTAX' });
  });

  it('say that the cpuset controller is missing, as in most containers', async () => {
    await using host = await ReservedHost.open();
    host.files.write({ 'sys/fs/cgroup/cgroup.controllers': 'cpu memory pids\n' });
    expect((await readCpuFacts(host)).hasCpuset).toBe(false);
  });

  it('have irqbalance where it is installed or runs, with what others told it to leave alone', async () => {
    await using host = await ReservedHost.open();
    const irqbalance = async () => (await readCpuFacts(host)).irqbalance;
    expect(await irqbalance()).toBeUndefined();
    host.files.write({ 'usr/lib/systemd/system/irqbalance.service': '[Service]\nExecStart=/usr/sbin/irqbalance\n' });
    expect(await irqbalance()).toEqual({ isRunning: false, banned: [] });
    host.files.write({ 'etc/default/irqbalance': 'IRQBALANCE_BANNED_CPULIST=1,9\n' });
    host.task(12, { name: 'irqbalance', cgroup: '0::/system.slice/irqbalance.service\n' });
    expect(await irqbalance()).toEqual({ isRunning: true, banned: [1] });
  });

  it('have what the kernel says of moving interrupts, and what it did not move when it was told to', async () => {
    await using host = await ReservedHost.open();
    const unmoved = { line: 25, of: 'PCI-MSI 2-edge', to: [0, 1], errno: 'ENOSPC' };
    host.files.write({
      'proc/irq/24/smp_affinity_list': '6\n',
      [UNMOVED_PATH]: unmovedText([unmoved]) ?? '',
    });
    chmodSync(`${host.paths.proc}/irq/24/smp_affinity_list`, 0o444);
    const facts = await readCpuFacts(host);
    expect([...facts.movability]).toEqual([[24, 'refuses']]);
    expect(facts.unmoved).toEqual([unmoved]);
    for (const text of ['', '{}', '[null, 1, {"line": 25}]', 'nonsense']) {
      host.files.write({ [UNMOVED_PATH]: text });
      expect((await readCpuFacts(host)).unmoved).toEqual([]);
    }
  });

  it('have where systemd itself begins by its configuration', async () => {
    await using host = await ReservedHost.open();
    host.files.write({ 'etc/systemd/system.conf': '[Manager]\nCPUAffinity=0-3\n' });
    expect((await readCpuFacts(host)).managerAffinity?.cpus).toEqual([0, 1, 2, 3]);
  });

  it('know the boot unit that a package installed from the one that slicectl wrote', async () => {
    await using host = await ReservedHost.open();
    const boot = async () => (await readCpuFacts(host)).boot;
    expect(await boot()).toEqual({ isInstalled: false, ownText: undefined, program: host.program });
    const own = '# Written by slicectl cpus reserve, for boots.\n[Service]\n';
    host.files.write({ 'etc/systemd/system/slicectl-cpus.service': own });
    expect(await boot()).toMatchObject({ isInstalled: false, ownText: own });
    host.files.write({ 'usr/lib/systemd/system/slicectl-cpus.service': '[Service]\n' });
    expect(await boot()).toMatchObject({ isInstalled: true, ownText: own });
  });
});
