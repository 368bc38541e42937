import { decodeConfig } from '../../core/config-text.ts';
import { ifReadable } from '../../host/readable.ts';
import type { RootTree } from '../../host/root-tree.ts';
import { CriClient } from '../cri/client.ts';
import { daemonFault } from '../faults.ts';
import { parseToml } from '../formats/toml.ts';
import type { Configured, DriverHost, Finding, Observed } from '../model.ts';
import { type ManagedFacts, managed } from './managed.ts';

const ARGS = '/var/snap/microk8s/current/args';
const TEMPLATE = `${ARGS}/containerd-template.toml`;
const KUBELET = `${ARGS}/kubelet`;
const SOCKET = '/var/snap/microk8s/common/run/containerd.sock';
const UNIT = 'snap.microk8s.daemon-containerd.service';

/** The CRI plugin's tables of configuration versions 2 and 3. */
const PLUGINS = ['io.containerd.grpc.v1.cri', 'io.containerd.cri.v1.runtime'];

export const microk8s = managed('microk8s', 'MicroK8s', async (host) =>
  ifReadable(() => host.tree.kind(ARGS)) === 'folder' ? [await readMicrok8s(host)] : [],
);

async function readMicrok8s({ tree, live, assumed }: DriverHost): Promise<ManagedFacts> {
  const findings: Finding[] = [];
  let configured: Configured = {
    driver: undefined,
    source: { kind: 'file', path: TEMPLATE, text: 'containerd-template.toml' },
    shadowed: [],
  };
  try {
    configured = templateDriver(tree);
    findings.push(...kubeletDiffers(tree, configured));
  } catch (error) {
    findings.push(daemonFault(error, 'microk8s-fault', 'MicroK8s does not start'));
  }
  const version = /^version:\s*["']?v?([^\s"']+)/m.exec(
    ifReadable(() => tree.text('/snap/microk8s/current/meta/snap.yaml')) ?? '',
  )?.[1];
  return {
    row: {
      runtime: 'microk8s',
      instance: '',
      version: assumed.get('microk8s') ?? version,
      unit: UNIT,
      running: live && (await observe()),
      configured,
      findings,
    },
    advice: ({ to }) =>
      `drain the node, set SystemdCgroup = ${to === 'systemd'} for the runtime in ${TEMPLATE} and --cgroup-driver=${to} in ${KUBELET}, and run \`snap restart microk8s\``,
  };
}

/** The driver of runc, which is the runtime that MicroK8s puts in for ${RUNTIME}. */
function templateDriver(tree: RootTree): Configured {
  const found = tree.read(TEMPLATE);
  const document = found && parseToml(decodeConfig(found.bytes, TEMPLATE).text, TEMPLATE);
  for (const plugin of PLUGINS) {
    const key = ['plugins', plugin, 'containerd', 'runtimes', 'runc', 'options', 'SystemdCgroup'];
    const entry = document?.get(key);
    if (typeof entry?.value !== 'boolean') continue;
    const { line, column } = entry;
    const source = { kind: 'file', path: TEMPLATE, line, column, text: 'SystemdCgroup of runc' } as const;
    return { driver: entry.value ? 'systemd' : 'cgroupfs', source, shadowed: [] };
  }
  return { driver: 'cgroupfs', source: { kind: 'default', text: "containerd's default" }, shadowed: [] };
}

function kubeletDiffers(tree: RootTree, { driver }: Configured): Finding[] {
  const lines = (tree.text(KUBELET) ?? '').split('\n');
  const at = lines.findLastIndex((line) => /^\s*--cgroup-driver[= ]/.test(line));
  const given = at < 0 ? 'cgroupfs' : (/--cgroup-driver[= ]["']?([^\s"']*)/.exec(lines[at] ?? '')?.[1] ?? '');
  if (given === driver) return [];
  return [
    {
      severity: 'warning',
      code: 'microk8s-kubelet-differs',
      message: `MicroK8s gives its kubelet ${given} and its containerd ${driver}`,
      hint: `give both the same driver: --cgroup-driver in ${KUBELET}, SystemdCgroup in ${TEMPLATE}`,
      path: KUBELET,
      ...(at >= 0 && { line: at + 1 }),
    },
  ];
}

async function observe(): Promise<Observed | undefined> {
  const answer = await new CriClient(SOCKET).runtimeConfig();
  const driver = answer.ok ? answer.value : undefined;
  return driver && { driver, how: 'cri', text: `RuntimeConfig on ${SOCKET}` };
}
