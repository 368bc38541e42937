import { chmodSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http2';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { encodeMessage } from '../../../src/drivers/cri/protobuf.ts';
import { readSettings } from '../../../src/drivers/kubelet/config.ts';
import { asksRuntime, runtimeBehind, runtimeSocket } from '../../../src/drivers/kubelet/follow.ts';
import { kubelet } from '../../../src/drivers/kubelet/kubelet.ts';
import { readServiceCommand } from '../../../src/drivers/service/command.ts';
import type { HostPaths } from '../../../src/host/paths.ts';
import type { RootTree } from '../../../src/host/root-tree.ts';
import { codesOf, config, hostOf, makeTree, request, rowOf, withCommand } from './node.ts';

interface Machine {
  readonly version: string;
  /** Lines of the kubelet's file. */
  readonly lines?: string;
  /** argv of the running kubelet; none where it does not run. */
  readonly argv?: readonly string[];
  /** Below /sys/fs/cgroup. */
  readonly groups?: readonly string[];
  /** Answers of the runtime by method: the body, or a number of gRPC. */
  readonly cri?: Readonly<Record<string, Uint8Array | number>>;
  /** Whether the file has changed since the kubelet started. */
  readonly isFileNewer?: boolean;
}

const BOOT = 1_700_000_000;
const DRIVER = {
  systemd: encodeMessage([[1, encodeMessage([])]]),
  cgroupfs: encodeMessage([[1, encodeMessage([[1, 1n]])]]),
};
const UNIMPLEMENTED = 12;

async function readMachine({ version, lines = '', argv, groups = [], cri, isFileNewer }: Machine) {
  const tree = makeTree({});
  const { root } = tree;
  const put = (path: string, text: string): void => {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  const program = join(root, 'usr/bin/kubelet');
  put('usr/bin/kubelet', `#!/bin/sh\necho "Kubernetes v${version}"\n`);
  chmodSync(program, 0o755);
  put('etc/systemd/system/kubelet.service', `[Service]\nExecStart=${program} --config=/etc/kubelet.yaml\n`);
  const socket = join(root, 'run/containerd.sock');
  put('etc/kubelet.yaml', config(`${lines}containerRuntimeEndpoint: unix://${socket}\n`));
  const changed = BOOT + (isFileNewer ? 1000 : 0);
  utimesSync(join(root, 'etc/kubelet.yaml'), changed, changed);
  put('proc/stat', `cpu 1 2 3\nbtime ${BOOT}\n`);
  put('proc/self/mountinfo', `30 1 0:26 / ${root}/sys/fs/cgroup rw - cgroup2 cgroup2 rw\n`);
  for (const group of groups) put(`sys/fs/cgroup/${group}/cgroup.events`, 'populated 1\n');
  if (argv) {
    // 50000 ticks are 500 s after boot.
    put('proc/77/stat', `77 (kubelet) S 1 77 77 0 -1 4194560 ${'0 '.repeat(12)}50000 0 0`);
    put('proc/77/cmdline', `${[program, ...argv].join('\0')}\0`);
    put('proc/77/status', 'Uid:\t0\t0\t0\t0\n');
    symlinkSync(program, join(root, 'proc/77/exe'));
  }
  mkdirSync(join(root, 'run'), { recursive: true });
  if (cri) await serve(socket, cri);
  const paths: HostPaths = {
    proc: join(root, 'proc'),
    sys: join(root, 'sys'),
    etc: join(root, 'etc'),
    run: join(root, 'run'),
  };
  const host = { ...hostOf(tree, undefined), live: { paths, system: undefined, user: undefined } };
  const [facts] = await kubelet.read(host);
  if (!facts) throw new Error('no kubelet');
  return facts;
}

async function serve(socket: string, answers: Readonly<Record<string, Uint8Array | number>>): Promise<void> {
  const server = createServer();
  server.on('stream', (stream, headers) => {
    const body = answers[String(headers[':path']).split('/').at(-1) ?? ''] ?? UNIMPLEMENTED;
    const type = { 'content-type': 'application/grpc' };
    if (typeof body === 'number') {
      stream.respond({ ...type, 'grpc-status': String(body), 'grpc-message': 'no' }, { endStream: true });
      return;
    }
    stream.respond(type, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    const head = Buffer.alloc(5);
    head.writeUInt32BE(body.length, 1);
    stream.end(Buffer.concat([head, body]));
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())));
}

describe('the driver in force', () => {
  it('is shown by the group of all pods', async () => {
    const row = rowOf(
      await readMachine({ version: '1.30.1', argv: ['--cgroup-driver=cgroupfs'], groups: ['kubepods.slice'] }),
    );
    expect(row.running).toMatchObject({ driver: 'systemd', how: 'container' });
    expect(row.version).toBe('1.30.1');
  });

  it('is that of the command line where both groups are there', async () => {
    const argv = ['--cgroup-driver=systemd', '--v=2', '--cgroup_driver', 'cgroupfs'];
    const row = rowOf(await readMachine({ version: '1.30.1', argv, groups: ['kubepods.slice', 'kubepods'] }));
    expect(row.running).toMatchObject({ driver: 'cgroupfs', how: 'command-line', text: expect.stringContaining('77') });
  });

  it('is that of files that are older than the process', async () => {
    const lines = 'cgroupDriver: systemd\n';
    expect(rowOf(await readMachine({ version: '1.30.1', lines, argv: [] })).running?.driver).toBe('systemd');
    expect(rowOf(await readMachine({ version: '1.30.1', argv: [] })).running?.driver).toBe('cgroupfs');
  });

  it('is not known where the file has changed since, which is said', async () => {
    const facts = await readMachine({
      version: '1.30.1',
      lines: 'cgroupDriver: systemd\n',
      argv: [],
      isFileNewer: true,
    });
    expect(rowOf(facts).running).toBeUndefined();
    expect(codesOf(facts)).toEqual(['kubelet-file-newer']);
  });

  it('is none where no kubelet runs', async () => {
    expect(rowOf(await readMachine({ version: '1.30.1', groups: ['kubepods.slice'] })).running).toBeUndefined();
  });
});

describe('a kubelet that asks its runtime', () => {
  it('has the driver of the runtime, now and at its next start', async () => {
    const facts = await readMachine({
      version: '1.33.1',
      lines: 'cgroupDriver: cgroupfs\n',
      argv: [],
      cri: { RuntimeConfig: DRIVER.systemd },
    });
    expect(rowOf(facts)).toMatchObject({
      follows: 'containerd',
      running: { driver: 'systemd', how: 'cri' },
      configured: { driver: 'systemd', source: { kind: 'runtime' }, shadowed: [{ value: 'cgroupfs' }] },
    });
    expect(codesOf(facts)).toEqual(['kubelet-inactive']);
  });

  it('goes by its own setting where the runtime does not know the call, which is said', async () => {
    const facts = await readMachine({
      version: '1.33.1',
      lines: 'cgroupDriver: systemd\n',
      argv: [],
      cri: { RuntimeConfig: UNIMPLEMENTED },
    });
    expect(rowOf(facts).configured).toMatchObject({ driver: 'systemd', source: { kind: 'file' } });
    expect(rowOf(facts).follows).toBeUndefined();
    expect(codesOf(facts)).toEqual(['kubelet-fallback']);
  });

  it('is not one before 1.31', async () => {
    const facts = await readMachine({
      version: '1.30.9',
      lines: 'cgroupDriver: systemd\n',
      argv: [],
      cri: { RuntimeConfig: DRIVER.cgroupfs },
    });
    expect(rowOf(facts).configured).toMatchObject({ driver: 'systemd', source: { kind: 'file' } });
  });
});

describe('pods', () => {
  const pod = (namespace: string, name: string, state: bigint) =>
    encodeMessage([
      [
        2,
        encodeMessage([
          [1, name],
          [3, namespace],
        ]),
      ],
      [3, state],
    ]);

  it('are those that the runtime lists as ready', async () => {
    const list = encodeMessage([
      [1, pod('kube-system', 'proxy', 0n)],
      [1, pod('default', 'gone', 1n)],
    ]);
    const facts = await readMachine({ version: '1.30.1', argv: [], cri: { ListPodSandbox: list } });
    expect(facts.run?.pods).toEqual(['kube-system/proxy']);
    const { refusals } = kubelet.plan(facts, request('systemd'), []);
    expect(refusals).toMatchObject([{ override: '--drained', reason: expect.stringContaining('kube-system/proxy') }]);
  });

  it('are found by their groups where the runtime does not answer', async () => {
    const uid = '0f7c2a3e-9f4b-4c55-8e6d-2f7f0f6f1a11';
    const facts = await readMachine({ version: '1.30.1', argv: [], groups: [`kubepods/burstable/pod${uid}`] });
    expect(facts.run?.pods).toEqual([uid]);
  });
});

describe('whether the runtime is asked', () => {
  const settings = (tree: RootTree) => {
    const command = readServiceCommand(tree, 'kubelet.service');
    if (!command) throw new Error('no unit');
    return readSettings(tree, command, undefined);
  };
  const asked = (version: string | undefined, words: string, lines = '') =>
    asksRuntime(settings(makeTree({ ...withCommand(`--config=/k.yaml ${words}`), '/k.yaml': config(lines) })), version);
  const GATE = 'KubeletCgroupDriverFromCRI';

  it.each<[string | undefined, string, string, boolean | undefined]>([
    ['1.27.9', `--feature-gates=${GATE}=true`, '', false],
    ['1.28.0', '', '', false],
    ['1.28.0', `--feature-gates=A=b,${GATE}=true`, '', true],
    ['1.30.2', '--feature-gates=AllAlpha=true', '', true],
    ['1.30.2', `--feature-gates=AllAlpha=true --feature-gates=${GATE}=false`, '', false],
    ['1.31.0', '', '', true],
    ['1.31.0', '', `featureGates:\n  ${GATE}: false\n`, false],
    ['1.31.0', `--feature-gates=${GATE}=true`, `featureGates:\n  ${GATE}: false\n`, true],
    ['1.33.0', '', 'featureGates: {AllBeta: false}\n', false],
    ['1.33.0', '', `featureGates: {AllBeta: false, ${GATE}: true}\n`, true],
    ['1.34.0', `--feature-gates=${GATE}=false`, '', true],
    ['1.40.0', '', '', true],
    [undefined, '', '', undefined],
    [undefined, '', `featureGates: {${GATE}: true}\n`, true],
  ])('%s with %j and %j: %s', (version, words, lines, expected) => {
    expect(asked(version, words, lines)).toBe(expected);
  });

  it.each([
    ['', '/run/containerd/containerd.sock', 'containerd'],
    ['containerRuntimeEndpoint: unix:///var/run/crio/crio.sock\n', '/var/run/crio/crio.sock', 'crio'],
    ['containerRuntimeEndpoint: /run/cri-dockerd.sock\n', '/run/cri-dockerd.sock', 'cri-dockerd'],
    ['containerRuntimeEndpoint: "npipe:////./pipe/x"\n', undefined, undefined],
  ])('knows the runtime behind %j', (lines, socket, runtime) => {
    const found = runtimeSocket(settings(makeTree({ ...withCommand('--config=/k.yaml'), '/k.yaml': config(lines) })));
    expect(found).toBe(socket);
    expect(found && runtimeBehind(found)).toBe(runtime);
  });
});
