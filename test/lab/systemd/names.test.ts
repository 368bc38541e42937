import { beforeAll, describe, expect, it } from 'vitest';
import { CONTAINERS, Lab } from './support.ts';

describe.each(CONTAINERS)('names of units on $name', ({ name }) => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await Lab.open(name, 'names');
  });

  it('a name that runs is refused and the running unit is not touched', async () => {
    const first = lab.receipt([
      '--unit',
      'taken',
      '--',
      'sh',
      '-c',
      'while [ ! -e /tmp/taken ]; do sleep 0.05; done; exit 3',
    ]);
    await lab.until('systemctl is-active taken.scope');
    const before = await lab.show('taken.scope', 'InvocationID', 'ActiveState', 'Slice');
    const second = await lab.run(['--unit', 'taken.scope', '--', 'touch', '/tmp/second']);
    expect(second.code).toBe(125);
    expect(second.stderr).toBe(
      'slicectl: the unit name taken.scope is in use; choose another --unit, or stop it: systemctl stop taken.scope\n',
    );
    expect(await lab.show('taken.scope', 'InvocationID', 'ActiveState', 'Slice')).toEqual(before);
    await lab.out('test ! -e /tmp/second; touch /tmp/taken');
    expect((await first).code).toBe(3);
    await lab.out('rm /tmp/taken');
    expect(await lab.leftovers('taken*')).toBe('');
  });

  it('the name of a failed unit is cleared and taken', async () => {
    // Without CollectMode= a failed transient unit stays.
    await lab.sh(
      'systemd-run --unit=broken --service-type=exec false; systemd-run --scope --unit=broken -p RuntimeMaxSec=1 sleep 100',
    );
    await lab.until('[ "$(systemctl show broken.scope -p ActiveState --value)" = failed ]');
    expect((await lab.run(['--unit', 'broken', '--', 'sh', '-c', 'exit 4'])).code).toBe(4);
    await lab.until('[ "$(systemctl show broken.service -p ActiveState --value)" = failed ]');
    expect(
      (await lab.piped(['--service', '--wait', '--unit', 'broken', '--', 'sh', '-c', 'sleep 0.2; exit 6'])).code,
    ).toBe(6);
    expect(await lab.leftovers('broken*')).toBe('');
  });

  it('a service that has the name and runs is refused too', async () => {
    await lab.out('systemd-run --quiet --unit=busy sleep 1000');
    const { code, stderr } = await lab.run(['--service', '--unit', 'busy', '--', 'true']);
    expect(code).toBe(125);
    expect(stderr).toContain('the unit name busy.service is in use');
    expect(await lab.out('systemctl is-active busy.service')).toBe('active');
    await lab.out('systemctl stop busy.service');
    expect(await lab.leftovers('busy*')).toBe('');
  });

  it('--slice a-b.slice lies there, as the job itself sees', async () => {
    const { stdout, receipt } = await lab.receipt(['--slice', 'a-b.slice', '--', 'tail', '-1', '/proc/self/cgroup']);
    expect(stdout).toMatch(/^0::\/a\.slice\/a-b\.slice\/a-b-slicectl_[0-9a-z_]+\.slice\/slicectl_[0-9a-z_]+\.scope$/m);
    expect(stdout).toContain(`0::${receipt.cgroup}/`);
  });

  it('--slice-inherit lies below the slice of the caller', async () => {
    const inner = 'slicectl run --slice-inherit --slice c.slice -- tail -1 /proc/self/cgroup';
    const text = await lab.out(`systemd-run --quiet --scope --slice=a-b.slice ${inner}`);
    expect(text).toMatch(/^0::\/a\.slice\/a-b\.slice\/a-b-c\.slice\/a-b-c-slicectl_[0-9a-z_]+\.slice\//);
    const alone = 'slicectl run --slice-inherit -- tail -1 /proc/self/cgroup';
    expect(await lab.out(`systemd-run --quiet --scope --slice=a-b.slice ${alone}`)).toMatch(
      /^0::\/a\.slice\/a-b\.slice\/a-b-slicectl_/,
    );
  });

  it('the description is the one asked for, or the command', async () => {
    const show = ['sh', '-c', 'systemctl show described.scope -p Description --value'];
    const asked = await lab.run(['--unit', 'described', '--description', 'two words %n', '--', ...show]);
    expect(asked.stdout).toBe('two words %n\n');
    const own = await lab.run(['--unit', 'described', '--', ...show]);
    expect(own.stdout).toBe(`${show.join(' ')}\n`);
  });

  it.each([
    ['bad name.slice', 'slice'],
    ['a', 'does not end in .slice; write "a.slice"'],
    ['', 'slice'],
    ['a--b.slice', 'empty level'],
    ['-a.slice', 'empty level'],
    ['a.scope', '.slice'],
    ['a/b.slice', 'slice'],
  ])('the slice name %j is refused before anything runs', async (slice, said) => {
    const { code, stderr } = await lab.run(['--slice', slice, '--', 'touch', '/tmp/bad-slice']);
    expect(code).toBe(125);
    expect(stderr).toMatch(/^slicectl: [^\n]+\n$/);
    expect(stderr).toContain(said);
    await lab.out('test ! -e /tmp/bad-slice');
  });
});
