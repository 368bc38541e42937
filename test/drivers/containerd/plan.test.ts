import { describe, expect, it } from 'vitest';
import { containerd } from '../../../src/drivers/containerd/containerd.ts';
import type { ContainerdFacts } from '../../../src/drivers/containerd/facts.ts';
import type { Running } from '../../../src/drivers/containerd/running.ts';
import type { CgroupDriver, RuntimePlan, RuntimeStatus } from '../../../src/drivers/model.ts';
import { hostOf, lines, MAIN, makeTree, request } from './support.ts';

const V2 = '[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc';
const RUNC = lines('version = 2', `${V2}]`, '  runtime_type = "io.containerd.runc.v2"');
const OFF = RUNC + lines(`  ${V2}.options]`, '    SystemdCgroup = false # why');

async function factsOf(files: Readonly<Record<string, string>>, version?: string): Promise<ContainerdFacts> {
  const unit = { '/usr/lib/systemd/system/containerd.service': lines('[Service]', 'ExecStart=/usr/bin/containerd') };
  const [facts] = await containerd.read(hostOf(makeTree({ ...unit, ...files }), version));
  if (facts === undefined) throw new Error('containerd was not found');
  return facts;
}

async function planFor(
  text: string | undefined,
  version: string,
  to: CgroupDriver = 'systemd',
): Promise<RuntimePlan & { readonly text: string | undefined }> {
  const facts = await factsOf(text === undefined ? {} : { [MAIN]: text }, version);
  const plan = containerd.plan(facts, request(to), []);
  const [step] = plan.files;
  const after = step?.kind === 'file' && step.after.exists ? Buffer.from(step.after.bytes).toString() : undefined;
  return { ...plan, text: after };
}

/** A daemon that runs with these drivers. */
function running(drivers: Readonly<Record<string, CgroupDriver>>, pods: readonly string[] = []): Running {
  return {
    socket: '/run/containerd/containerd.sock',
    loaded: {
      id: 'containerd.service',
      loadState: 'loaded',
      loadError: undefined,
      activeState: 'active',
      subState: 'running',
      result: 'success',
      mainPid: 7,
      needDaemonReload: false,
      fragmentPath: undefined,
      dropInPaths: [],
      execStart: [],
      environment: [],
      environmentFiles: [],
      activeEnterTimestampMs: undefined,
      controlGroup: '',
    },
    version: '1.7.24',
    drivers: new Map(Object.entries(drivers)),
    announced: undefined,
    failure: undefined,
    pods,
  };
}

describe('files', () => {
  it('changes the value alone', async () => {
    expect((await planFor(OFF, '1.7.24')).text).toBe(OFF.replace('false', 'true'));
    expect((await planFor(OFF, '1.7.24', 'cgroupfs')).files).toEqual([]);
  });

  it('keeps a byte order mark and CRLF, which containerd 1.x takes', async () => {
    const text = `\ufeff${OFF.replaceAll('\n', '\r\n')}`;
    expect((await planFor(text, '1.7.24')).text).toBe(text.replace('false', 'true'));
  });

  it('gives a runtime its options', async () => {
    expect((await planFor(RUNC, '1.7.24')).text).toBe(RUNC + lines(`${V2}.options]`, '  SystemdCgroup = true'));
  });

  it('gives the built-in runtime a type, too, on 1.x alone', async () => {
    expect((await planFor('version = 2\n', '1.7.24')).text).toBe(
      lines(
        'version = 2',
        '',
        `${V2}]`,
        'runtime_type = "io.containerd.runc.v2"',
        '',
        `${V2}.options]`,
        'SystemdCgroup = true',
      ),
    );
    expect((await planFor('version = 2\n', '2.1.9')).text).toBe(
      lines('version = 2', '', `${V2}.options]`, 'SystemdCgroup = true'),
    );
  });

  it('makes the least of a file where there is none', async () => {
    const plan = await planFor(undefined, '2.1.9');
    expect(plan.files).toMatchObject([{ kind: 'file', path: MAIN, before: { exists: false }, after: { mode: 0o644 } }]);
    expect(plan.text).toBe(
      lines(
        'version = 3',
        '',
        '[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]',
        'SystemdCgroup = true',
      ),
    );
    expect((await planFor(undefined, '2.1.9', 'cgroupfs')).files).toEqual([]);
  });

  it('changes the import whose value counts, not the main file', async () => {
    const facts = await factsOf(
      {
        [MAIN]: `${OFF.replace('false', 'true')}`.replace(
          'version = 2\n',
          'version = 2\nimports = ["conf.d/*.toml"]\n',
        ),
        '/etc/containerd/conf.d/a.toml': OFF,
      },
      '2.1.9',
    );
    const { files } = containerd.plan(facts, request('systemd'), []);
    expect(files).toMatchObject([{ path: '/etc/containerd/conf.d/a.toml' }]);
  });

  it('takes back the switch of the plugin that keeps the CRI of 1.x from loading', async () => {
    const text = lines('version = 2', '[plugins."io.containerd.grpc.v1.cri"]', '  systemd_cgroup = true');
    const { text: after, refusals } = await planFor(text + OFF.replace('version = 2\n', ''), '1.7.24');
    expect(refusals).toEqual([]);
    expect(after).toBe(text.replace('true', 'false') + OFF.replace('version = 2\n', '').replace('= false', '= true'));
  });
});

describe('refusals', () => {
  it.each([
    ['an unknown version', OFF, undefined, /not known which containerd/, /--assume/],
    [
      'a section that counts for nothing',
      OFF.replace('version = 2', 'version = 3'),
      '2.1.9',
      /version = 3 with \[plugins/,
      /migrate/,
    ],
    ['a section without its version', OFF.replace('version = 2\n', ''), '1.7.24', /without version/, /version = 2/],
    [
      'a file that is not TOML',
      'version = \n',
      '1.7.24',
      /^containerd does not start: \/etc\/containerd\/config\.toml:1:\d+: a value/,
      /correct the file first/,
    ],
    ['a template', '{% if nvidia %}\nversion = 2\n', '1.7.24', /config\.toml:1:1: unexpected token "\{%"/, /template/],
    [
      'a shim that is gone',
      OFF.replace('io.containerd.runc.v2', 'io.containerd.runc.v1'),
      '2.1.9',
      /config\.toml:\d+:\d+: no pod of the runtime runc starts: .* io\.containerd\.runc\.v1$/,
      /runtime_type = "io\.containerd\.runc\.v2"/,
    ],
    [
      'a file of a later version',
      OFF.replace('version = 2', 'version = 3'),
      '1.7.24',
      /newer than this containerd/,
      /^/,
    ],
  ])('refuses %s', async (_, text, version, reason, hint) => {
    const plan = containerd.plan(await factsOf({ [MAIN]: text }, version), request('systemd'), []);
    expect(plan.files).toEqual([]);
    expect(plan.refusals).toHaveLength(1);
    expect(plan.refusals[0]?.reason).toMatch(reason);
    expect(plan.refusals[0]?.hint ?? '').toMatch(hint);
    expect(plan.refusals[0]?.override).toBeUndefined();
  });

  it('refuses with pods on the node unless it is drained', async () => {
    const facts = await factsOf({ [MAIN]: OFF }, '1.7.24');
    const pods = ['kube-system/coredns', 'default/a', 'default/b', 'default/c'];
    const plan = containerd.plan({ ...facts, running: running({ runc: 'cgroupfs' }, pods) }, request('systemd'), []);
    expect(plan.refusals).toEqual([
      expect.objectContaining({
        reason:
          '4 pods run on this node, made with the other driver: kube-system/coredns, default/a, default/b and 1 more',
        override: '--drained',
      }),
    ]);
    expect(plan.files).toHaveLength(1);
  });
});

describe('steps', () => {
  it('restarts and checks each runtime, and says what to find after an undo', async () => {
    const facts = await factsOf({ [MAIN]: OFF }, '1.7.24');
    const { after } = containerd.plan({ ...facts, running: running({ runc: 'cgroupfs' }) }, request('systemd'), []);
    expect(after).toMatchObject([
      { kind: 'unit', unit: 'containerd.service', verb: 'restart', reset: ['containerd.service'] },
      { kind: 'check', check: 'containerd-driver', expect: { runc: 'systemd' }, expectBefore: { runc: 'cgroupfs' } },
    ]);
  });

  it('restarts a daemon that has not read its file', async () => {
    const facts = await factsOf({ [MAIN]: OFF.replace('false', 'true') }, '1.7.24');
    const stale = containerd.plan({ ...facts, running: running({ runc: 'cgroupfs' }) }, request('systemd'), []);
    expect([stale.files, stale.after.map(({ kind }) => kind)]).toEqual([[], ['unit', 'check']]);
    const right = containerd.plan({ ...facts, running: running({ runc: 'systemd' }) }, request('systemd'), []);
    expect(right).toMatchObject({ files: [], after: [], refusals: [], notes: [] });
  });

  it('leaves a containerd alone that systemd does not run, and says so', async () => {
    const facts = await factsOf({ [MAIN]: OFF }, '1.7.24');
    const loose = { ...running({ runc: 'cgroupfs' }), loaded: undefined };
    const plan = containerd.plan({ ...facts, running: loose }, request('systemd'), []);
    expect(plan.after).toEqual([]);
    expect(plan.notes[0]).toMatchObject({ severity: 'warning', text: expect.stringContaining('restart it yourself') });
  });

  it('changes nothing where the CRI is disabled, and says so', async () => {
    const plan = await planFor('disabled_plugins = ["cri"]\n', '1.7.24');
    expect(plan).toMatchObject({ files: [], after: [], refusals: [] });
    expect(plan.notes[0]?.text).toContain('disabled (/etc/containerd/config.toml:1)');
  });

  it('says what Docker and a host without kubelet have of it', async () => {
    const facts = await factsOf({ [MAIN]: OFF }, '1.7.24');
    const docker: RuntimeStatus = {
      runtime: 'docker',
      instance: '',
      version: '28.5.2',
      unit: 'docker.service',
      running: { driver: 'systemd', how: 'api', text: '' },
      configured: { driver: 'systemd', source: { kind: 'default', text: '' }, shadowed: [] },
      findings: [],
    };
    const live = { ...facts, running: running({ runc: 'cgroupfs' }) };
    const { notes } = containerd.plan(live, request('systemd'), [docker]);
    expect(notes.map(({ text }) => text)).toEqual([
      expect.stringContaining('containers go on running'),
      expect.stringContaining('Docker that uses this containerd'),
      expect.stringContaining('none is on this host'),
    ]);
  });
});
