import { beforeAll, describe, expect, it } from 'vitest';
import { CONTAINERS, Lab } from './support.ts';

const AWAITED = ['--service', '--wait'];

describe.each(CONTAINERS)('a service on $name', ({ name }) => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await Lab.open(name, 'service');
  });

  it('gives the exit status of its command, and 128+N for a death by signal N, also of one that fails at once', async () => {
    for (const [script, status] of [
      ['exit 7', 7],
      ['false', 1],
      ['kill -KILL $$', 137],
      ['sleep 0.3; kill -TERM $$', 143],
    ] as const) {
      const { code, receipt } = await lab.receipt([...AWAITED, '--', 'sh', '-c', script]);
      expect([script, code, receipt.status]).toEqual([script, status, status]);
    }
    expect(await lab.leftovers()).toBe('');
  });

  it('writes to the pipe that slicectl has, both streams apart', async () => {
    const { code, stdout, stderr } = await lab.piped([...AWAITED, '--', 'sh', '-c', 'echo out; echo err >&2']);
    expect([code, stdout, stderr]).toEqual([0, 'out\n', 'err\n']);
  });

  it('writes to the journal under its own name', async () => {
    const run = await lab.piped([
      ...AWAITED,
      '--output',
      'journal',
      '--unit',
      'talks',
      '--',
      'sh',
      '-c',
      'echo said; sleep 0.5',
    ]);
    expect([run.code, run.stdout]).toEqual([0, '']);
    expect(await lab.out('journalctl --sync; journalctl -u talks.service -o cat')).toMatch(/^said$/m);
  });

  it('has the folder, the variables and the nice level that were asked for, and nothing of the caller', async () => {
    const options = ['--working-directory', '/usr', '-E', 'A=one two', '-E', 'B', '--nice', '5'];
    const script = 'pwd; echo "$A|$B|$SECRET"; nice';
    const { stdout } = await lab.piped([...AWAITED, ...options, '--', 'sh', '-c', script], {
      env: { B: 'mine', SECRET: 'no' },
    });
    expect(stdout).toBe('/usr\none two|mine|\n5\n');
  });

  it('takes the start folder of slicectl', async () => {
    expect((await lab.piped([...AWAITED, '--', 'pwd'], { cwd: '/var' })).stdout).toBe('/var\n');
  });

  it('refuses an odd variable name by itself, before systemd would refuse all', async () => {
    const { code, stderr } = await lab.piped([...AWAITED, '-E', 'A-B=1', '--', 'true']);
    expect(code).toBe(125);
    expect(stderr).toContain('A-B');
    expect(stderr).toContain('names have letters, digits and _');
  });

  it('runs as alice with the groups that a login of hers has', async () => {
    await lab.out('groupadd -f crew; usermod -aG crew alice');
    const { stdout } = await lab.piped([...AWAITED, '--uid', 'alice', '--', 'id', '-nG'], { cwd: '/tmp' });
    expect(stdout.trim().split(' ').sort()).toEqual(['alice', 'crew']);
    const scope = await lab.run(['--uid', 'alice', '--', 'id', '-nG'], { cwd: '/tmp' });
    expect(scope.stdout.trim().split(' ').sort()).toEqual(['alice', 'crew']);
  });

  it('leaves $ and % in its arguments alone, and expands variables when told to', async () => {
    const words = ['printf', '%s|', '$A', `\${A}`, '%n', '$$', 'x y'];
    const asIs = await lab.piped([...AWAITED, '-E', 'A=v', '--', ...words]);
    expect(asIs.stdout).toBe(`$A|\${A}|%n|$$|x y|`);
    const expanded = await lab.piped([...AWAITED, '-E', 'A=v', '--expand-environment', 'yes', '--', ...words]);
    expect(expanded.stdout).toBe('v|v|%n|$|x y|');
  });

  it.each([
    ['a program that cannot be executed', [], '/tmp/nonsense', 'the program cannot be executed (203)'],
    ['a folder that alice may not enter', ['--uid', 'alice'], 'true', 'the working directory cannot be entered (200)'],
  ])('with %s says so', async (_, options, command, said) => {
    await lab.out('printf nonsense >/tmp/nonsense; chmod +x /tmp/nonsense');
    const { code, stderr } = await lab.piped([...AWAITED, ...options, '--', command], { cwd: '/root' });
    expect(code).toBe(125);
    expect(stderr).toContain(`systemd could not start the service: ${said}`);
    expect(await lab.leftovers()).toBe('');
  });

  it('that does not exist or is no program is refused with 127 and 126 before systemd is asked', async () => {
    expect((await lab.piped([...AWAITED, '--', 'no-such-program'])).code).toBe(127);
    expect((await lab.piped([...AWAITED, '--', '/etc/passwd'])).code).toBe(126);
  });

  it('alone prints the name of its unit, goes on, and is gone when it ends', async () => {
    const { code, stdout } = await lab.run([
      '--service',
      '--',
      'sh',
      '-c',
      'while [ ! -e /tmp/enough ]; do sleep 0.05; done',
    ]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^slicectl_[0-9a-z_]+\.service\n$/);
    const unit = stdout.trim();
    expect(await lab.show(unit, 'ActiveState', 'CollectMode')).toEqual({
      ActiveState: 'active',
      CollectMode: 'inactive-or-failed',
    });
    await lab.out('touch /tmp/enough');
    await lab.until(`[ "$(systemctl show ${unit} -p LoadState --value)" = not-found ]`);
    await lab.out('rm /tmp/enough');
    expect(await lab.leftovers()).toBe('');
  });

  it.each(['true', 'false'])('alone that is over at once (%s) was started, and does not stay', async (command) => {
    const { code, stdout } = await lab.run(['--service', '--collect', '--', command]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^slicectl_[0-9a-z_]+\.service\n$/);
    expect(await lab.leftovers()).toBe('');
  });

  it('alone whose limit cannot hold never runs', async () => {
    const { code, stderr } = await lab.run(['--service', '--memory', '64M', '--', 'touch', '/tmp/detached-ran']);
    expect(code).toBe(125);
    expect(stderr).toContain('MemoryMax=64M is not in force');
    await lab.out('test ! -e /tmp/detached-ran');
    expect(await lab.leftovers()).toBe('');
  });

  it('of a launcher that goes on does not stay loaded when it is over', async () => {
    const script = `
import { execSync } from 'node:child_process';
import { Launcher } from '/opt/slicectl/dist/index.js';
const launcher = await Launcher.open();
const ends = [];
for (const command of ['true', 'false']) ends.push((await (await launcher.launchService(command)).result).status);
await launcher.startDetached('false');
let left = 'x';
for (let turn = 0; turn < 600 && left !== ''; turn += 1) {
  left = execSync("systemctl list-units --all --plain --no-legend 'slicectl*' '*slicectl_*'", { encoding: 'utf8' });
  await new Promise((resolve) => setTimeout(resolve, 100));
}
console.log(JSON.stringify({ ends, left }));
launcher.close();`;
    const text = await lab.out(`cat >/tmp/loaded.mjs <<'END'\n${script}\nEND\nnode /tmp/loaded.mjs`);
    expect(JSON.parse(text)).toEqual({ ends: [0, 1], left: '' });
  });
});
