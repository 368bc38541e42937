import type { PlanNote } from '../../change/plan.ts';
import type { IndexSet } from '../../core/cpuset.ts';
import { KUBEADM_CONFIG } from '../../drivers/kubelet/config.ts';
import type { KubeletFacts } from '../../drivers/kubelet/facts.ts';
import { settingOf } from '../../drivers/kubelet/settings.ts';
import { listText } from '../roles.ts';
import type { Wish } from './edits.ts';
import type { KubeletCpus } from './read.ts';

/** What the stop of the kubelet means. */
export function restartNotes({ run, command }: KubeletFacts, pods: readonly string[]): readonly PlanNote[] {
  if (run === undefined) return [];
  if (run.activeState === 'activating') {
    return [
      {
        severity: 'warning',
        text: 'the kubelet fails and is started again and again: see afterwards whether its CPU manager was the reason',
        items: [`journalctl -u ${command.unit}`],
      },
    ];
  }
  if (run.activeState !== 'active') {
    return [{ severity: 'info', text: 'the kubelet does not run: it has the new settings when it is started' }];
  }
  const drain: PlanNote = {
    severity: 'impact',
    text: 'The kubelet stops while its CPUs change. Drain the node before, and let it take pods again after:',
    items: ['kubectl drain NODE --ignore-daemonsets --delete-emptydir-data', 'kubectl uncordon NODE'],
  };
  const left: PlanNote = {
    severity: 'impact',
    text: 'These pods still run; the new CPU manager places those anew that have no CPUs of their own, and may refuse others:',
    items: pods,
  };
  return pods.length > 0 ? [drain, left] : [drain];
}

/** What follows from the settings, and what else has to be set so. */
export function settingNotes(
  { isKubeadm, settings }: KubeletFacts,
  cpus: KubeletCpus,
  reserved: IndexSet,
  isEdited: boolean,
  wishes: readonly Wish[],
): readonly PlanNote[] {
  const notes: PlanNote[] = [];
  const others = ['systemReserved', 'kubeReserved'].filter((field) => settingOf(settings, field) !== undefined);
  if (others.length > 0 && cpus.reserved === undefined) {
    const count = reserved.length;
    notes.push({
      severity: 'info',
      text: `the cpu of ${others.join(' and ')} counts no more beside reservedSystemCPUs: ${count} ${count === 1 ? 'CPU is' : 'CPUs are'} taken off what pods can ask for`,
    });
  }
  if (isEdited && isKubeadm) {
    notes.push({
      severity: 'warning',
      text: `kubeadm upgrade node writes ${KUBEADM_CONFIG} again from the cluster's ConfigMap, which is one for all nodes: keep these settings of this node in a patch, kubeletconfiguration+strategic.yaml, and give its folder to kubeadm upgrade node --patches`,
      items: wishes.map(
        ({ field, option, value }) => `${field}: ${option === undefined ? value : `${option}: "${value}"`}`,
      ),
    });
  }
  return notes;
}

/** Options that cannot be had, and what one of them asks of pods. */
export function optionNotes(
  { support }: KubeletCpus,
  reserved: IndexSet,
  isWhole: boolean,
  hasThreads: boolean,
  isFull: boolean,
): readonly PlanNote[] {
  const notes: PlanNote[] = [];
  const { 'strict-cpu-reservation': strict, 'full-pcpus-only': full } = support;
  if (!strict.isUsable) {
    notes.push({
      severity: 'warning',
      text: `strict-cpu-reservation is not set: ${strict.why}. Pods without CPUs of their own run on the system CPUs ${listText(reserved)} too; ${strict.cure} to keep them off`,
    });
  }
  if (isFull) {
    notes.push({
      severity: 'info',
      text: 'with full-pcpus-only, pods that ask for CPUs of their own and not for whole cores are refused (SMTAlignmentError)',
    });
  } else if (hasThreads) {
    const why = isWhole ? full.why : `CPUs ${listText(reserved)} split a core between the system and pods`;
    notes.push({
      severity: 'warning',
      text: `full-pcpus-only is not set: ${why}. Two containers may have one thread each of the same core`,
    });
  }
  return notes;
}
