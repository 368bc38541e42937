import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseKernelList, parseSystemdList, printSystemdList } from '../../../src/core/cpu-list.ts';
import { parseCpuMask } from '../../../src/core/cpu-mask.ts';
import { type IndexSet, indexSetToPaddedBytes, printIndexSet } from '../../../src/core/cpuset.ts';
import { SlicectlError } from '../../../src/core/errors.ts';
import { CpuLab, NUMA_MACHINES } from './support.ts';
import { KERNEL_LISTS, KERNEL_MASKS, SYSTEMD_LISTS } from './vectors.ts';

/** What of `cpus show --json` is looked at. */
interface Shown {
  readonly topology: {
    readonly possible: string;
    readonly online: string;
    readonly offline: string;
    readonly nodes: readonly { id: number; cpus: string; memoryBytes: number }[];
    readonly caches: readonly { level: number; bytes: number; cpus: string }[];
    readonly cores: readonly { cpus: string; package: number; node: number; cache: number }[];
  };
  readonly cpuset: {
    readonly version: number;
    readonly root: string;
    readonly groups: readonly {
      path: string;
      asked: string | null;
      effective: string;
      partition: { type: string } | null;
    }[];
  };
  readonly access: readonly { cpus: string; groups: readonly string[] }[];
  readonly units: readonly { name: string; allowedCpus: string; effectiveCpus: string; cpuAffinity: string }[];
  readonly pinned: readonly { cgroup: string; allowed: string; threads: number; names: readonly string[] }[];
  readonly interrupts: {
    readonly default: string;
    readonly lines: readonly { number: number; affinity: string | null; effective: string | null }[];
  };
  readonly workqueues: { readonly cpumask: string };
}

describe.each(NUMA_MACHINES)('$name', ({ name }) => {
  let lab: CpuLab;
  const shown = async () => JSON.parse((await lab.done('cpus', 'show', '--json')).stdout) as Shown;
  const file = (path: string) => lab.out(`cat ${path}`);

  beforeAll(async () => {
    lab = await CpuLab.open(name, 'ground');
  });
  afterAll(() => lab?.down());

  describe('the machine', () => {
    it('has 8 CPUs as 2 packages and nodes, 2 cores each, 2 threads each', async () => {
      const perCpu = await lab.out(`cd /sys/devices/system/cpu; for cpu in 0 1 2 3 4 5 6 7; do
        echo $(cd cpu$cpu; cat topology/physical_package_id topology/core_cpus_list cache/index2/shared_cpu_list cache/index3/shared_cpu_list); done`);
      expect(perCpu.split('\n')).toEqual([
        ...Array(2).fill('0 0-1 0-1 0-3'),
        ...Array(2).fill('0 2-3 2-3 0-3'),
        ...Array(2).fill('1 4-5 4-5 4-7'),
        ...Array(2).fill('1 6-7 6-7 4-7'),
      ]);
      expect(await file('/sys/devices/system/node/node[01]/cpulist')).toBe('0-3\n4-7');
    });

    it('has cpuset on cgroup v2, which systemd has not switched on', async () => {
      expect(await lab.out('stat -f -c %T /sys/fs/cgroup')).toBe('cgroup2fs');
      expect((await file('/sys/fs/cgroup/cgroup.controllers')).split(' ')).toContain('cpuset');
      expect((await file('/sys/fs/cgroup/cgroup.subtree_control')).split(' ')).not.toContain('cpuset');
    });

    it('has tasks of each kind, and all CPUs open to what is no kernel thread of one CPU', async () => {
      const masks = await lab.masks();
      expect(new Set(masks.map(({ kind }) => kind))).toEqual(new Set(['user', 'per-cpu', 'fixed', 'movable']));
      const narrow = masks.filter(({ kind, allowed }) => kind === 'user' && allowed.length < 8);
      expect(narrow).toEqual([]);
      expect(masks.find(({ tid }) => tid === 1)).toMatchObject({ comm: 'systemd', cgroup: '/init.scope' });
      expect(masks.filter(({ comm }) => comm.startsWith('migration/')).map(({ kind }) => kind)).toEqual(
        Array(8).fill('per-cpu'),
      );
    });
  });

  describe('slicectl cpus show', () => {
    it('reads what lscpu and the kernel read', async () => {
      const { topology, cpuset, interrupts, workqueues } = await shown();
      interface Row {
        readonly [column: string]: unknown;
      }
      const { cpus } = JSON.parse(await lab.out('lscpu -J -e=CPU,NODE,SOCKET,CORE,CACHE')) as { cpus: readonly Row[] };
      const column = (key: string) => cpus.map((row) => Number(row[key]));
      /** `0-1` of each CPU that has the same value in a column. */
      const alike = (values: readonly unknown[]) =>
        [...new Set(values)].map((value) =>
          printIndexSet(values.flatMap((each, cpu) => (each === value ? [cpu] : []))),
        );
      expect(topology.cores.map((core) => core.cpus)).toEqual(alike(column('core')));
      expect(topology.nodes.map((node) => node.cpus)).toEqual(alike(column('node')));
      const caches = cpus.map((row) => Object.entries(row).find(([key]) => key.includes('l3'))?.[1]);
      expect(topology.caches.map((cache) => cache.cpus)).toEqual(
        alike(caches.map((ids) => String(ids).split(':').at(-1))),
      );
      expect(topology.caches.map(({ level, bytes }) => [level, bytes])).toEqual(Array(2).fill([3, 16 * 1024 * 1024]));
      const sockets = column('socket');
      for (const { cpus: list, package: id } of topology.cores) expect(sockets[Number(list.split('-')[0])]).toBe(id);
      const system = '/sys/devices/system/cpu';
      expect([topology.possible, topology.online]).toEqual([
        await file(`${system}/possible`),
        await file(`${system}/online`),
      ]);
      for (const { id, memoryBytes } of topology.nodes) {
        const kib = await lab.out(
          `sed -n 's/.*MemTotal: *\\([0-9]*\\) kB/\\1/p' /sys/devices/system/node/node${id}/meminfo`,
        );
        expect(memoryBytes).toBe(Number(kib) * 1024);
      }
      expect(cpuset).toMatchObject({ version: 2, root: '0-7' });
      const lines = await lab.out(`cd /proc/irq; for irq in [0-9]*; do echo $irq $(cat $irq/smp_affinity_list); done`);
      expect(interrupts.lines.map(({ number, affinity }) => `${number} ${affinity}`).sort()).toEqual(
        lines.split('\n').sort(),
      );
      const mask = await file('/sys/devices/virtual/workqueue/cpumask');
      expect(workqueues.cpumask).toBe(printIndexSet(parseCpuMask(mask, 'workqueue', 7)));
    });

    it('draws it', async () => {
      const { stdout } = await lab.done('cpus', 'show');
      const lines = stdout.split('\n').map((line) => line.replace(/\b\d+M$/, 'xM'));
      expect(lines.slice(0, 8)).toEqual([
        '8 CPUs online: 2 packages, 2 NUMA nodes, 2 L3 caches, 4 cores with 2 threads',
        'package 0',
        '  node 0, xM',
        '    L3 16M  [0b 1 ] [2  3 ]',
        'package 1',
        '  node 1, xM',
        '    L3 16M  [4  5 ] [6  7 ]',
        'b boot CPU',
      ]);
      expect(stdout).toContain('  payload CPUs none: nothing is reserved\n  system CPUs  0-7\n');
      expect(stdout).toContain('Who may run where\n  0-7: every group\n');
    });

    it('says so when a CPU is offline', async () => {
      await lab.out('echo 0 >/sys/devices/system/cpu/cpu7/online');
      try {
        const { topology } = await shown();
        expect(topology).toMatchObject({ possible: '0-7', online: '0-6', offline: '7' });
        expect(topology.cores.map(({ cpus }) => cpus)).toEqual(['0-1', '2-3', '4-5', '6']);
      } finally {
        await lab.out('echo 1 >/sys/devices/system/cpu/cpu7/online');
      }
    });

    it('says who may run where once slices are narrow, as systemd and the kernel have it', async () => {
      const sets = { 'system.slice': '0-5', 'user.slice': '0-1,4', 'init.scope': '0-5', 'ground.slice': '6-7' };
      for (const [unit, list] of Object.entries(sets))
        await lab.out(`systemctl set-property --runtime ${unit} AllowedCPUs=${list}`);
      await lab.out(`systemd-run --quiet --unit=ground-payload --slice=ground.slice sleep infinity
        systemd-run --quiet --unit=ground-root --slice=-.slice sleep infinity
        systemd-run --quiet --unit=ground-affine --property=CPUAffinity=2-3 sleep infinity
        systemd-run --quiet --unit=ground-taskset taskset -c 4 sleep infinity`);
      await lab.until(`[ "$(taskset -cp $(systemctl show -P MainPID ground-taskset) | sed 's/.* //')" = 4 ]`);

      const { cpuset, access, units, pinned } = await shown();
      const groups = (await lab.out('cd /sys/fs/cgroup; ls -d */'))
        .split('\n')
        .map((group) => `/${group.slice(0, -1)}`);
      expect(cpuset.groups.map(({ path }) => path).filter((path) => groups.includes(path))).toEqual(groups.sort());
      const files = await lab.out(`for group in ${cpuset.groups.map(({ path }) => `'${path}'`).join(' ')}; do
        (cd /sys/fs/cgroup$group; echo "$group $(cat cpuset.cpus) $(cat cpuset.cpus.effective) $(cat cpuset.cpus.partition)"); done`);
      expect(
        cpuset.groups.map(
          ({ path, asked, effective, partition }) => `${path} ${asked} ${effective} ${partition?.type}`,
        ),
      ).toEqual(files.split('\n'));

      expect(units.map((unit) => [unit.name, unit.allowedCpus, unit.effectiveCpus, unit.cpuAffinity])).toEqual(
        [
          ...Object.entries(sets).map(([unit, list]) => [unit, list, list, '']),
          ['ground-affine.service', '', '', '2-3'],
        ].sort((a, b) => ((a[0] ?? '') < (b[0] ?? '') ? -1 : 1)),
      );
      expect(pinned).toEqual([
        { cgroup: '/system.slice/ground-affine.service', allowed: '2-3', threads: 1, names: ['sleep'] },
        { cgroup: '/system.slice/ground-taskset.service', allowed: '4', threads: 1, names: ['sleep'] },
      ]);
      const openTo = (group: string) => access.flatMap((one) => (one.groups.includes(group) ? one.cpus : [])).join();
      expect(openTo('/ground.slice')).toBe('6-7');
      expect(openTo('/init.scope')).toBe('0-1,4,2-3,5');
      expect(openTo('/ground-root.service')).toBe('0-1,4,2-3,5,6-7');

      const users = (await lab.whoMayRunOn('6-7')).filter(({ kind }) => kind === 'user');
      expect(new Set(users.map(({ cgroup }) => cgroup))).toEqual(
        new Set(['/ground-root.service', '/ground.slice/ground-payload.service']),
      );
      const { stdout } = await lab.done('cpus', 'show');
      expect(stdout).toContain(`  0-1,4: all but ground.slice
  2-3,5: all but ground.slice, user.slice
  6-7: all but init.scope, system.slice, user.slice
`);
      expect(stdout).toMatch(/^\/ground\.slice +6-7 +6-7 +member$/m);
      expect(stdout).toMatch(/^ground-affine\.service +active +- +- +2-3$/m);
      await lab.out(`systemctl stop 'ground-*.service'
        for unit in system.slice user.slice init.scope ground.slice; do systemctl set-property --runtime $unit AllowedCPUs=0-7; done`);
    });
  });

  describe('codecs', () => {
    /** What a file of the kernel makes of each text: the file's text afterwards, or the name of the error. */
    async function written(path: string, between: string, texts: readonly string[]): Promise<string[]> {
      const input = texts.map((text) => Buffer.from(text).toString('hex')).join('\n');
      const perl = `use Errno qw(:POSIX); for my $hex (<STDIN>) {
        chomp $hex;
        my $put = sub { open(my $f, '>', '${path}') or die; syswrite($f, $_[0]) // $! };
        $put->(${between});
        my $error = $put->(pack 'H*', $hex);
        my ($name) = grep { $!{$_} } qw(EINVAL ERANGE EOVERFLOW ENOSPC) if $error !~ /^[0-9]/;
        open(my $f, '<', '${path}') or die; my $now = <$f> // ''; chomp $now;
        print(($error =~ /^[0-9]+$/ ? $now : $name // $error), "\\n");
      }`;
      await lab.write('/tmp/written.pl', perl);
      return (await lab.sh('perl /tmp/written.pl', { input: `${input}\n` })).stdout.slice(0, -1).split('\n');
    }

    /** The set as text, or the errno of our refusal. */
    function ours(parse: () => IndexSet): string {
      try {
        return printIndexSet(parse());
      } catch (error) {
        if (error instanceof SlicectlError) return String(error.data?.errno);
        throw error;
      }
    }

    const pairs = (texts: readonly string[], answers: readonly string[]) =>
      texts.map((text, at) => [text, answers[at]]);

    it('read lists as cpuset.cpus does', async () => {
      const had = await file('/sys/fs/cgroup/cgroup.subtree_control');
      await lab.out(`echo +cpuset >/sys/fs/cgroup/cgroup.subtree_control; mkdir /sys/fs/cgroup/ground`);
      const said = await written('/sys/fs/cgroup/ground/cpuset.cpus', `"5\\n"`, KERNEL_LISTS);
      await lab.out('rmdir /sys/fs/cgroup/ground');
      if (!had.includes('cpuset')) await lab.out('echo -cpuset >/sys/fs/cgroup/cgroup.subtree_control');
      // cgroup takes blanks off both ends first (strstrip).
      const expected = KERNEL_LISTS.map((text) => ours(() => parseKernelList(text.trim(), 'cpuset.cpus', 7)));
      expect(pairs(KERNEL_LISTS, expected)).toEqual(pairs(KERNEL_LISTS, said));
    });

    it('read lists as smp_affinity_list does', async () => {
      const irq = await lab.out(`sed -n 's/^ *\\([0-9]*\\):.*virtio0-input.0$/\\1/p' /proc/interrupts`);
      const said = await written(`/proc/irq/${irq}/smp_affinity_list`, `"5\\n"`, KERNEL_LISTS);
      // An interrupt must come somewhere.
      const expected = KERNEL_LISTS.map(
        (text) => ours(() => parseKernelList(text, 'smp_affinity_list', 7)) || 'EINVAL',
      );
      expect(pairs(KERNEL_LISTS, expected)).toEqual(pairs(KERNEL_LISTS, said));
    });

    it('read masks as default_smp_affinity does', async () => {
      const said = await written('/proc/irq/default_smp_affinity', `"20\\n"`, KERNEL_MASKS);
      await lab.out('echo ff >/proc/irq/default_smp_affinity');
      const lists = said.map((text) => (/^[0-9a-f,]+$/.test(text) ? printIndexSet(parseCpuMask(text, 'it', 7)) : text));
      const expected = KERNEL_MASKS.map(
        (text) => ours(() => parseCpuMask(text, 'default_smp_affinity', 7)) || 'EINVAL',
      );
      expect(pairs(KERNEL_MASKS, expected)).toEqual(pairs(KERNEL_MASKS, lists));
    });

    it('read, print and encode lists as systemd does', async () => {
      const unit = (at: number) => `vector${at}.slice`;
      const texts = SYSTEMD_LISTS.map((text, at) => `${unit(at)}\t[Slice]\n${unit(at)}\tAllowedCPUs=${text}`).join(
        '\n',
      );
      await lab.out(
        `cd /run/systemd/system && while IFS="$(printf '\\t')" read -r unit line; do printf '%s\\n' "$line" >>"$unit"; done; systemctl daemon-reload`,
        { input: `${texts}\n` },
      );
      const units = SYSTEMD_LISTS.map((_, at) => unit(at));
      const said = await lab.out(`systemctl show --property=AllowedCPUs ${units.join(' ')} | grep .`);
      const shownByIt = said.split('\n').map((line) => line.replace('AllowedCPUs=', ''));
      const read = SYSTEMD_LISTS.map((text): IndexSet => {
        try {
          return parseSystemdList(text, 'AllowedCPUs');
        } catch {
          return [];
        }
      });
      expect(pairs(SYSTEMD_LISTS, read.map(printSystemdList))).toEqual(pairs(SYSTEMD_LISTS, shownByIt));

      const lists = ['0', '0-3,6', '63', '64', '65-127', '0 8191'];
      const at = lists.map((list) => SYSTEMD_LISTS.indexOf(list));
      const bytes = await lab.out(`for number in ${at.join(' ')}; do
        busctl get-property org.freedesktop.systemd1 /org/freedesktop/systemd1/unit/vector\${number}_2eslice org.freedesktop.systemd1.Slice AllowedCPUs; done`);
      const encoded = lists.map((list) => {
        const own = indexSetToPaddedBytes(parseSystemdList(list, 'AllowedCPUs'));
        return ['ay', own.length, ...own].join(' ');
      });
      expect(encoded).toEqual(bytes.split('\n'));
      await lab.out('rm /run/systemd/system/vector*.slice; systemctl daemon-reload');
    });
  });
});
