import { expect, it } from 'vitest';
import type { UnitFacts } from '../../src/cpus/model.ts';
import { readUnitFacts } from '../../src/cpus/unit-facts.ts';
import { RootTree } from '../../src/host/root-tree.ts';
import { describeWithBus } from '../fake/daemon.ts';
import { type FakeProperties, PrivateSystemd } from '../fake/private-systemd.ts';
import { FakeHost } from './fake-host.ts';

/** What a loaded unit of systemd's has where nobody set anything. */
function usual(slice: string, cgroup: string, more: FakeProperties = {}): FakeProperties {
  return {
    Slice: slice,
    ControlGroup: cgroup,
    AllowedCPUs: [],
    EffectiveCPUs: [],
    AllowedMemoryNodes: [],
    CPUAffinity: [],
    Transient: false,
    FragmentPath: '',
    DropInPaths: [],
    ...more,
  };
}

const OWN = '/etc/systemd/system/system.slice.d/zz-slicectl-cpus.conf';
const THEIRS = '/etc/systemd/system/system.slice.d/70-theirs.conf';
const LIVE = '/run/systemd/system.control/system.slice.d/50-AllowedCPUs.conf';
const LIVE_NODES = '/run/systemd/system.control/system.slice.d/50-AllowedMemoryNodes.conf';

/** Facts of the units that these files and this systemd make. */
async function facts(
  systemd: PrivateSystemd,
  files: Readonly<Record<string, string>> = {},
  isHeld = true,
): Promise<readonly UnitFacts[]> {
  using host = new FakeHost();
  host.write(Object.fromEntries(Object.entries(files).map(([path, text]) => [path.slice(1), text])));
  return await readUnitFacts(systemd.link, new RootTree(host.root), isHeld);
}

const namesOf = (units: readonly UnitFacts[]): readonly string[] => units.map(({ name }) => name);

describeWithBus('units of which reservations have to know', () => {
  it('are all slices, init.scope and what is in the root slice, and others that set CPUs', async () => {
    await using systemd = await PrivateSystemd.open();
    systemd
      .unit('-.slice', usual('', ''))
      .unit('user.slice', usual('-.slice', '/user.slice'))
      .unit('init.scope', usual('-.slice', '/init.scope'))
      .unit('loose.service', usual('-.slice', '/loose.service'))
      .unit('plain.service', usual('system.slice', '/system.slice/plain.service'))
      .unit('session-1.scope', usual('user-0.slice', '/user.slice/user-0.slice/session-1.scope'))
      .unit('pinned.service', usual('system.slice', '/system.slice/pinned.service', { CPUAffinity: [2, 64] }))
      .unit('vm.scope', usual('machine.slice', '/machine.slice/vm.scope', { AllowedCPUs: [3] }))
      .unit('boot.mount', usual('system.slice', '/system.slice/boot.mount', { AllowedCPUs: [3] }));
    const units = await facts(systemd);
    expect(namesOf(units)).toEqual([
      '-.slice',
      'init.scope',
      'loose.service',
      'pinned.service',
      'user.slice',
      'vm.scope',
    ]);
    expect(units[0]).toMatchObject({ slice: '', cgroup: '' });
    expect(units[2]).toMatchObject({ slice: '-.slice', cgroup: '/loose.service', allowed: [], affinity: [] });
    expect(units[3]).toMatchObject({ affinity: [2, 64], allowed: [] });
    expect(units[5]).toMatchObject({ slice: 'machine.slice', allowed: [3], affinity: [] });
  });

  it('have what systemd and what the kernel says of them, with their state and files', async () => {
    await using systemd = await PrivateSystemd.open();
    const set = { AllowedCPUs: [0, 1, 2], EffectiveCPUs: [0, 1], AllowedMemoryNodes: [1], Transient: true };
    const files = { FragmentPath: '/run/systemd/transient/a.slice', DropInPaths: [LIVE] };
    systemd.unit('a.slice', usual('-.slice', '/a.slice', { ...set, ...files }), 'activating');
    expect(await facts(systemd)).toEqual([
      {
        name: 'a.slice',
        activeState: 'activating',
        allowed: [0, 1, 2],
        effective: [0, 1],
        affinity: [],
        memoryNodes: [1],
        slice: '-.slice',
        cgroup: '/a.slice',
        isTransient: true,
        dropIns: [LIVE],
        given: [],
        givenNodes: [],
      },
    ]);
  });

  it('were given what files of others say, and not what those of slicectl do', async () => {
    await using systemd = await PrivateSystemd.open();
    const fragment = '/usr/lib/systemd/system/system.slice';
    const paths = { FragmentPath: fragment, DropInPaths: [OWN, THEIRS] };
    systemd.unit('system.slice', usual('-.slice', '/system.slice', { AllowedCPUs: [0, 1, 2, 3, 4, 5, 6], ...paths }));
    const [unit] = await facts(systemd, {
      [fragment]: '[Slice]\nAllowedCPUs=0-1\nAllowedMemoryNodes=0\n',
      [OWN]: '[Slice]\nAllowedCPUs=\nAllowedCPUs=0-5\n',
      [THEIRS]: '[Slice]\nAllowedCPUs=6\nAllowedMemoryNodes=1\n',
    });
    expect(unit).toMatchObject({ given: [0, 1, 6], givenNodes: [0, 1], dropIns: [OWN, THEIRS] });
  });

  it('were given nothing by an empty assignment, nor by one that systemd does not read', async () => {
    await using systemd = await PrivateSystemd.open();
    systemd.unit('system.slice', usual('-.slice', '/system.slice', { DropInPaths: [THEIRS] }));
    const given = async (text: string) => (await facts(systemd, { [THEIRS]: `[Slice]\n${text}` }))[0]?.given;
    expect(await given('AllowedCPUs=0-3\nAllowedCPUs=\n')).toEqual([]);
    expect(await given('AllowedCPUs=0-3\nAllowedCPUs=\nAllowedCPUs=5\n')).toEqual([5]);
    expect(await given('AllowedCPUs=0-3\nAllowedCPUs=all of them\n')).toEqual([0, 1, 2, 3]);
    expect(await given('AllowedCPUs=0-3 \\\n  6 # no comment')).toEqual([]);
    expect(await given('AllowedCPUs=0-3\n[Install]\nAllowedCPUs=5\n[X-Fleet]\nAllowedCPUs=6\n')).toEqual([0, 1, 2, 3]);
    expect(await given('AllowedCPUs=0-3 \\\n  6')).toEqual([0, 1, 2, 3, 6]);
  });

  it('have of set-property until reboot what slicectl did itself while reservations hold, and else what others did', async () => {
    await using systemd = await PrivateSystemd.open();
    systemd.unit('system.slice', usual('-.slice', '/system.slice', { DropInPaths: [LIVE, LIVE_NODES] }));
    const files = { [LIVE]: '[Slice]\nAllowedCPUs=0-5\n', [LIVE_NODES]: '[Slice]\nAllowedMemoryNodes=0\n' };
    expect((await facts(systemd, files, true))[0]).toMatchObject({ given: [], givenNodes: [] });
    expect((await facts(systemd, files, false))[0]).toMatchObject({ given: [0, 1, 2, 3, 4, 5], givenNodes: [0] });
  });

  it('were given nothing by a file that is gone again', async () => {
    await using systemd = await PrivateSystemd.open();
    systemd.unit('system.slice', usual('-.slice', '/system.slice', { DropInPaths: [THEIRS] }));
    expect((await facts(systemd))[0]).toMatchObject({ given: [], dropIns: [THEIRS] });
  });

  it('are not those of which systemd found no file, or a wrong one', async () => {
    await using systemd = await PrivateSystemd.open();
    systemd.unit('a.slice', usual('-.slice', '/a.slice'));
    for (const loadState of ['not-found', 'masked', 'bad-setting', 'error']) {
      systemd.fake.units.set(`${loadState}.slice`, {
        properties: new Map(),
        activeState: 'inactive',
        refs: 0,
        loadState,
      });
    }
    expect(namesOf(await facts(systemd))).toEqual(['a.slice']);
  });

  it('may go while they are asked for: a service is left out, and a slice has no sets', async () => {
    await using systemd = await PrivateSystemd.open();
    const { fake } = systemd;
    systemd.unit('gone.service', usual('system.slice', '/system.slice/gone.service', { AllowedCPUs: [1] }));
    systemd.unit('gone.slice', usual('-.slice', '/gone.slice', { AllowedCPUs: [1] }));
    systemd.unit('stays.slice', usual('-.slice', '/stays.slice', { AllowedCPUs: [1] }));
    fake.behaviour.onCall = ({ member }) => {
      if (member !== 'Get') return;
      fake.units.delete('gone.service');
      fake.units.delete('gone.slice');
    };
    const units = await facts(systemd);
    expect(namesOf(units)).toEqual(['gone.slice', 'stays.slice']);
    expect(units[0]).toMatchObject({ allowed: [], effective: [], memoryNodes: [], given: [], cgroup: '', dropIns: [] });
    expect(units[1]).toMatchObject({ allowed: [1] });
  });

  it('of a systemd that does not know the properties have no sets', async () => {
    await using systemd = await PrivateSystemd.open();
    systemd.unit('system.slice', { Slice: '-.slice', ControlGroup: '/system.slice', DropInPaths: [] });
    systemd.unit('a.service', { Slice: 'system.slice', ControlGroup: '/system.slice/a.service', CPUAffinity: [1] });
    expect(await facts(systemd)).toMatchObject([
      { name: 'a.service', allowed: [], effective: [], affinity: [1], memoryNodes: [], isTransient: false },
      { name: 'system.slice', allowed: [], effective: [], affinity: [], cgroup: '/system.slice' },
    ]);
  });

  it('are not read from a manager that refuses to tell of them', async () => {
    await using systemd = await PrivateSystemd.open();
    systemd.fake.behaviour.denied.add('ListUnitsByPatterns');
    await expect(facts(systemd)).rejects.toMatchObject({ message: expect.stringContaining('ListUnitsByPatterns') });
  });
});

describeWithBus('units that are not loaded', () => {
  it('are known by what their files say about CPUs, each in its slice', async () => {
    await using systemd = await PrivateSystemd.open();
    const units = await facts(systemd, {
      '/etc/systemd/system/later.slice': '[Slice]\nAllowedCPUs=2-3\n',
      '/etc/systemd/system/deep-er.slice': '[Slice]\nAllowedCPUs=1\n',
      '/usr/lib/systemd/system/pinned.service': '[Service]\nExecStart=/bin/true\n',
      '/etc/systemd/system/pinned.service.d/cpu.conf': '[Service]\nCPUAffinity=4\n',
      '/usr/lib/systemd/system/plain.service': '[Service]\nExecStart=/bin/true\n',
      '/usr/lib/systemd/system/other.service': '[Unit]\n[X-Fleet]\nCPUAffinity=1\n',
      '/etc/systemd/system/a.mount': '[Mount]\nAllowedCPUs=1\n',
    });
    expect(units).toMatchObject([
      { name: 'deep-er.slice', slice: 'deep.slice', given: [1], activeState: 'inactive', cgroup: '' },
      { name: 'later.slice', slice: '-.slice', given: [2, 3], allowed: [2, 3], affinity: [] },
      { name: 'pinned.service', slice: 'system.slice', given: [], affinity: [4] },
    ]);
    expect(units[1]?.dropIns).toEqual(['/etc/systemd/system/later.slice']);
  });

  it('have what stays of several files, of equal names that of the folder that counts', async () => {
    await using systemd = await PrivateSystemd.open();
    const units = await facts(systemd, {
      '/etc/systemd/system/later.slice': '[Slice]\nAllowedCPUs=2\n',
      '/usr/lib/systemd/system/later.slice': '[Slice]\nAllowedCPUs=7\n',
      '/etc/systemd/system/later.slice.d/b.conf': '[Slice]\nAllowedCPUs=4\n',
      '/run/systemd/system/later.slice.d/a.conf': '[Slice]\nAllowedCPUs=\nAllowedCPUs=3\n',
      '/run/systemd/system/later.slice.d/b.conf': '[Slice]\nAllowedCPUs=5\n',
      '/run/systemd/system/later.slice.d/b.conf.bak': '[Slice]\nAllowedCPUs=6\n',
      '/etc/systemd/system/reset.slice': '[Slice]\nAllowedCPUs=1\n',
      '/etc/systemd/system/reset.slice.d/z.conf': '[Slice]\nAllowedCPUs=\n',
    });
    expect(units.map(({ name, given }) => [name, given])).toEqual([['later.slice', [3, 4]]]);
  });

  it('are in the slice that the last of their files names, where that is one', async () => {
    await using systemd = await PrivateSystemd.open();
    const service = (slice: string): string => `[Service]\n${slice}CPUAffinity=1\n`;
    const units = await facts(systemd, {
      '/etc/systemd/system/db.service': service('Slice=old.slice\n'),
      '/etc/systemd/system/db.service.d/slice.conf': '[Service]\nSlice=db.slice\n',
      '/etc/systemd/system/loose.service': service('Slice=-.slice\n'),
      '/etc/systemd/system/reset.service': service('Slice=old.slice\nSlice=\n'),
      '/etc/systemd/system/vm@.service': service('Slice=vm-%i.slice\n'),
      '/etc/systemd/system/wrong.service': '[Unit]\nSlice=old.slice\n[Service]\nCPUAffinity=1\n',
    });
    expect(units.map(({ name, slice }) => [name, slice])).toEqual([
      ['db.service', 'db.slice'],
      ['loose.service', '-.slice'],
      ['reset.service', 'system.slice'],
      ['vm@.service', 'vm.slice'],
      ['wrong.service', 'system.slice'],
    ]);
  });

  it('are told once where they are loaded, and then by systemd', async () => {
    await using systemd = await PrivateSystemd.open();
    systemd.unit('later.slice', usual('-.slice', '/later.slice'));
    const units = await facts(systemd, { '/etc/systemd/system/later.slice': '[Slice]\nAllowedCPUs=2\n' });
    expect(units).toMatchObject([{ name: 'later.slice', activeState: 'active', given: [], allowed: [] }]);
  });

  it('are not slices of which only files of slicectl speak', async () => {
    await using systemd = await PrivateSystemd.open();
    const files = {
      '/etc/systemd/system/later.slice.d/zz-slicectl-cpus.conf': '[Slice]\nAllowedCPUs=2\n',
      '/run/systemd/system/later.slice.d/zzz-slicectl-cpus.conf': '[Slice]\nAllowedCPUs=2\n',
      '/run/systemd/system.control/live.slice.d/50-AllowedCPUs.conf': '[Slice]\nAllowedCPUs=2\n',
    };
    expect(await facts(systemd, files, true)).toEqual([]);
    expect(namesOf(await facts(systemd, files, false))).toEqual(['live.slice']);
  });

  it('are not what is said of many units at once', async () => {
    await using systemd = await PrivateSystemd.open();
    const text = '[Slice]\nAllowedCPUs=2\n';
    const units = await facts(systemd, {
      '/etc/systemd/system/slice.d/all.conf': text,
      '/etc/systemd/system/app-.slice.d/prefix.conf': text,
    });
    expect(units).toEqual([]);
  });
});
