import { expect, it } from 'vitest';
import { audit } from '../../../src/cpus/audit/audit.ts';
import { describeWithBus } from '../../fake/daemon.ts';
import { DB_RECORD, DB_TEXT, ReservedHost } from '../reserved-host.ts';

const NOW = { windowMs: 0 };

describeWithBus('an audit of a host', () => {
  it('is clean where files, systemd, kernel and tasks all say what was reserved', async () => {
    await using host = await ReservedHost.open();
    await host.hold();
    host.task(20, { name: 'sshd', cgroup: '0::/system.slice/ssh.service\n', allowed: '0-5' });
    host.task(21, { name: 'postgres', cgroup: '0::/db.slice/pg.service\n', allowed: '6-7' });
    const report = await audit(host, NOW);
    expect(report.findings).toEqual([]);
    expect(report).toMatchObject({ isClean: true, activity: undefined, holds: [{ name: 'db.slice', open: 0 }] });
  });

  it('is clean without a reservation, and asks systemd for no proof', async () => {
    await using host = await ReservedHost.open();
    const report = await audit(host, NOW);
    expect(report).toMatchObject({ isClean: true, records: [], holds: [], findings: [] });
    expect(host.systemd.fake.callsOf('GetUnit')).toEqual([]);
  });

  it('tells breaches before drift, drift before what cannot be moved, and what is worth knowing last', async () => {
    await using host = await ReservedHost.open();
    await host.hold();
    host.unit('user.slice', '');
    host.task(20, { name: 'sshd', cgroup: '0::/system.slice/ssh.service\n', allowed: '0-7' });
    host.task(30, { name: 'kthreadd', flags: 0x0020_0000, allowed: '0-7' });
    host.task(31, { name: 'kworker/6:1', flags: 0x0420_0000, allowed: '6' });
    const { findings, isClean, holds } = await audit(host, NOW);
    expect([...new Set(findings.map(({ severity }) => severity))]).toEqual(['breach', 'drift', 'unmovable', 'info']);
    expect(findings.find(({ severity }) => severity === 'breach')?.what).toContain('sshd');
    expect(findings.filter(({ severity }) => severity === 'drift').map(({ subject }) => subject)).toEqual([
      'system.slice',
      'user.slice',
    ]);
    expect(findings.find(({ kind }) => kind === 'unit-masks')?.what).toMatch(/^1 task of system\.slice may use CPUs/);
    expect(isClean).toBe(false);
    expect(holds).toEqual([{ name: 'db.slice', open: 1 }]);
  });

  it('is clean with what cannot be moved and what is worth knowing', async () => {
    await using host = await ReservedHost.open();
    await host.hold();
    host.task(30, { name: 'kthreadd', flags: 0x0020_0000, allowed: '0-7' });
    host.task(31, { name: 'kworker/6:1', flags: 0x0420_0000, allowed: '6' });
    const { findings, isClean } = await audit(host, NOW);
    expect(findings.map(({ severity }) => severity)).toEqual(['unmovable', 'info']);
    expect(isClean).toBe(true);
  });

  it('says that systemd does not answer, and takes no file of a reservation for a fault then', async () => {
    await using host = await ReservedHost.open();
    await host.hold();
    const { paths, tree, program } = host;
    const { findings, isClean } = await audit({ paths, tree, program, system: undefined }, NOW);
    expect(findings.map(({ kind }) => kind)).toEqual(['systemd-silent']);
    expect(isClean).toBe(false);
  });

  it('finds no fault without systemd where nothing is reserved', async () => {
    await using host = await ReservedHost.open();
    const { paths, tree } = host;
    expect(await audit({ paths, tree, system: undefined }, NOW)).toMatchObject({ findings: [], isClean: true });
  });

  it('looks at one reservation where that is named, against what all of them want', async () => {
    await using host = await ReservedHost.open();
    await host.hold();
    host.files.write({
      'etc/slicectl/reservations/web.slice.conf': '[Reservation]\nSlice=web.slice\nAllowedCPUs=4\n',
    });
    const report = await audit(host, { ...NOW, name: 'web.slice' });
    expect(report.records.map(({ name }) => name)).toEqual(['web.slice']);
    expect(report.holds.map(({ name }) => name)).toEqual(['web.slice']);
    expect(report.wanted.system).toEqual([0, 1, 2, 3, 5]);
  });

  it('is not clean where the unit of a reservation has ended, though all holds', async () => {
    await using host = await ReservedHost.open();
    await host.hold();
    host.files.write({ [DB_RECORD]: `${DB_TEXT}WhileUnit=vm.scope\n` });
    host.systemd.unit('vm.scope').unit('slicectl-while-db.service');
    const kinds = async (): Promise<readonly string[]> => (await audit(host, NOW)).findings.map(({ kind }) => kind);
    expect(await kinds()).not.toContain('while-unit-unwatched');
    host.systemd.fake.units.delete('slicectl-while-db.service');
    expect(await kinds()).toContain('while-unit-unwatched');
    host.systemd.fake.units.delete('vm.scope');
    const { findings, isClean, whileUnits } = await audit(host, NOW);
    expect(findings.map(({ kind }) => kind)).toContain('while-unit-ended');
    expect(whileUnits).toMatchObject([{ unit: 'vm.scope', state: 'ended', watcher: 'stopped' }]);
    expect(isClean).toBe(false);
  });

  it('of a reservation that is not there names those that are', async () => {
    await using host = await ReservedHost.open();
    await expect(audit(host, { ...NOW, name: 'web.slice' })).rejects.toMatchObject({
      code: 'E_INPUT',
      hint: 'slicectl cpus reserve makes one',
    });
    await host.hold();
    await expect(audit(host, { ...NOW, name: 'web.slice' })).rejects.toMatchObject({
      code: 'E_INPUT',
      message: 'there is no reservation for "web.slice"',
      hint: 'there are db.slice',
    });
  });

  it('watches payload CPUs for as long as it was asked to, and not where there are none', async () => {
    await using host = await ReservedHost.open();
    expect((await audit(host, { windowMs: 1 })).activity).toBeUndefined();
    await host.hold();
    expect((await audit(host, { windowMs: 1 })).activity).toBeDefined();
  });
});
