import { beforeAll, describe, expect, it } from 'vitest';
import { CONTAINERS, Lab } from './support.ts';

interface Dry {
  readonly unit: string;
  readonly steps: readonly {
    readonly unit: string;
    readonly properties: readonly (readonly [string, string, unknown])[];
    readonly auxiliary: readonly {
      readonly unit: string;
      readonly properties: readonly (readonly [string, string, unknown])[];
    }[];
  }[];
}

describe.each(CONTAINERS)('limits on $name', ({ name }) => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await Lab.open(name, 'force');
  });

  it.each([
    ['--memory', '64M', 'MemoryMax=64M', 'memory'],
    ['--tasks', '5', 'TasksMax=5', 'pids'],
    ['--cpu', '50%', 'CPUQuota=50%', 'cpu'],
    ['--cpus', '0', 'AllowedCPUs=0', 'cpuset'],
  ])('%s %s, which systemd accepts and no kernel here holds, is refused with cause and cure', async (flag, value, text, controller) => {
    const { code, stderr } = await lab.run([flag, value, '--', 'touch', '/tmp/limit-ran']);
    expect(code).toBe(125);
    expect(stderr).toMatch(/^slicectl: [^\n]+\n$/);
    expect(stderr).toContain(`${text} is not in force: the ${controller} controller is not in / of cgroup v2`);
    expect(stderr).toContain('or give --best-effort');
    await lab.out('test ! -e /tmp/limit-ran');
    expect(await lab.leftovers()).toBe('');
  });

  it('with --best-effort runs with a note, and the receipt says that it was not in force', async () => {
    const { code, stderr, receipt } = await lab.receipt([
      '--memory',
      '64M',
      '--best-effort',
      '--',
      'sh',
      '-c',
      'exit 3',
    ]);
    expect(code).toBe(3);
    expect(stderr).toContain('slicectl: note: MemoryMax=64M is not in force');
    expect(receipt.limits).toEqual([{ name: 'MemoryMax', asked: '64M', inForce: null, heldBy: null }]);
    expect(receipt.notes).toHaveLength(1);
  });

  it('of plain cgroups are refused on a host that systemd runs, and taken in a delegated scope, where they are proved', async () => {
    const plain = 'slicectl run --backend cgroup-v2';
    const outside = await lab.sh(`${plain} -- true`);
    expect(outside.code).toBe(125);
    expect(outside.stderr).toContain(
      'belongs to the running systemd and is not delegated to us; use --backend systemd',
    );
    const delegated = 'systemd-run --scope --quiet -p Delegate=yes';
    const inside = await lab.sh(`${delegated} ${plain} -- sh -c 'tail -1 /proc/self/cgroup; exit 5'`);
    expect(inside.code).toBe(5);
    expect(inside.stdout).toMatch(/^0::\/system\.slice\/run-[^/]+\.scope\/slicectl_[0-9a-z_]+\.scope\n$/);
    const limited = await lab.sh(`${delegated} ${plain} --memory 64M -- touch /tmp/limit-ran`);
    expect(limited.code).toBe(125);
    expect(limited.stderr).toContain('MemoryMax=64M cannot be held here: memory is not in ');
    await lab.out('test ! -e /tmp/limit-ran');
    expect(await lab.leftovers()).toBe('');
  });

  it('as a dry run prints them are those that the units have', async () => {
    const options = [
      '--unit',
      'shown',
      '--memory',
      '64M',
      '--weight',
      '300',
      '--tasks',
      '77',
      '-p',
      'RuntimeMaxSec=100',
      '--best-effort',
    ];
    const dry = JSON.parse((await lab.run(['--dry-run', '--json', ...options, '--', 'sleep', '1000'])).stdout) as Dry;
    expect(await lab.leftovers('shown*')).toBe('');
    const job = lab.run([...options, '--', 'sleep', '1000']);
    await lab.until('systemctl is-active --quiet shown.scope');
    const slice = (await lab.show('shown.scope', 'Slice')).Slice ?? '';
    const [step] = dry.steps;
    const expected = (list: readonly (readonly [string, string, unknown])[]) =>
      list
        .filter(([, signature, value]) => signature === 't' || typeof value === 'boolean')
        .map(([property]) => property);
    for (const [unit, list] of [
      ['shown.scope', step?.properties ?? []],
      [slice, step?.auxiliary[0]?.properties ?? []],
    ] as const) {
      for (const property of expected(list)) {
        const [, , value] = list.find(([each]) => each === property) ?? [];
        if (property === 'AddRef') continue;
        const path = `/org/freedesktop/systemd1/unit/${[...unit].map((c) => (/[A-Za-z0-9]/.test(c) ? c : `_${c.charCodeAt(0).toString(16)}`)).join('')}`;
        const type = unit.endsWith('.scope') ? 'Scope' : 'Slice';
        const got = await lab.out(
          `busctl get-property org.freedesktop.systemd1 ${path} org.freedesktop.systemd1.${type} ${property}`,
        );
        const sent = typeof value === 'boolean' ? `b ${value}` : `t ${value}`;
        expect(`${property} ${got}`).toBe(`${property} ${sent}`);
      }
    }
    await lab.out('systemctl stop shown.scope');
    expect((await job).code).toBe(143);
    expect(await lab.leftovers('shown*')).toBe('');
  });
});
