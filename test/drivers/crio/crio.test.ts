import { createServer, type Server } from 'node:http';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { type CrioFacts, crio } from '../../../src/drivers/crio/crio.ts';
import { walk } from '../../../src/drivers/crio/files.ts';
import { request, still, textAfter, useTree } from '../trees.ts';

const files = useTree();
const MAIN = '/etc/crio/crio.conf';
const FOLDER = '/etc/crio/crio.conf.d';
const OWN = `${FOLDER}/99-slicectl.conf`;
const UNIT = '/usr/lib/systemd/system/crio.service';

/** The unit of the project's packages. */
const PACKAGED = `[Unit]
Description=Container Runtime Interface for OCI (CRI-O)
[Service]
Type=notify
EnvironmentFile=-/etc/sysconfig/crio
Environment=GOTRACEBACK=crash
ExecStart=/usr/bin/crio \\
          $CRIO_CONFIG_OPTIONS \\
          $CRIO_RUNTIME_OPTIONS
[Install]
Alias=cri-o.service
`;

/** CRI-O in a tree where nothing runs. */
async function facts(version?: string): Promise<CrioFacts> {
  if (files.tree.kind(UNIT) === 'absent') files.put(UNIT, PACKAGED);
  const [found] = await crio.read(still(files.tree, version === undefined ? {} : { crio: version }));
  if (found === undefined) throw new Error('CRI-O was not found');
  return found;
}
const status = async (version?: string) => {
  const [row] = crio.status(await facts(version));
  if (row === undefined) throw new Error('no row');
  return row;
};
const planned = async (to: 'systemd' | 'cgroupfs', version?: string) =>
  crio.plan(await facts(version), request(to), []);
const paths = (plan: { readonly files: readonly object[] }) => plan.files.map((step) => 'path' in step && step.path);
const becomes = (plan: Awaited<ReturnType<typeof planned>>, path: string) => textAfter(files.tree, plan.files, path);

it('is not there where there is nothing of it but drop-ins of others', async () => {
  files.put(`${FOLDER}/99-nvidia.conf`, '[crio.runtime]\n');
  expect(await crio.read(still(files.tree))).toEqual([]);
});

it('has the version of its package', async () => {
  files.put('/var/lib/dpkg/status', 'Package: cri-o\nStatus: install ok installed\nVersion: 1.31.3-1.1\n');
  expect((await status()).version).toBe('1.31.3');
});

describe('what the files say', () => {
  it('is systemd where nothing does, and was cgroupfs before 1.18', async () => {
    expect((await status()).configured).toMatchObject({ driver: 'systemd', source: { kind: 'default' } });
    expect((await status('1.17.4')).configured.driver).toBe('cgroupfs');
  });

  it('is said by the last file in the order of names, and earlier ones are told', async () => {
    files.put(MAIN, '[crio.runtime]\ncgroup_manager = "systemd"\n');
    files.put(`${FOLDER}/00-default`, '[crio]\n[crio.runtime]\nconmon_cgroup = "pod"\ncgroup_manager = "systemd"\n');
    files.put(`${FOLDER}/20-mine.conf`, '[crio.runtime]\n  cgroup_manager = "cgroupfs"\n');
    expect((await status()).configured).toMatchObject({
      driver: 'cgroupfs',
      source: { kind: 'file', path: `${FOLDER}/20-mine.conf`, line: 2, column: 3 },
      shadowed: [
        { path: MAIN, value: 'systemd' },
        { path: `${FOLDER}/00-default`, line: 4, value: 'systemd' },
      ],
    });
  });

  it('are all files of the folder, whatever their names, which is told of left-overs', async () => {
    files.put(`${FOLDER}/10-mine.conf.rpmsave`, '[crio.runtime]\ncgroup_manager = "cgroupfs"\nconmon_cgroup = "pod"\n');
    const row = await status();
    expect(row.configured.driver).toBe('cgroupfs');
    expect(row.findings).toMatchObject([{ code: 'crio-left-over', path: `${FOLDER}/10-mine.conf.rpmsave` }]);
  });

  it.each([
    ['not TOML', '[crio.runtime\n'],
    ['a number', '[crio.runtime]\ncgroup_manager = 1\n'],
    ['a key twice', '[crio.runtime]\ncgroup_manager = "systemd"\ncgroup_manager = "systemd"\n'],
    ['two objects', '{}{}'],
  ])('that is %s stops CRI-O, and no plan is made', async (_, text) => {
    files.put(MAIN, text);
    const row = await status();
    expect(row.configured.driver).toBeUndefined();
    expect(row.findings).toMatchObject([
      { severity: 'error', code: 'crio-fault', path: MAIN, line: expect.any(Number) },
    ]);
    const plan = await planned('systemd');
    expect([plan.files, plan.refusals.length]).toEqual([[], 1]);
  });

  it.each([
    ['a link in the place of the folder', () => files.link(FOLDER, '/srv/crio.d'), () => files.put('/srv/crio.d/a')],
    ['a link to nowhere', () => files.link(`${FOLDER}/a.conf`, '/nonexistent'), () => {}],
    ['a link to a folder', () => files.link(`${FOLDER}/a.conf`, '/srv/folder'), () => files.put('/srv/folder/x')],
  ])('%s stops CRI-O', async (_, link, target) => {
    target();
    link();
    expect((await status()).findings).toMatchObject([{ severity: 'error', code: 'crio-fault' }]);
  });

  it('an unknown manager stops CRI-O, and a plan replaces it', async () => {
    files.put(MAIN, '[crio.runtime]\ncgroup_manager = "Systemd"\n');
    expect((await status()).findings).toMatchObject([{ code: 'crio-unknown-manager', path: MAIN, line: 2 }]);
    expect((await planned('systemd')).files).toHaveLength(1);
  });

  it('a key in the wrong table is told', async () => {
    files.put(MAIN, 'cgroup_manager = "cgroupfs"\n[crio]\ncgroup_manager = "cgroupfs"\n');
    const row = await status();
    expect(row.configured.driver).toBe('systemd');
    expect(row.findings.map(({ code, line }) => [code, line])).toEqual([
      ['crio-ignored-key', 1],
      ['crio-ignored-key', 3],
    ]);
  });

  it('cgroupfs without a group for conmon is an error up to 1.32 and none from 1.33 on', async () => {
    files.put(MAIN, '[crio.runtime]\ncgroup_manager = "cgroupfs"\n');
    expect((await status('1.32.1')).findings).toMatchObject([
      { severity: 'error', code: 'crio-monitor-cgroup', path: MAIN },
    ]);
    expect(await status('1.33.0')).toMatchObject({ findings: [], configured: { driver: 'cgroupfs' } });
  });
});

describe('options', () => {
  it('of a file that the unit reads beat all files, with the place where they are written', async () => {
    files.put('/etc/sysconfig/crio', '# mine\nCRIO_RUNTIME_OPTIONS="--cgroup-manager=cgroupfs --conmon-cgroup pod"\n');
    files.put(MAIN, '[crio.runtime]\ncgroup_manager = "systemd"\n');
    expect((await status()).configured).toMatchObject({
      driver: 'cgroupfs',
      source: { path: '/etc/sysconfig/crio', line: 2 },
      shadowed: [{ path: MAIN, value: 'systemd' }],
    });
  });

  it('are changed where they are written', async () => {
    files.put('/etc/sysconfig/crio', '# mine\nCRIO_RUNTIME_OPTIONS="--cgroup-manager=cgroupfs --conmon-cgroup pod"\n');
    const plan = await planned('systemd');
    expect(paths(plan)).toEqual(['/etc/sysconfig/crio']);
    expect(becomes(plan, '/etc/sysconfig/crio')).toBe(
      '# mine\nCRIO_RUNTIME_OPTIONS="--cgroup-manager=systemd --conmon-cgroup pod"\n',
    );
    expect(plan.reload).toBe(false);
  });

  it("in a vendor's unit are changed in a drop-in, along with the group of conmon, and systemd reads them again", async () => {
    files.put(UNIT, '[Service]\nExecStart=/usr/bin/crio --cgroup-manager systemd --conmon-cgroup system.slice\n');
    const plan = await planned('cgroupfs', '1.30.0');
    expect(plan.refusals).toEqual([]);
    expect(plan.reload).toBe(true);
    expect(paths(plan)).toEqual([expect.stringMatching(/^\/etc\/systemd\/system\/crio\.service\.d\//)]);
    files.apply(plan.files);
    expect(await status('1.30.0')).toMatchObject({ configured: { driver: 'cgroupfs' }, findings: [] });
  });

  it('for other folders are followed', async () => {
    files.put('/etc/sysconfig/crio', 'CRIO_CONFIG_OPTIONS="--config=/opt/crio.conf -d /opt/crio.d"\n');
    files.put('/opt/crio.conf', '[crio.runtime]\ncgroup_manager = "cgroupfs"\nconmon_cgroup = "pod"\n');
    files.put(MAIN, 'not read');
    const plan = await planned('systemd');
    expect((await status()).configured.source.path).toBe('/opt/crio.conf');
    expect(paths(plan)).toEqual(['/opt/crio.d/99-slicectl.conf']);
  });

  it('that name a file which is not there stop CRI-O', async () => {
    files.put('/etc/sysconfig/crio', 'CRIO_CONFIG_OPTIONS="--config /opt/deamon.conf"\n');
    expect((await status()).findings).toMatchObject([
      { severity: 'error', code: 'crio-fault', path: '/opt/deamon.conf' },
    ]);
  });

  it('in a variable of its own beat all files, and are not edited', async () => {
    files.put('/etc/sysconfig/crio', 'CONTAINER_CGROUP_MANAGER=cgroupfs\nCONTAINER_CONMON_CGROUP=pod\n');
    expect((await status()).configured.driver).toBe('cgroupfs');
    expect(await planned('systemd')).toMatchObject({
      files: [],
      refusals: [{ hint: expect.stringContaining('/etc/sysconfig/crio') }],
    });
  });
});

describe('a plan', () => {
  it('is a file of our own, which for cgroupfs sets the group of conmon along with the manager', async () => {
    const plan = await planned('cgroupfs');
    expect(paths(plan)).toEqual([OWN]);
    expect(becomes(plan, OWN)).toContain('[crio.runtime]\ncgroup_manager = "cgroupfs"\nconmon_cgroup = "pod"\n');
  });

  it('leaves the group of conmon alone where it goes with the new manager', async () => {
    files.put(MAIN, '[crio.runtime]\ncgroup_manager = "cgroupfs"\nconmon_cgroup = "pod"\n');
    const text = becomes(await planned('systemd'), OWN);
    expect(text).toContain('cgroup_manager = "systemd"');
    expect(text).not.toContain('conmon_cgroup');
  });

  it('made twice plans nothing the second time, and back again changes our own file', async () => {
    files.apply((await planned('cgroupfs', '1.30.0')).files);
    expect(await planned('cgroupfs', '1.30.0')).toMatchObject({ files: [], after: [], notes: [], refusals: [] });
    const back = await planned('systemd', '1.30.0');
    expect(paths(back)).toEqual([OWN]);
    expect(becomes(back, OWN)).toContain('cgroup_manager = "systemd"\nconmon_cgroup = "pod"\n');
  });

  it("changes an administrator's later file in place, and only its value", async () => {
    const later = `${FOLDER}/zz-local.conf`;
    const text =
      '# by hand\r\n[crio]\r\n  [crio.runtime]\r\n  cgroup_manager = "cgroupfs" # why\r\n  conmon_cgroup = "pod"\r\n';
    files.put(later, text);
    const plan = await planned('systemd');
    expect(paths(plan)).toEqual([later]);
    expect(becomes(plan, later)).toBe(text.replace('"cgroupfs"', '"systemd"'));
  });

  it('goes into the main file where drop-ins are switched off or unknown', async () => {
    files.put(MAIN, '[crio.runtime]\ncgroup_manager = "cgroupfs"\n');
    expect(paths(await planned('systemd', '1.16.0'))).toEqual([MAIN]);
    files.put('/etc/sysconfig/crio', 'CRIO_CONFIG_OPTIONS=--config-dir=\n');
    expect(paths(await planned('systemd'))).toEqual([MAIN]);
  });

  it('of a tree in which nothing runs restarts nothing', async () => {
    expect(await planned('cgroupfs')).toMatchObject({ before: [], after: [], notes: [] });
  });
});

it('any folder is walked as filepath.Walk does: by name, and a folder in its place', () => {
  let runs = 0;
  const name = fc.constantFrom('a', 'a.conf', 'b', 'B', '10', '9', '.x', 'ü');
  fc.assert(
    fc.property(fc.uniqueArray(fc.array(name, { minLength: 1, maxLength: 3 }), { selector: String }), (all) => {
      const parts = all.filter(
        (path) => !all.some((other) => other.length > path.length && path.every((part, at) => other[at] === part)),
      );
      runs += 1;
      const folder = `/walk-${runs}`;
      for (const path of parts) files.put(`${folder}/${path.join('/')}`);
      const order = (a: readonly string[], b: readonly string[]): number => {
        const at = a.findIndex((part, index) => part !== b[index]);
        return Buffer.compare(Buffer.from(a[at] ?? ''), Buffer.from(b[at] ?? ''));
      };
      expect(walk(files.tree, folder)).toEqual([...parts].sort(order).map((path) => `${folder}/${path.join('/')}`));
    }),
    { numRuns: 30 },
  );
});

describe('a CRI-O that runs', () => {
  let server: Server | undefined;
  afterEach(() => server?.close());

  /** Answers `GET /info` as CRI-O does, and nothing of the CRI. */
  async function daemon(driver: string): Promise<void> {
    files.put('/run/crio/x');
    files.link('/var/run', '../run');
    server = createServer((asked, response) => {
      response.statusCode = asked.url === '/info' ? 200 : 404;
      response.end(JSON.stringify({ storage_driver: 'overlay', cgroup_driver: driver }));
    });
    await new Promise<void>((resolve) => server?.listen(`${files.root}/run/crio/crio.sock`, resolve));
  }
  const host = () => ({
    ...still(files.tree),
    live: {
      paths: { proc: '/proc', sys: '/sys', etc: `${files.root}/etc`, run: `${files.root}/run` },
      system: undefined,
      user: undefined,
    },
  });
  const live = async () => {
    files.put(UNIT, PACKAGED);
    const [found] = await crio.read(host());
    if (found === undefined) throw new Error('CRI-O was not found');
    return found;
  };

  it('says its driver on its socket', async () => {
    await daemon('cgroupfs');
    const [row] = crio.status(await live());
    expect(row).toMatchObject({ running: { driver: 'cgroupfs', how: 'api' }, configured: { driver: 'systemd' } });
  });

  it('is restarted where it uses another driver than its files say, and then asked', async () => {
    await daemon('cgroupfs');
    const plan = crio.plan(await live(), request('systemd'), []);
    const socket = `${files.root}/run/crio/crio.sock`;
    expect(plan.files).toEqual([]);
    expect(plan.after).toMatchObject([
      { kind: 'unit', unit: 'crio.service', verb: 'restart', reset: ['crio.service'] },
      {
        kind: 'check',
        check: 'crio-driver',
        expect: { driver: 'systemd', socket },
        expectBefore: { driver: 'cgroupfs' },
      },
    ]);
    expect(await crio.checks(host())['crio-driver']?.({ driver: 'systemd', socket }, '/')).toEqual({
      ok: false,
      found: 'CRI-O says that it uses cgroupfs',
    });
  });

  it('with pods is not changed unless the node is drained', async () => {
    await daemon('cgroupfs');
    const found = await live();
    const pods = ['default/a', 'default/b', 'kube-system/c', 'kube-system/d'];
    const busy = { ...found, daemon: { version: undefined, observed: found.daemon?.observed, pods } };
    expect(crio.plan(busy, request('systemd'), []).refusals).toMatchObject([
      {
        reason: expect.stringContaining('4 pods (default/a, default/b, kube-system/c and 1 more)'),
        override: '--drained',
      },
    ]);
    expect(crio.plan({ ...busy, daemon: { ...busy.daemon, pods: [] } }, request('systemd'), []).refusals).toEqual([]);
  });
});

describe("crio's own validator", () => {
  const validate = async () => {
    const found = await facts();
    const plan = crio.plan(found, request('cgroupfs'), []);
    return crio.validate?.(found, plan, still(files.tree));
  };

  it('sees the files as they would be, in their order, and what it says is a refusal (a stand-in of a few lines)', async () => {
    files.put(MAIN, '# main\n');
    files.put(`${FOLDER}/00-first`, '# first\n');
    files.program('/usr/bin/crio', 'cat "$2" "$4"/* | tr "\\n" " " >&2; exit 1');
    expect(await validate()).toMatchObject([
      {
        reason: expect.stringMatching(
          /^crio itself refuses .*# main # first # Made by slicectl.*cgroup_manager = "cgroupfs"/,
        ),
      },
    ]);
  });

  it('that has nothing to say is content', async () => {
    files.program('/usr/bin/crio', 'test "$5" = config');
    expect(await validate()).toEqual([]);
  });
});
