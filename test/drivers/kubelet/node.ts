import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { FileStep, Step } from '../../../src/change/plan.ts';
import type { KubeletFacts, KubeletRun } from '../../../src/drivers/kubelet/facts.ts';
import { kubelet } from '../../../src/drivers/kubelet/kubelet.ts';
import type { AlignRequest, DriverHost, RuntimeStatus } from '../../../src/drivers/model.ts';
import { RootTree } from '../../../src/host/root-tree.ts';

/** Files by their paths below the root. */
export type Files = Readonly<Record<string, string>>;

export const CONFIG = '/var/lib/kubelet/config.yaml';
export const KUBEADM_FLAGS = '/var/lib/kubelet/kubeadm-flags.env';
export const EXTRA = '/etc/default/kubelet';

const UNIT = `[Unit]
Description=kubelet: The Kubernetes Node Agent

[Service]
ExecStart=/usr/bin/kubelet
Restart=always
StartLimitInterval=0
RestartSec=10

[Install]
WantedBy=multi-user.target
`;

/** As the packages of the Kubernetes project have it, comments left out. */
const KUBEADM = `[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=${CONFIG}"
EnvironmentFile=-${KUBEADM_FLAGS}
EnvironmentFile=-${EXTRA}
ExecStart=
ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
`;

/** A node as kubeadm and its packages leave it. */
export const NODE: Files = {
  '/usr/lib/systemd/system/kubelet.service': UNIT,
  '/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf': KUBEADM,
  [KUBEADM_FLAGS]: 'KUBELET_KUBEADM_ARGS="--node-ip=10.0.0.2"\n',
};

/** A node whose unit starts the kubelet with these words. */
export const withCommand = (words: string): Files => ({
  '/etc/systemd/system/kubelet.service': UNIT.replace(
    'ExecStart=/usr/bin/kubelet',
    `ExecStart=/usr/bin/kubelet ${words}`,
  ),
});

/** The content of a kubelet's file: the header that it needs, and these lines. */
export const config = (lines = ''): string =>
  `apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n${lines}`;

export function makeTree(files: Files): RootTree {
  const root = mkdtempSync(join(tmpdir(), 'slicectl-kubelet-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return new RootTree(root);
}

export function hostOf(tree: RootTree, version: string | undefined): DriverHost {
  return {
    tree,
    live: undefined,
    assumed: new Map(version === undefined ? [] : [['kubelet', version]]),
    self: { uid: 0, gid: 0, env: {}, cwd: '/' } as unknown as DriverHost['self'],
  };
}

const defaultVersion = (files: Files): string | undefined => ('/var/lib/dpkg/status' in files ? undefined : '1.30.4');

/** The kubelet of a tree. 1.30 is the last that does not ask its runtime for the driver. */
export async function readNode(files: Files, version = defaultVersion(files)): Promise<KubeletFacts> {
  const [facts] = await kubelet.read(hostOf(makeTree(files), version));
  if (!facts) throw new Error('no kubelet was found');
  return facts;
}

export function rowOf(facts: KubeletFacts): RuntimeStatus {
  const [row] = kubelet.status(facts);
  if (!row) throw new Error('no row');
  return row;
}

export const codesOf = (facts: KubeletFacts): string[] => rowOf(facts).findings.map(({ code }) => code);

export const request = (to: AlignRequest['to'], ...allowed: string[]): AlignRequest => ({
  to,
  liveRestore: false,
  allowed: new Set(allowed),
});

export const isFile = (step: Step): step is Step & FileStep => step.kind === 'file';

/** Path and new text of each file that is written. */
export function written(steps: readonly Step[]): [path: string, text: string][] {
  return steps
    .filter(isFile)
    .map(({ path, after }) => [
      path,
      after.exists ? new TextDecoder('utf-8', { ignoreBOM: true }).decode(after.bytes) : '',
    ]);
}

/** A kubelet that runs with this driver, on a node with these pods. */
export const running = (driver: 'systemd' | 'cgroupfs' | undefined, pods: readonly string[] = []): KubeletRun => ({
  activeState: 'active',
  subState: 'running',
  needDaemonReload: false,
  isRunning: true,
  startedMs: undefined,
  observed: driver && { driver, how: 'container', text: 'a group' },
  pods,
});
