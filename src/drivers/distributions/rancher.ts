import { existsSync } from 'node:fs';
import { readIfThere } from '../../host/files.ts';
import { ifReadable } from '../../host/readable.ts';
import type { RootTree } from '../../host/root-tree.ts';
import { CriClient } from '../cri/client.ts';
import { daemonFault } from '../faults.ts';
import type {
  AlignRequest,
  CgroupDriver,
  Configured,
  DriverHost,
  Finding,
  LiveHost,
  Observed,
  RuntimeName,
} from '../model.ts';
import { readServiceCommand, type ServiceCommand } from '../service/command.ts';
import { firstFile, type ManagedFacts, managed } from './managed.ts';
import { type RancherConfig, type RancherValue, readRancherConfig } from './rancher-config.ts';

interface Flavour {
  readonly name: RuntimeName;
  readonly title: string;
  readonly units: readonly string[];
  readonly programs: readonly string[];
}

export const k3s = rancher({
  name: 'k3s',
  title: 'k3s',
  units: ['k3s.service', 'k3s-agent.service'],
  programs: ['/usr/local/bin/k3s', '/usr/bin/k3s', '/opt/bin/k3s'],
});

export const rke2 = rancher({
  name: 'rke2',
  title: 'RKE2',
  units: ['rke2-server.service', 'rke2-agent.service'],
  programs: ['/usr/local/bin/rke2', '/usr/bin/rke2', '/opt/rke2/bin/rke2'],
});

function rancher(flavour: Flavour) {
  return managed(flavour.name, flavour.title, async (host) => {
    const { tree } = host;
    const command = flavour.units.map((unit) => readServiceCommand(tree, unit)).find((found) => found !== undefined);
    const isThere =
      command !== undefined ||
      firstFile(tree, flavour.programs) !== undefined ||
      ifReadable(() => tree.kind(`/var/lib/rancher/${flavour.name}/agent`)) === 'folder';
    return isThere ? [await readRancher(host, flavour, command)] : [];
  });
}

async function readRancher(
  host: DriverHost,
  flavour: Flavour,
  command: ServiceCommand | undefined,
): Promise<ManagedFacts> {
  const { tree, live, assumed } = host;
  const { name, title } = flavour;
  const main = `/etc/rancher/${name}/config.yaml`;
  const findings: Finding[] = [];
  let config: RancherConfig = { values: () => [] };
  try {
    config = readRancherConfig(tree, main, command);
  } catch (error) {
    findings.push(daemonFault(error, 'rancher-fault', `${title} does not start`));
  }
  const usesDocker = name === 'k3s' && isOn(config.values('docker'), command);
  const dataFolder = config.values('data-dir').at(-1)?.value || `/var/lib/rancher/${name}`;
  const rule = ruleOf(title, command, live);
  const template = usesDocker
    ? undefined
    : ifReadable(() => templateDriver(tree, `${dataFolder}/agent/etc/containerd`));
  const configured = template ?? rule;
  findings.push(...kubeletDiffers(title, config, configured), ...dockerNote(usesDocker));
  const isBroken = findings.some(({ severity }) => severity === 'error');
  return {
    row: {
      runtime: name,
      instance: '',
      version: assumed.get(name),
      unit: command?.unit,
      running: live && (await observe(usesDocker)),
      configured: isBroken ? { ...configured, driver: undefined } : configured,
      findings,
    },
    advice: (request) => adviceOf(flavour, rule, request),
  };
}

/** pkg/agent/config: systemd where it started k3s ($INVOCATION_ID), with the cpuset controller, and not in a user namespace. */
function ruleOf(title: string, command: ServiceCommand | undefined, live: LiveHost | undefined): Configured {
  const answer = (driver: CgroupDriver, text: string): Configured => ({
    driver,
    source: { kind: 'default', text: `${title}'s rule: ${text}` },
    shadowed: [],
  });
  if (command === undefined) return answer('cgroupfs', 'it is not started by systemd');
  if (live !== undefined && !hasCpuset(live)) return answer('cgroupfs', 'the cpuset controller is not there');
  return answer('systemd', 'it is started by systemd');
}

function hasCpuset({ paths }: LiveHost): boolean {
  const controllers = readIfThere(`${paths.sys}/fs/cgroup/cgroup.controllers`);
  return controllers === undefined ? existsSync(`${paths.sys}/fs/cgroup/cpuset`) : /\bcpuset\b/.test(controllers);
}

/** What a template says by itself. It is one of Go's, and no TOML: `SystemdCgroup = {{ .SystemdCgroup }}` follows the rule. */
function templateDriver(tree: RootTree, folder: string): Configured | undefined {
  const path = firstFile(tree, [`${folder}/config-v3.toml.tmpl`, `${folder}/config.toml.tmpl`]);
  const lines = path === undefined ? [] : (tree.text(path) ?? '').split('\n');
  const at = lines.findIndex((line) => /^\s*SystemdCgroup\s*=\s*(?:true|false)\b/.test(line));
  if (path === undefined || at < 0) return undefined;
  const driver = /=\s*true/.test(lines[at] ?? '') ? 'systemd' : 'cgroupfs';
  return { driver, source: { kind: 'file', path, line: at + 1, text: 'SystemdCgroup of the template' }, shadowed: [] };
}

function kubeletDiffers(title: string, config: RancherConfig, { driver }: Configured): Finding[] {
  const given = config
    .values('kubelet-arg')
    .map(({ value, source }) => ({ source, driver: /^(?:--)?cgroup-driver=(.*)$/.exec(value)?.[1] }))
    .findLast((each) => each.driver !== undefined);
  if (given === undefined || given.driver === driver) return [];
  const { path, line, column } = given.source;
  return [
    {
      severity: 'warning',
      code: 'rancher-kubelet-differs',
      message: `${title} gives its kubelet ${given.driver} by kubelet-arg and its containerd ${driver}`,
      hint: 'take cgroup-driver out of kubelet-arg: both then follow the same rule',
      ...(path !== undefined && { path }),
      ...(line !== undefined && { line }),
      ...(column !== undefined && { column }),
    },
  ];
}

/** k3s-io/k3s#5738: the kubelet's driver does not follow Docker's. */
function dockerNote(usesDocker: boolean): Finding[] {
  if (!usesDocker) return [];
  const message = 'k3s runs with --docker: its kubelet follows its own rule, and Docker must have the same driver';
  return [{ severity: 'info', code: 'k3s-docker', message }];
}

function isOn(values: readonly RancherValue[], command: ServiceCommand | undefined): boolean {
  const words = command?.words.map(({ text }) => text) ?? [];
  if (words.includes('--docker') || words.includes('--docker=true')) return true;
  return values.some(({ value, source }) => source.kind === 'file' && value === 'true');
}

async function observe(usesDocker: boolean): Promise<Observed | undefined> {
  const socket = usesDocker ? '/run/k3s/cri-dockerd/cri-dockerd.sock' : '/run/k3s/containerd/containerd.sock';
  const answer = await new CriClient(socket).runtimeConfig();
  const driver = answer.ok ? answer.value : undefined;
  return driver && { driver, how: 'cri', text: `RuntimeConfig on ${socket}` };
}

function adviceOf({ name, title, units: [unit] }: Flavour, rule: Configured, { to }: AlignRequest): string {
  const folder = `/var/lib/rancher/${name}/agent/etc/containerd`;
  if (to === 'systemd' && rule.driver !== 'systemd') {
    return `let systemd start ${title} by ${unit}: it then uses systemd by itself`;
  }
  const value = to === 'systemd';
  return `drain the node, set SystemdCgroup = ${value} in a template (${folder}/config-v3.toml.tmpl) and kubelet-arg: cgroup-driver=${to} in /etc/rancher/${name}/config.yaml, and restart ${unit}`;
}
