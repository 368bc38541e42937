import type { PlanNote, Refusal, Step, UnitStep } from '../../change/plan.ts';
import { SlicectlError } from '../../core/errors.ts';
import type { AlignRequest, CgroupDriver, RuntimePlan } from '../model.ts';
import { changeFlag, needsReload } from '../service/edit.ts';
import { KUBEADM_CONFIG } from './config.ts';
import { addField, type FieldEdit, setInFile } from './edit.ts';
import type { KubeletFacts } from './facts.ts';
import { ownDriver } from './lint.ts';
import { placesOf } from './settings.ts';
import { configuredOf, faultsOf } from './status.ts';

const PURPOSE = "the kubelet's cgroup driver";
const DRAINED = '--drained';
/** Keys of the KubeletConfiguration beside which the driver belongs where the file is in no order. */
const NEIGHBOURS = ['cgroupsPerQOS', 'cgroupRoot', 'kubeletCgroups', 'systemCgroups', 'cpuManagerPolicy'];

/**
 * The kubelet's share. Its own setting is changed where it counts, also where it is inactive because the runtime is asked
 * and contradicts what is wanted: it would count again after a downgrade. A setting that is absent and inactive stays
 * absent. The kubelet is stopped and started only where the driver in force changes, or
 * where it fails until now.
 */
export function planKubelet(facts: KubeletFacts, request: AlignRequest): RuntimePlan {
  const { files, refusals, notes } = edits(facts, request.to);
  const changes = refusals.length === 0 && changesDriver(facts, request.to, files.length > 0);
  const around = changes ? restart(facts, request.to) : NOTHING;
  return {
    runtime: 'kubelet',
    instance: '',
    files,
    reload: needsReload(files),
    before: around.before,
    after: around.after,
    refusals: [...refusals, ...around.refusals],
    notes: [...notes, ...(files.length > 0 ? fileNotes(facts, request.to) : []), ...around.notes],
  };
}

/**
 * The kubelet while a runtime below it changes and it has nothing to change itself: stopped before, started and checked
 * after. Undefined where it does not run and no pods are there.
 */
export function kubeletAround(facts: KubeletFacts, request: AlignRequest): RuntimePlan | undefined {
  const driver = facts.followed === undefined ? ownDriver(facts) : request.to;
  const { before, after, refusals, notes } = restart(facts, driver);
  if (before.length + refusals.length === 0) return undefined;
  return { runtime: 'kubelet', instance: '', files: [], reload: false, before, after, refusals, notes };
}

interface Edits {
  readonly files: readonly Step[];
  readonly refusals: readonly Refusal[];
  readonly notes: readonly PlanNote[];
}

interface Around {
  readonly before: readonly Step[];
  readonly after: readonly Step[];
  readonly refusals: readonly Refusal[];
  readonly notes: readonly PlanNote[];
}

const NOTHING: Around = { before: [], after: [], refusals: [], notes: [] };

function edits(facts: KubeletFacts, to: CgroupDriver): Edits {
  const { settings, followed, command, tree } = facts;
  const [fault] = faultsOf(facts);
  if (fault !== undefined) {
    const reason = `the kubelet's files are left as they are: ${fault.message}`;
    return { files: [], refusals: [{ reason, ...(fault.hint && { hint: fault.hint }), fault: true }], notes: [] };
  }
  const [place] = placesOf(settings, 'cgroupDriver');
  if (place?.value === to) return { files: [], refusals: [], notes: [] };
  try {
    if (place?.flag !== undefined) {
      if (!place.flag.uncertain) return done(changeFlag(tree, command, place.flag, to));
      const what = `${place.source.text} is in a script of ${command.unit}, which slicectl does not edit`;
      return refuse(what, `write --cgroup-driver=${to} there by hand`);
    }
    if (place?.layer !== undefined) return done(setInFile(tree, place.layer.path, editTo(to)));
    if (settings.notJoined) return { files: [], refusals: [], notes: notJoined(to) };
    const isAlready = to === 'cgroupfs' || followed !== undefined;
    return isAlready ? { files: [], refusals: [], notes: [] } : addSetting(facts, to);
  } catch (error) {
    if (!(error instanceof SlicectlError)) throw error;
    return refuse(`the kubelet's cgroup driver cannot be set: ${error.message}`, error.hint);
  }
}

function done(files: readonly Step[]): Edits {
  return { files, refusals: [], notes: [] };
}

function refuse(reason: string, hint: string | undefined): Edits {
  return { files: [], refusals: [{ reason, ...(hint && { hint }) }], notes: [] };
}

function addSetting({ settings, tree, command }: KubeletFacts, to: CgroupDriver): Edits {
  const steps = addField(tree, settings, editTo(to));
  if (steps !== undefined) return done(steps);
  return refuse(
    `${command.unit} gives the kubelet no file of configuration in which its driver could be set`,
    `add --cgroup-driver=${to} to the kubelet's options, with kubeadm's packages in KUBELET_EXTRA_ARGS of /etc/default/kubelet or /etc/sysconfig/kubelet`,
  );
}

function editTo(to: CgroupDriver): FieldEdit {
  return { keys: ['cgroupDriver'], value: to, purpose: PURPOSE, after: NEIGHBOURS };
}

/** Whether the next start would be with another driver than the running kubelet has. */
function changesDriver({ run, followed }: KubeletFacts, to: CgroupDriver, isEdited: boolean): boolean {
  if (isFailing(run)) return isEdited;
  if (!isUp(run)) return false;
  if (run?.observed !== undefined && run.observed.driver !== to) return true;
  return followed === undefined ? isEdited : isEdited && followed.driver !== to;
}

function isUp(run: KubeletFacts['run']): boolean {
  return run?.activeState === 'active' && run.isRunning;
}

function restart(facts: KubeletFacts, to: CgroupDriver): Around {
  const { run, command } = facts;
  const pods = run?.pods ?? [];
  const refusals = pods.length === 0 ? [] : [podsRefusal(pods)];
  const unit = { kind: 'unit', manager: 'system', unit: command.unit, verb: 'start' } as const;
  if (isFailing(run)) return { ...aroundFailing(unit), refusals };
  if (!isUp(run)) return { ...NOTHING, refusals };
  const was = run?.observed?.driver ?? configuredOf(facts).driver;
  return {
    before: [{ ...unit, verb: 'stop', purpose: 'no kubelet while drivers change' }],
    after: [
      { ...unit, verb: 'start', reset: [command.unit], purpose: 'the kubelet with its new driver' },
      {
        kind: 'check',
        check: 'kubelet-driver',
        expect: { driver: to },
        ...(was !== undefined && { expectBefore: { driver: was } }),
        purpose: `the kubelet runs and uses ${to}`,
        ...(was !== undefined && { purposeBefore: `the kubelet runs and uses ${was}` }),
      },
    ],
    refusals,
    notes: [drainNote(), ...(pods.length > 0 ? [leftoverNote(pods)] : [])],
  };
}

/** systemd starts it again and again: it fails for the driver, or waits for files or a runtime that are not there. */
function isFailing(run: KubeletFacts['run']): boolean {
  return run?.activeState === 'activating';
}

/** Without a check: what it fails for may be something else, and the change is no worse for that. */
function aroundFailing(unit: UnitStep): Pick<Around, 'before' | 'after' | 'notes'> {
  return {
    before: [{ ...unit, verb: 'stop', purpose: 'no kubelet while drivers change' }],
    after: [{ ...unit, verb: 'start', reset: [unit.unit], purpose: 'the kubelet, which failed before' }],
    notes: [
      {
        severity: 'warning',
        text: 'the kubelet fails and is started again and again: see afterwards whether the driver was the reason',
        items: [`journalctl -u ${unit.unit}`],
      },
    ],
  };
}

function podsRefusal(pods: readonly string[]): Refusal {
  const [first = ''] = pods;
  const what = pods.length === 1 ? `the pod ${first} runs` : `${pods.length} pods run, such as ${first},`;
  return {
    reason: `${what} on this node, and pods do not survive a change of the cgroup driver`,
    hint: `drain the node first, then give ${DRAINED}: static pods and those of DaemonSets stay, and are made again`,
    override: DRAINED,
  };
}

function drainNote(): PlanNote {
  return {
    severity: 'impact',
    text: 'The kubelet stops while drivers change. Drain the node before, and let it take pods again after:',
    items: ['kubectl drain NODE --ignore-daemonsets --delete-emptydir-data', 'kubectl uncordon NODE'],
  };
}

function leftoverNote(pods: readonly string[]): PlanNote {
  return {
    severity: 'impact',
    text: 'Groups of pods that ran with the old driver stay until the next boot; a reboot of the drained node is the surest way',
    items: pods,
  };
}

function fileNotes({ isKubeadm, followed }: KubeletFacts, to: CgroupDriver): readonly PlanNote[] {
  const inactive: PlanNote = {
    severity: 'info',
    text: `the kubelet takes its driver from ${followed?.runtime ?? ''}; its own setting is changed for the day when it counts again`,
  };
  // kubeadm upgrade node writes the kubelet's files anew from there.
  const kubeadm: PlanNote = {
    severity: 'warning',
    text: `kubeadm upgrade node writes ${KUBEADM_CONFIG} again from the cluster's ConfigMap: set cgroupDriver: ${to} under kubelet: there too`,
    items: ['kubectl -n kube-system edit cm kubelet-config'],
  };
  return [...(followed === undefined ? [] : [inactive]), ...(isKubeadm ? [kubeadm] : [])];
}

function notJoined(to: CgroupDriver): readonly PlanNote[] {
  return [
    {
      severity: to === 'systemd' ? 'info' : 'warning',
      text: `${KUBEADM_CONFIG} is written by kubeadm when the node joins, with the driver of the cluster's KubeletConfiguration (systemd since 1.22 where that says nothing); nothing is set here`,
    },
  ];
}
