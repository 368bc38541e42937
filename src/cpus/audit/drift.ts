import { equalSets, intersection, isSubset, printIndexSet, without } from '../../core/cpuset.ts';
import type { Finding } from '../finding.ts';
import type { UnitProof } from '../hold/proof.ts';
import { listText } from '../roles.ts';
import { whoUndid } from './causes.ts';
import { leakFindings, partitionFindings } from './partitions.ts';
import { MEDDLERS } from './traces.ts';
import type { AuditView } from './view.ts';

const FIX = 'slicectl cpus audit --fix';

/** What of the reservations is not as it was written down: units in their layers, files, groups, partitions. */
export function driftFindings(view: AuditView, proofs: readonly UnitProof[]): Finding[] {
  return [
    ...unitFindings(view, proofs),
    ...(view.facts.systemd === undefined ? silenceFindings(view) : fileFindings(view)),
    ...groupFindings(view),
    ...partitionFindings(view),
    ...leakFindings(view),
    ...offlineFindings(view),
    ...meddlerFindings(view),
  ];
}

/** One for each unit: the first layer that is wrong is what the later ones follow. */
function unitFindings(view: AuditView, proofs: readonly UnitProof[]): Finding[] {
  return proofs.flatMap(({ unit, name, findings }): Finding[] => {
    const [first, ...rest] = findings;
    if (first === undefined) return [];
    const wanted = view.wanted.units.find((one) => one.unit === unit);
    const cause =
      (name === 'AllowedCPUs' && wanted
        ? findings.map(({ layer }) => whoUndid(view, wanted, layer)).find((text) => text !== undefined)
        : undefined) ??
      findings.map((one) => one.cause).find((text) => text !== undefined) ??
      'somebody changed it since; nothing tells who';
    const more = rest.length === 0 ? '' : `; ${rest.map(({ what }) => what).join('; ')}`;
    return [
      {
        kind: `unit-${LAYER_KINDS[first.layer]}`,
        severity: 'drift',
        subject: unit,
        what: `${first.what}${more}`,
        cause,
        cure: FIX,
        isFixable: true,
      },
    ];
  });
}

const LAYER_KINDS = {
  dropIn: 'files',
  property: 'property',
  asked: 'cpuset',
  effective: 'effective',
  masks: 'masks',
} as const;

/** Which files are wanted depends on systemd's version and units, so that nobody can judge them then. */
function silenceFindings({ records }: AuditView): Finding[] {
  if (records.length === 0) return [];
  return [
    {
      kind: 'systemd-silent',
      severity: 'drift',
      subject: 'systemd',
      what: 'systemd does not run here or its bus does not answer, so that its units and files could not be looked at',
      cause: 'it is what holds the reservations',
      cure: 'busctl status org.freedesktop.systemd1 tells more',
      isFixable: false,
    },
  ];
}

function fileFindings({ wanted, traces, records }: AuditView): Finding[] {
  const wrong = wanted.files.flatMap(({ path, text, purpose }): Finding[] => {
    const found = traces.texts.get(path);
    if (found === text) return [];
    const unit = /\/([^/]+\.(?:slice|scope|service))\.d\//.exec(path)?.[1];
    const isRevertible = unit !== undefined && !unit.endsWith('-.slice');
    return [
      {
        kind: found === undefined ? 'file-gone' : 'file-changed',
        severity: 'drift',
        subject: path,
        what:
          found === undefined
            ? `${path} is gone (${purpose}); what it held is lost at the next daemon-reload`
            : `${path} is not as it was written (${purpose})`,
        cause:
          found === undefined
            ? `somebody removed it${isRevertible ? `, as systemctl revert ${unit} does` : ''}`
            : 'somebody edited it',
        cure: FIX,
        isFixable: true,
      },
    ];
  });
  const left = traces.leftovers.map(
    (path): Finding => ({
      kind: 'file-left',
      severity: 'drift',
      subject: path,
      what: `${path} confines units for a reservation that is not there`,
      cause: records.length === 0 ? 'its record was removed without releasing it' : 'a change of it was not finished',
      cure: FIX,
      isFixable: true,
    }),
  );
  return [...wrong, ...left];
}

function groupFindings({ wanted, facts }: AuditView): Finding[] {
  return wanted.groups.flatMap(({ path, cpus }): Finding[] => {
    const group = facts.groups?.groups.find((one) => one.path === path);
    if (group === undefined || equalSets(group.asked ?? [], cpus)) return [];
    return [
      {
        kind: 'group-cpuset',
        severity: 'drift',
        subject: path,
        what: `cpuset.cpus of ${path} is ${printIndexSet(group.asked ?? []) || 'empty'}, not ${printIndexSet(cpus)}`,
        cause: 'who made the group (a container runtime with the cgroupfs driver) made it anew, or wrote to it',
        cure: FIX,
        isFixable: true,
      },
    ];
  });
}

function offlineFindings({ records, facts }: AuditView): Finding[] {
  return records.flatMap(({ name, cpus }): Finding[] => {
    const offline = intersection(cpus, facts.topology.offline);
    if (offline.length === 0) return [];
    const isAll = isSubset(cpus, offline);
    return [
      {
        kind: 'payload-offline',
        severity: isAll ? 'breach' : 'info',
        subject: name,
        what: isAll
          ? `all payload CPUs of ${name} (${printIndexSet(cpus)}) are offline: its tasks run on the CPUs of the system`
          : `payload CPUs ${printIndexSet(offline)} of ${name} are offline; it has ${listText(without(cpus, offline))}`,
        cause: 'somebody switched them off (/sys/devices/system/cpu/cpuN/online), or they were unplugged',
        cure: `echo 1 >/sys/devices/system/cpu/cpu${offline[0]}/online`,
        isFixable: false,
      },
    ];
  });
}

function meddlerFindings({ records, traces }: AuditView): Finding[] {
  if (records.length === 0) return [];
  return traces.meddlers
    .filter((name) => name !== 'irqbalance')
    .map((name) => ({
      kind: 'meddler',
      severity: 'info',
      subject: name,
      what: `${name} runs`,
      cause: `it ${MEDDLERS[name]}`,
      cure: 'stop it, or let slicectl-cpus-check.timer look after it',
      isFixable: false,
    }));
}
