import { describe, expect, it } from 'vitest';
import { containerd } from '../../../src/drivers/containerd/containerd.ts';
import type { Finding, RuntimeStatus } from '../../../src/drivers/model.ts';
import { hostOf, lines, MAIN, makeTree } from './support.ts';

const V2 = '[plugins."io.containerd.grpc.v1.cri".containerd.runtimes';
const UNIT = '/usr/lib/systemd/system/containerd.service';
const SERVICE = lines('[Service]', 'ExecStart=/usr/bin/containerd');

function runtime(name: string, value: string): string {
  return lines(
    `${V2}.${name}]`,
    '  runtime_type = "io.containerd.runc.v2"',
    `  ${V2}.${name}.options]`,
    `    SystemdCgroup = ${value}`,
  );
}

async function rows(files: Readonly<Record<string, string>>, version?: string): Promise<readonly RuntimeStatus[]> {
  const [facts] = await containerd.read(hostOf(makeTree({ [UNIT]: SERVICE, ...files }), version));
  return facts === undefined ? [] : containerd.status(facts);
}

function found(all: readonly RuntimeStatus[], code: string): Finding | undefined {
  return all.flatMap(({ findings }) => findings).find((finding) => finding.code === code);
}

describe('runtimes with a shim of version 1', () => {
  const text = lines('version = 2') + runtime('runc', 'true').replace('runc.v2', 'runc.v1');

  it('are rows of 1.x', async () => {
    const all = await rows({ [MAIN]: text }, '1.7.24');
    expect(all.map(({ configured }) => configured.driver)).toEqual(['systemd']);
    expect(found(all, 'containerd-gone-shim')).toBeUndefined();
  });

  it('are faults of 2.x, beside others that work too', async () => {
    const all = await rows({ [MAIN]: text + runtime('crun', 'true') }, '2.1.9');
    expect(all.map(({ instance }) => instance)).toEqual(['crun']);
    expect(found(all, 'containerd-gone-shim')).toMatchObject({ severity: 'error', path: MAIN, line: 3, column: 3 });
  });
});

describe('rows', () => {
  it('has one for each runtime table, the default one first, with file, line and column', async () => {
    const text = lines('version = 2', `${V2.slice(0, -9)}]`, '  default_runtime_name = "nvidia"');
    const all = await rows({ [MAIN]: text + runtime('aaa', 'false') + runtime('nvidia', 'true') }, '1.7.24');
    expect(all.map(({ instance, configured }) => [instance, configured.driver, configured.source])).toEqual([
      ['nvidia', 'systemd', { kind: 'file', path: MAIN, line: 11, column: 5, text: 'SystemdCgroup of nvidia' }],
      ['aaa', 'cgroupfs', { kind: 'file', path: MAIN, line: 7, column: 5, text: 'SystemdCgroup of aaa' }],
    ]);
    expect(all[0]).toMatchObject({ runtime: 'containerd', version: '1.7.24', unit: 'containerd.service' });
  });

  it('has the built-in runtime where there is no file', async () => {
    const [row] = await rows({}, '2.1.9');
    expect(row).toMatchObject({
      instance: 'runc',
      configured: { driver: 'cgroupfs', source: { kind: 'default', text: "containerd's default" } },
      findings: [],
    });
  });

  it('takes the file that the unit names, and says that it is missing', async () => {
    const files = {
      [UNIT]: lines('[Service]', 'ExecStart=/usr/bin/containerd --config /etc/cd.toml'),
      '/etc/cd.toml': `version = 2\n${runtime('runc', 'true')}`,
    };
    expect((await rows(files, '1.7.24'))[0]?.configured.source.path).toBe('/etc/cd.toml');
    const { '/etc/cd.toml': _, ...without } = files;
    const all = await rows(without, '1.7.24');
    expect(all[0]?.configured.driver).toBeUndefined();
    expect(found(all, 'containerd-config-missing')).toMatchObject({ severity: 'error', path: '/etc/cd.toml' });
  });

  it('is none where containerd is not installed', async () => {
    expect(await containerd.read(hostOf(makeTree({})))).toEqual([]);
  });

  it('takes the version from the package', async () => {
    const status = lines('Package: containerd.io', 'Status: install ok installed', 'Version: 1.7.27-1');
    expect((await rows({ '/var/lib/dpkg/status': status }))[0]?.version).toBe('1.7.27');
  });

  it('follows Docker where the CRI is disabled, as in the package that Docker makes', async () => {
    const all = await rows({ [MAIN]: '# Copyright\n\ndisabled_plugins = ["cri"]\n' }, '1.7.24');
    expect(all).toMatchObject([{ instance: '', follows: 'docker', configured: { driver: undefined } }]);
    expect(found(all, 'containerd-cri-disabled')).toMatchObject({ severity: 'info', line: 3 });
  });

  it('names the values that lose', async () => {
    const files = {
      [MAIN]: `version = 2\nimports = ["conf.d/*.toml"]\n${runtime('runc', 'true')}`,
      '/etc/containerd/conf.d/a.toml': `version = 2\n${runtime('runc', 'false')}`,
    };
    const [row] = await rows(files, '2.1.9');
    expect(row?.configured).toMatchObject({
      driver: 'cgroupfs',
      source: { path: '/etc/containerd/conf.d/a.toml', line: 5 },
      shadowed: [{ path: MAIN, line: 6, value: 'true' }],
    });
  });
});

describe('findings', () => {
  it('finds a value in a section that this version does not read', async () => {
    const all = await rows({ [MAIN]: `version = 3\n${runtime('runc', 'true')}` }, '2.1.9');
    expect(found(all, 'containerd-wrong-section')).toMatchObject({
      severity: 'error',
      line: 5,
      message:
        'SystemdCgroup = true of runc does nothing: containerd 2.1.9 does not read [plugins."io.containerd.grpc.v1.cri"] in a file of version = 3',
    });
  });

  it('finds that a version is missing', async () => {
    const all = await rows({ [MAIN]: runtime('runc', 'true') }, '1.7.24');
    expect(found(all, 'containerd-wrong-section')?.hint).toBe(`put "version = 2" at the top of ${MAIN}`);
  });

  it('finds what an import takes away on 1.x, and nothing of it on 2.x', async () => {
    const files = {
      [MAIN]: `version = 2\nimports = ["conf.d/a.toml"]\n${runtime('runc', 'true')}`,
      '/etc/containerd/conf.d/a.toml': lines(
        'version = 2',
        '[plugins."io.containerd.grpc.v1.cri"]',
        '  sandbox_image = "x"',
      ),
    };
    const old = await rows(files, '1.7.24');
    expect(found(old, 'containerd-import-replaced')).toMatchObject({ severity: 'warning', path: MAIN, line: 3 });
    expect(old[0]?.configured.driver).toBe('cgroupfs');
    const now = await rows(files, '2.1.9');
    expect(found(now, 'containerd-import-replaced')).toBeUndefined();
    expect(now[0]?.configured.driver).toBe('systemd');
  });

  it('finds the switch of the whole plugin: fatal to the CRI on 1.x, without effect on 2.x', async () => {
    const text = lines('version = 2', '[plugins."io.containerd.grpc.v1.cri"]', '  systemd_cgroup = true');
    const files = { [MAIN]: text + runtime('runc', 'true') };
    expect(found(await rows(files, '1.7.24'), 'containerd-systemd-cgroup')).toMatchObject({
      severity: 'error',
      line: 3,
    });
    expect(found(await rows(files, '2.1.9'), 'containerd-systemd-cgroup')).toMatchObject({ severity: 'warning' });
  });

  it('finds runtimes that differ', async () => {
    const text = `version = 2\n${runtime('runc', 'true')}${runtime('nvidia', 'false')}`;
    expect(found(await rows({ [MAIN]: text }, '2.1.9'), 'containerd-mixed')).toMatchObject({
      message: 'RuntimeConfig tells the kubelet systemd, but nvidia has cgroupfs: pods of the one or the other fail',
      line: 9,
    });
  });

  it.each([
    ['containerd-syntax', 'version = 2\n[a]\n[a]\n', '1.7.24', 3],
    ['containerd-version-too-new', 'version = 3\n', '1.7.24', 1],
    ['containerd-version-type', 'version = "2"\n', '1.7.24', 1],
    ['containerd-import-missing', 'version = 2\nimports = ["none.toml"]\n', '2.1.9', 2],
    ['containerd-plugin-name', 'version = 2\n[plugins.cri]\n', '1.6.20', 2],
    ['containerd-byte-order-mark', '\ufeffversion = 2\n', '2.1.9', undefined],
  ])('knows no driver with %s', async (code, text, version, line) => {
    const all = await rows({ [MAIN]: text }, version);
    expect(all).toHaveLength(1);
    expect(all[0]?.configured.driver).toBeUndefined();
    expect(found(all, code)).toMatchObject({ severity: 'error' });
    expect(found(all, code)?.line).toBe(line);
  });

  it('finds a value that is no boolean', async () => {
    const all = await rows({ [MAIN]: `version = 2\n${runtime('runc', '"true"')}` }, '2.1.9');
    expect(all[0]?.configured.driver).toBeUndefined();
    expect(found(all, 'containerd-not-boolean')).toMatchObject({ severity: 'error', line: 5 });
  });

  it('finds a default runtime without a table', async () => {
    const text = `version = 2\n${V2.slice(0, -9)}]\n  default_runtime_name = "x"\n`;
    expect(found(await rows({ [MAIN]: text }, '1.7.24'), 'containerd-no-default-runtime')).toMatchObject({ line: 3 });
  });

  it('takes a template for one', async () => {
    const text = `version = 2\n${V2.slice(0, -9)}]\n  default_runtime_name = "\${RUNTIME}"\n`;
    expect(found(await rows({ [MAIN]: text }, '1.7.24'), 'containerd-template')).toMatchObject({ line: 3 });
  });
});

describe('an unknown version', () => {
  it('does not matter where all versions read alike', async () => {
    const all = await rows({ [MAIN]: `version = 2\n${runtime('runc', 'true')}` });
    expect(all[0]?.configured.driver).toBe('systemd');
    expect(found(all, 'containerd-version-unknown')).toMatchObject({ severity: 'warning' });
  });

  it('leaves the driver unknown where they differ', async () => {
    const all = await rows({ [MAIN]: `version = 3\n${runtime('runc', 'true')}` });
    expect(all[0]?.configured.driver).toBeUndefined();
  });
});
