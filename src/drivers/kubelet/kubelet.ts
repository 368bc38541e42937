import { posix } from 'node:path';
import type { SystemdLink } from '../../backend/systemd-link.ts';
import { fileStep } from '../../change/file-step.ts';
import type { CheckTable } from '../../change/plan.ts';
import { ifReadable } from '../../host/readable.ts';
import type { RootTree } from '../../host/root-tree.ts';
import type { DriverHost, Runtime } from '../model.ts';
import { readServiceCommand, type ServiceCommand } from '../service/command.ts';
import { readLoaded } from '../service/loaded.ts';
import { PlannedTree } from '../service/planned-tree.ts';
import { askHealth, checkKubelet, type Watch } from './check.ts';
import { KUBEADM_CONFIG, readSettings, UNIT } from './config.ts';
import type { KubeletFacts } from './facts.ts';
import { askRuntime, runtimeSocket } from './follow.ts';
import { impactOfKubeletJobs } from './impact.ts';
import { kubeletAround, planKubelet } from './plan.ts';
import { isCgroupV1, readRun } from './run.ts';
import { settingOf } from './settings.ts';
import { configuredOf, statusOf } from './status.ts';
import { kubeletVersion } from './version.ts';

const HEALTHZ_PORT = 10_248;
/** kubelet.service and 10-kubeadm.conf of kubernetes/release, as far as they say what is read. */
const UNIT_OF_PACKAGES = `[Service]
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
EnvironmentFile=-/etc/default/kubelet
ExecStart=/usr/bin/kubelet --config=${KUBEADM_CONFIG} $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
`;

/** The kubelet of kubelet.service. Those inside of k3s, RKE2 and MicroK8s belong to their distributions. */
export const kubelet: Runtime<KubeletFacts> = {
  name: 'kubelet',
  read: async (host) => {
    const facts = await readKubelet(host);
    return facts ? [facts] : [];
  },
  status: (facts) => [statusOf(facts)],
  plan: planKubelet,
  around: kubeletAround,
  impact: impactOfKubeletJobs,
  checks: (host): CheckTable => ({ 'kubelet-driver': ({ driver = '' }) => check(host, driver) }),
};

async function readKubelet(host: DriverHost): Promise<KubeletFacts | undefined> {
  const { tree, live } = host;
  const found = readServiceCommand(tree, UNIT);
  const command = found ?? (live === undefined && host.assumed.has('kubelet') ? commandOfPackages(tree) : undefined);
  if (command === undefined || command.masked) return undefined;
  const version = await kubeletVersion(host, command);
  const settings = readSettings(tree, command, version);
  const { followed, runtimeTellsNothing } = await askRuntime(host, settings, version);
  const socket = runtimeSocket(settings);
  const question = { unit: UNIT, settings, followed, socket };
  return {
    tree,
    command,
    settings,
    version,
    socket,
    followed,
    runtimeTellsNothing,
    run: live && (await readRun(live, question)),
    isV1: live && isCgroupV1(live.paths),
    isKubeadm: isKubeadm(tree, command),
  };
}

/** The command of kubeadm's packages, for a kubelet that will be installed. */
function commandOfPackages(tree: RootTree): ServiceCommand | undefined {
  const unit = new TextEncoder().encode(UNIT_OF_PACKAGES);
  const steps = fileStep(tree, `/usr/lib/systemd/system/${UNIT}`, unit, 'to read it');
  return readServiceCommand(new PlannedTree(tree, steps), UNIT);
}

/** kubeadm's packages bring the drop-in, and kubeadm itself leaves the file of flags. */
function isKubeadm(tree: RootTree, { dropIns }: ServiceCommand): boolean {
  const flags = ifReadable(() => tree.kind('/var/lib/kubelet/kubeadm-flags.env'));
  return flags === 'file' || dropIns.some((path) => posix.basename(path) === '10-kubeadm.conf');
}

async function check(host: DriverHost, expected: string): ReturnType<typeof checkKubelet> {
  const system = host.live?.system;
  if (system === undefined) return { ok: false, found: 'systemd cannot be asked for the kubelet' };
  return checkKubelet(expected, {
    ...watchKubelet(host.tree, system),
    driver: async () => {
      const facts = await readKubelet(host);
      if (facts === undefined) return { driver: undefined, text: '' };
      const { driver, source } = configuredOf(facts);
      return facts.run?.observed ?? { driver, text: source.text };
    },
  });
}

/** How the kubelet of kubelet.service is looked at while it starts. */
export function watchKubelet(tree: RootTree, system: SystemdLink): Pick<Watch, 'look' | 'healthy'> {
  return {
    look: async () => {
      const loaded = await readLoaded(system, UNIT);
      return loaded ?? { activeState: 'inactive', subState: 'dead', result: 'success', mainPid: undefined };
    },
    healthy: async () => {
      const command = readServiceCommand(tree, UNIT);
      const port = command && settingOf(readSettings(tree, command, undefined), 'healthzPort')?.value;
      return askHealth(port === undefined ? HEALTHZ_PORT : Number(port));
    },
  };
}
