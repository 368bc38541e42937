import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { catalogue } from './catalogue.ts';
import { chosen } from './chosen.ts';
import { leave } from './lifecycle.ts';
import { machine } from './machine.ts';
import { machineFolder } from './paths.ts';
import { isAlive } from './process.ts';
import { readRecord, thisFile } from './record.ts';

/** Machines to try, all unless SLICECTL_LAB names some, separated by commas. */
const tried = chosen ?? catalogue.filter((spec) => !spec.onRequest).map((spec) => spec.name);

describe.each(catalogue.filter((spec) => tried.includes(spec.name)))('$name', ({ name, systemd }) => {
  afterAll(() => leave(name, thisFile()));

  it(`runs systemd ${systemd}, booted to the end`, async () => {
    const { exec } = await machine(name);
    const { stdout: version } = await exec(['systemctl', '--version']);
    expect(version.split('\n')[0]).toMatch(new RegExp(`^systemd ${systemd}\\b`));
    const { stdout: state } = await exec(['systemctl', 'is-system-running']);
    if (state.trim() !== 'running') {
      const { stdout: failed } = await exec(['systemctl', '--failed', '--no-legend', '--plain']);
      console.log(`${name} is ${state.trim()}:\n${failed}`);
    }
    expect(['running', 'degraded']).toContain(state.trim());
  });

  it('gets arguments, input, variables and folder as they are, and gives the status back', async () => {
    const { exec } = await machine(name);
    const words = ['a  b', 'new\nline', `q'uo"te`, '$HOME %n `id`', '-v', '--', '', '*', '\\', 'ü'];
    const script = 'cat; printf "%s|" "$PWD" "$V" "$@"; echo err >&2; exit 7';
    const place = { cwd: '/tmp', env: { V: `v 'x'\n"y"` } };
    const result = await exec(['sh', '-c', script, 'sh', ...words], { input: 'in\n', ...place });
    expect(result).toEqual({
      code: 7,
      stdout: `in\n${['/tmp', place.env.V, ...words].map((word) => `${word}|`).join('')}`,
      stderr: 'err\n',
    });
    expect((await exec(['sh', '-c', 'kill -9 $$'])).code).toBe(137);
    expect((await exec(['no-such-program'])).code).toBe(127);
  });

  it('gives alice a session from which her user manager may take a process', async () => {
    const { exec } = await machine(name);
    const asAlice = (...argv: string[]) => exec(argv, { user: 'alice' });
    const session = await asAlice('sh', '-c', 'id -u; echo $XDG_RUNTIME_DIR $DBUS_SESSION_BUS_ADDRESS');
    expect(session.stdout).toBe('1000\n/run/user/1000 unix:path=/run/user/1000/bus\n');
    expect((await asAlice('cat', '/proc/self/cgroup')).stdout).toMatch(/\/user-1000\.slice\/session-c?\d+\.scope$/m);
    const scope = await asAlice('systemd-run', '--user', '--scope', 'true');
    expect(scope).toMatchObject({ code: 0 });
    const group = await asAlice('systemd-run', '--user', '--scope', '--quiet', 'cat', '/proc/self/cgroup');
    expect(group.stdout).toMatch(/\/user@1000\.service\/app\.slice\/run-.*\.scope$/m);
    const linger = await exec(['loginctl', 'show-user', 'alice', '--property=Linger', '--value']);
    expect(linger.stdout).toBe('yes\n');
  });

  it('has the program and node where they belong', async () => {
    const { exec, push } = await machine(name);
    expect((await exec(['node', '--version'])).stdout).toBe(`${process.version}\n`);
    expect((await exec(['ls', '/opt/slicectl/package.json', '/opt/slicectl/node_modules/dbus-next'])).code).toBe(0);
    await push(import.meta.filename, '/tmp/a folder/file');
    expect((await exec(['cat', '/tmp/a folder/file'])).stdout).toBe(readFileSync(import.meta.filename, 'utf8'));
  });

  if (name === 'v2-257') {
    it('offers the controllers, swap and a disk to limit', async () => {
      const { exec } = await machine(name);
      const { stdout } = await exec(['cat', '/sys/fs/cgroup/cgroup.controllers']);
      expect(stdout.trim().split(' ')).toEqual(expect.arrayContaining(['cpu', 'cpuset', 'io', 'memory', 'pids']));
      expect((await exec(['nproc'])).stdout).toBe('4\n');
      expect((await exec(['cat', '/proc/swaps'])).stdout).toMatch(/^\/dev\/vdb\s/m);
      expect((await exec(['findmnt', '--noheadings', '--output=SOURCE', '/data'])).stdout).toBe('/dev/vdc\n');
    });
  }

  if (name === 'v1-252') {
    it('mounts the controllers of cgroup v1', async () => {
      const { exec } = await machine(name);
      const { stdout } = await exec(['findmnt', '--noheadings', '--list', '--types=cgroup', '--output=OPTIONS']);
      const mounted = stdout.trim().split(/[,\n]/);
      expect(mounted).toEqual(expect.arrayContaining(['cpu', 'cpuset', 'memory', 'pids', 'freezer', 'blkio']));
    });
  }
});

describe.each(
  ['systemd-252', 'v2-257'].filter((name) => tried.includes(name)),
)('%s, one more for this test alone', (base) => {
  it('is gone without a trace after down', async () => {
    const name = `${base}.gone`;
    const own = await machine(name);
    const record = readRecord(name);
    if (record?.host === undefined) throw new Error('no record');
    expect(isAlive(record.host)).toBe(true);
    await own.exec(['systemd-run', '--scope', 'sh', '-c', 'sleep 1000 </dev/null >/dev/null 2>&1 &']);
    await own.down();
    expect([record.keeper, record.host].map(isAlive)).toEqual([false, false]);
    expect(existsSync(machineFolder(name))).toBe(false);
    expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(name);
    expect(groupsNamed(name)).toEqual([]);
    expect(processesNaming(name)).toEqual([]);
  });
});

/** Groups of any hierarchy of this host with the name in their path. */
function groupsNamed(name: string): string[] {
  const all = readdirSync('/sys/fs/cgroup', { recursive: true, encoding: 'utf8' });
  return all.filter((path) => path.includes(name));
}

function processesNaming(name: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(name);
    } catch {
      return false;
    }
  });
}
