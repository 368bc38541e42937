import { describe, expect, it } from 'vitest';
import { type PodmanFacts, podman } from '../../../src/drivers/podman/podman.ts';
import { request, still, textAfter, useTree } from '../trees.ts';

const files = useTree();
const ETC = '/etc/containers/containers.conf';
const OWN = '/etc/containers/containers.conf.d/99-slicectl.conf';

/** podman of root in a tree with systemd, where nothing runs. */
async function facts(version = '5.4.2'): Promise<PodmanFacts> {
  files.put('/usr/bin/podman');
  files.put('/usr/lib/systemd/systemd');
  const [found] = await podman.read(still(files.tree, { podman: version }));
  if (found === undefined) throw new Error('podman was not found');
  return found;
}
const status = async (version?: string) => {
  const [row] = podman.status(await facts(version));
  if (row === undefined) throw new Error('no row');
  return row;
};

/** What becomes of a containers.conf; the answers are those of podman 4.3.1 (Debian 12) to `podman info`. */
describe('what containers.conf says', () => {
  it.each([
    ['the usual form', '[engine]\ncgroup_manager="cgroupfs"\n', 'cgroupfs'],
    ['tables and keys in other case', '[Engine]\nCgroup_Manager="cgroupfs"\n', 'cgroupfs'],
    ['a dotted key', 'engine.cgroup_manager="cgroupfs"\n', 'cgroupfs'],
    ['CRLF', '[engine]\r\ncgroup_manager="cgroupfs"\r\n', 'cgroupfs'],
    ['an empty file', '', 'systemd'],
    ['the key in another table', '[containers]\ncgroup_manager="cgroupfs"\n', 'systemd'],
    ['the key in no table', 'cgroup_manager="cgroupfs"\n', 'systemd'],
  ])('%s', async (_, text, driver) => {
    files.put(ETC, text);
    expect((await status()).configured.driver).toBe(driver);
  });

  it.each([
    ['a number', '[engine]\ncgroup_manager=3\n'],
    ['the key twice', '[engine]\ncgroup_manager="systemd"\ncgroup_manager="cgroupfs"\n'],
    ['the table twice', '[engine]\ncgroup_manager="systemd"\n[engine]\nx=1\n'],
    ['no TOML', '<html>'],
  ])('%s stops every podman command, which is told with its place', async (_, text) => {
    files.put(ETC, text);
    const row = await status();
    expect(row.configured.driver).toBeUndefined();
    expect(row.findings).toMatchObject([
      { severity: 'error', code: 'podman-fault', path: ETC, line: expect.any(Number) },
    ]);
  });

  it.each([
    '',
    'foo',
    'Systemd',
  ])('a manager %j, with which podman info works and no container starts', async (value) => {
    files.put(ETC, `[engine]\ncgroup_manager=${JSON.stringify(value)}\n`);
    const row = await status();
    expect(row.configured.driver).toBeUndefined();
    expect(row.findings).toMatchObject([{ severity: 'error', code: 'podman-unknown-manager', line: 2, column: 1 }]);
  });

  it('a key that does nothing is told', async () => {
    files.put(ETC, '[containers]\ncgroup_manager = "cgroupfs"\n[engine]\ncgroup-manager = "cgroupfs"\n');
    expect((await status()).findings.map(({ code, line }) => [code, line])).toEqual([
      ['podman-ignored-key', 2],
      ['podman-ignored-key', 4],
    ]);
  });
});

it('a drop-in that is a link to nowhere stops a podman before 5.0, and a later one passes it over', async () => {
  files.link('/etc/containers/containers.conf.d/y.conf', '/nonexistent');
  expect((await status('4.3.1')).findings).toMatchObject([{ severity: 'error', code: 'podman-fault' }]);
  expect((await status('5.0.0')).findings).toEqual([]);
});

it('is not there where there is neither program nor package', async () => {
  expect(await podman.read(still(files.tree))).toEqual([]);
});

it('has the version of its package, and the default of a tree without systemd is cgroupfs', async () => {
  files.put('/lib/apk/db/installed', 'P:podman\nV:5.2.2-r1\n');
  const [found] = await podman.read(still(files.tree));
  expect(found).toMatchObject({ version: '5.2.2', configured: { driver: 'cgroupfs', source: { kind: 'default' } } });
});

it('tells where the value comes from, and what it beats', async () => {
  files.put('/usr/share/containers/containers.conf', '[engine]\ncgroup_manager = "systemd"\n');
  files.put(ETC, '# mine\n[engine]\n  cgroup_manager = "cgroupfs"\n');
  expect((await status()).configured).toEqual({
    driver: 'cgroupfs',
    source: { kind: 'file', path: ETC, line: 3, column: 3, text: 'cgroup_manager in [engine] of containers.conf' },
    shadowed: [
      {
        kind: 'file',
        path: '/usr/share/containers/containers.conf',
        line: 2,
        column: 1,
        text: 'cgroup_manager in [engine] of containers.conf',
        value: 'systemd',
      },
    ],
  });
});

it('the option in the unit of its API is told', async () => {
  files.put(
    '/etc/systemd/system/podman.service',
    '[Service]\nExecStart=/usr/bin/podman --cgroup-manager=cgroupfs system service\n',
  );
  expect((await status()).findings).toMatchObject([
    { code: 'podman-service-flag', path: '/etc/systemd/system/podman.service' },
  ]);
});

describe('a plan', () => {
  const planned = async (to: 'systemd' | 'cgroupfs', version?: string) =>
    podman.plan(await facts(version), request(to), []);
  const paths = (plan: { readonly files: readonly object[] }) => plan.files.map((step) => 'path' in step && step.path);

  it('is a drop-in of our own and nothing else, and made twice it plans nothing the second time', async () => {
    const plan = await planned('cgroupfs');
    expect(paths(plan)).toEqual([OWN]);
    expect([plan.before, plan.after, plan.refusals]).toEqual([[], [], []]);
    files.apply(plan.files);
    expect((await status()).configured.source.path).toBe(OWN);
    expect(await planned('cgroupfs')).toMatchObject({ files: [], notes: [], refusals: [] });
  });

  it('is nothing where the default is as asked', async () => {
    expect((await planned('systemd')).files).toEqual([]);
  });

  it('changes its own file, and no other byte of it', async () => {
    files.put(OWN, '# a\n[engine]\nx = 1\ncgroup_manager  =  "systemd" # b\n');
    const plan = await planned('cgroupfs');
    expect(textAfter(files.tree, plan.files, OWN)).toBe('# a\n[engine]\nx = 1\ncgroup_manager  =  "cgroupfs" # b\n');
  });

  it("changes an administrator's file that is read later, in place", async () => {
    const later = '/etc/containers/containers.conf.d/zz-local.conf';
    files.put(later, "[Engine]\r\nCgroup_Manager = 'cgroupfs'\r\n");
    const plan = await planned('systemd');
    expect(paths(plan)).toEqual([later]);
    expect(textAfter(files.tree, plan.files, later)).toMatch(/^\[Engine\]\r\nCgroup_Manager = ["']systemd["']\r\n$/);
  });

  it("changes root's own file where that podman reads it", async () => {
    const own = '/root/.config/containers/containers.conf';
    files.put(own, '[engine]\ncgroup_manager = "cgroupfs"\n');
    expect(paths(await planned('systemd', '5.0.0'))).toEqual([own]);
    expect((await planned('systemd', '4.9.3')).files).toEqual([]);
  });

  it('goes into the main file for a podman that reads no drop-ins', async () => {
    files.put(ETC, '[containers]\nlabel = false\n\n[engine]\nruntime = "runsc"\n');
    const plan = await planned('cgroupfs', '3.2.3');
    expect(paths(plan)).toEqual([ETC]);
    expect(textAfter(files.tree, plan.files, ETC)).toBe(
      '[containers]\nlabel = false\n\n[engine]\nruntime = "runsc"\ncgroup_manager = "cgroupfs"\n',
    );
  });

  it('is refused where a file cannot be read, with its place, and nothing is written', async () => {
    files.put(ETC, '[engine\n');
    const plan = await planned('systemd');
    expect(plan.files).toEqual([]);
    expect(plan.refusals[0]?.reason).toMatch(/containers\.conf:\d+:\d+: /);
  });

  it('says that containers keep their manager', async () => {
    expect((await planned('cgroupfs')).notes).toMatchObject([
      { severity: 'impact', text: expect.stringContaining('keep the manager') },
    ]);
  });
});

describe('on a host that runs', () => {
  const host = (uid: number, env: NodeJS.ProcessEnv = {}) => ({
    ...still(files.tree),
    live: {
      paths: { proc: '/proc', sys: `${files.root}/sys`, etc: `${files.root}/etc`, run: `${files.root}/run` },
      system: undefined,
      user: undefined,
    },
    self: { uid, env: { PATH: process.env.PATH, ...env }, cwd: '/', parentPid: 1 },
  });
  const says = (manager: string) =>
    files.program('/usr/bin/podman', `echo '{"host":{"cgroupManager":"${manager}"},"version":{"Version":"5.4.2"}}'`);
  const booted = () => {
    files.put('/run/systemd/system/x');
    files.put('/sys/fs/cgroup/cgroup.controllers');
    files.put('/etc/passwd', 'root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n');
  };

  it("root's podman is asked, and a check asks it again", async () => {
    says('systemd');
    booted();
    const [found] = await podman.read(host(0));
    expect(found).toMatchObject({ version: '5.4.2', running: 'systemd', configured: { driver: 'systemd' } });
    const check = podman.checks(host(0))['podman-driver'];
    expect(await check?.({ driver: 'systemd', user: 'root' }, '/')).toMatchObject({ ok: true });
    expect(await check?.({ driver: 'cgroupfs', user: 'root' }, '/')).toEqual({
      ok: false,
      found: 'podman of root gives systemd to new containers',
    });
  });

  it('a plan ends with a check, and an undo checks what was before', async () => {
    says('systemd');
    booted();
    const [found] = await podman.read(host(0));
    expect(found && podman.plan(found, request('cgroupfs'), []).after).toMatchObject([
      {
        kind: 'check',
        check: 'podman-driver',
        expect: { driver: 'cgroupfs', user: 'root' },
        expectBefore: { driver: 'systemd', user: 'root' },
      },
    ]);
  });

  it("who is not root has a podman of one's own, with its own files", async () => {
    says('cgroupfs');
    booted();
    files.put('/run/user/1000/bus');
    files.put('/home/alice/.config/containers/containers.conf', '[engine]\ncgroup_manager = "cgroupfs"\n');
    const found = await podman.read(host(1000, { HOME: '/home/alice' }));
    expect(found.map(({ instance, running, configured }) => [instance, running, configured.driver])).toEqual([
      ['', undefined, 'systemd'],
      ['user alice', 'cgroupfs', 'cgroupfs'],
    ]);
    const alice = found[1];
    const plan = alice && podman.plan(alice, request('systemd'), []);
    expect(plan?.files).toMatchObject([{ path: '/home/alice/.config/containers/containers.conf.d/99-slicectl.conf' }]);
  });

  it('without a session of systemd podman falls back, which is told, and a plan for systemd refused', async () => {
    says('cgroupfs');
    booted();
    const alice = (await podman.read(host(1000, { HOME: '/home/alice' })))[1];
    if (alice === undefined) throw new Error('no podman of alice');
    expect(podman.status(alice)[0]?.findings).toMatchObject([
      { code: 'podman-no-session', hint: expect.stringContaining('loginctl enable-linger alice') },
    ]);
    expect(podman.plan(alice, request('systemd'), [])).toMatchObject({
      files: [],
      refusals: [{ hint: expect.stringContaining('loginctl enable-linger alice') }],
    });
  });

  it.each([
    [{ XDG_CONFIG_HOME: '/home/alice/etc' }, '/home/alice/etc/containers/containers.conf.d/99-slicectl.conf'],
    [{ HOME: '/data/alice' }, '/data/alice/.config/containers/containers.conf.d/99-slicectl.conf'],
    [{}, '/home/alice/.config/containers/containers.conf.d/99-slicectl.conf'],
  ])("the user's folder is found from %j", async (env, path) => {
    says('systemd');
    booted();
    files.put('/run/user/1000/bus');
    const alice = (await podman.read(host(1000, env)))[1];
    expect(alice && podman.plan(alice, request('cgroupfs'), []).files).toMatchObject([{ path }]);
  });

  it('CONTAINERS_CONF of this shell is told, and not written to', async () => {
    says('cgroupfs');
    booted();
    files.put('/srv/my.conf', '[engine]\ncgroup_manager = "cgroupfs"\n');
    const [found] = await podman.read(host(0, { CONTAINERS_CONF: '/srv/my.conf' }));
    if (found === undefined) throw new Error('no podman');
    expect(podman.status(found)[0]?.findings).toMatchObject([{ severity: 'info', code: 'podman-environment' }]);
    expect(podman.plan(found, request('systemd'), [])).toMatchObject({
      files: [],
      refusals: [
        { reason: expect.stringContaining('/srv/my.conf'), hint: expect.stringContaining('unset CONTAINERS_CONF') },
      ],
    });
  });

  it('a podman that fails is no reason to fail: its own last words are told', async () => {
    files.program('/usr/bin/podman', 'echo "time=1 level=error msg=\\"no \\\\\\"x\\\\\\" here\\"" >&2; exit 125');
    booted();
    const [found] = await podman.read(host(0));
    expect(found && podman.status(found)[0]?.findings).toMatchObject([
      { severity: 'warning', code: 'podman-info', message: 'podman info failed: no "x" here' },
    ]);
  });
});
