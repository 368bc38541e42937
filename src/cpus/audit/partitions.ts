import { type IndexSet, intersection, printIndexSet, union, without } from '../../core/cpuset.ts';
import type { Finding } from '../finding.ts';
import type { CpuFacts } from '../model.ts';
import { controllerOff } from './causes.ts';
import type { AuditView } from './view.ts';
import { countText } from './words.ts';

const FIX = 'slicectl cpus audit --fix';

/** Partitions that are wanted and not there, or not in force. */
export function partitionFindings(view: AuditView): Finding[] {
  const { wanted, facts } = view;
  if (facts.groups === undefined) return [];
  const { groups } = facts.groups;
  return wanted.partitions.flatMap(({ unit, type }): Finding[] => {
    const group = groups.find((one) => one.unit === unit);
    const found = group?.partition;
    const base = { subject: unit, cure: FIX, isFixable: true };
    const lost = (what: string, cause: string): Finding[] => [
      { ...base, kind: 'partition-lost', severity: 'drift', what: `${unit} is no ${type} partition${what}`, cause },
    ];
    if (group === undefined) return lost(': it has no group', 'its slice does not run');
    if (found === undefined) {
      const cause = controllerOff(view, 'asked') ?? 'the cpuset controller was taken away from it';
      return lost(': its group has no cpuset.cpus.partition', cause);
    }
    if (found.invalid !== undefined) {
      const overlapping = groups.filter(
        ({ path, asked }) =>
          path !== group.path &&
          !path.startsWith(`${group.path}/`) &&
          intersection(asked ?? [], group.asked ?? []).length > 0,
      );
      const who = overlapping.map(({ path, asked }) => `${path} asks for ${printIndexSet(asked ?? [])}`).join(', ');
      return [
        {
          ...base,
          kind: 'partition-invalid',
          severity: 'breach',
          what: `the partition of ${unit} is not in force: ${type} invalid (${found.invalid}), and its CPUs are shared`,
          cause: who || `the kernel says: ${found.invalid}`,
        },
      ];
    }
    if (found.type === type) return [];
    return lost(
      ` but ${found.type}`,
      (facts.systemd ?? 0) < 261
        ? 'its group was made anew, and systemd before 261 does not keep partitions'
        : 'somebody wrote cpuset.cpus.partition, or a reload read other files',
    );
  });
}

/** CPUs that kernels before 7 keep to nobody, since an isolated partition shrank while it was invalid. */
export function leakedIn({ groups, topology }: Pick<CpuFacts, 'groups' | 'topology'>): IndexSet {
  if (groups === undefined) return [];
  const held = groups.groups.flatMap(({ partition, effective }) =>
    partition?.type === 'isolated' && partition.invalid === undefined ? [effective] : [],
  );
  // One of a partition that is offline is in no effective set.
  return intersection(without(groups.isolated, union(topology.isolated, ...held)), topology.online);
}

export function leakFindings({ facts }: AuditView): Finding[] {
  const leaked = leakedIn(facts);
  if (leaked.length === 0) return [];
  return [
    {
      kind: 'isolated-leak',
      severity: 'drift',
      subject: `CPUs ${printIndexSet(leaked)}`,
      what: `${countText(leaked.length, 'CPU')} (${printIndexSet(leaked)}) can be used by nobody: isolated, and in no partition`,
      cause:
        'an isolated partition was shrunk while another group overlapped it, and this kernel leaks CPUs then (seen on 6.12)',
      cure: FIX,
      isFixable: true,
    },
  ];
}
