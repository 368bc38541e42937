import type { Action, Parameters } from '../../change/plan.ts';
import {
  type IndexSet,
  indexSetToBytes,
  intersection,
  parseIndexSet,
  printIndexSet,
  union,
  without,
} from '../../core/cpuset.ts';
import { SlicectlError } from '../../core/errors.ts';
import { readIfThere } from '../../host/files.ts';
import { readCpus } from '../../host/machine.ts';
import { type GroupCpus, parsePartition, readGroupTree } from '../groups.ts';
import type { HoldHost } from './host.ts';
import { writeKernel } from './kernel-file.ts';
import { readLoaded, unlessGone } from './loaded.ts';
import type { PartitionParameters } from './parameters.ts';
import { GroupSets } from './sets.ts';
import { settled } from './settle.ts';
import { readOwnDropIns, restoreOwnDropIns } from './written.ts';

/** systemd has CPUSetPartition= since then (NEWS); before it does not touch the kernel's file. */
const SINCE = 261;
const PROPERTY = 'CPUSetPartition';

/** The slice that gives back what kernel 6.12 keeps of a partition which somebody's set overlapped: right below the root. */
const SCRATCH = 'slicectl_unleak.slice';

/** `cpus.partition`. The way back is always by `member`: an empty property leaves the kernel as it is. */
export function partitionAction(host: HoldHost): Action {
  return {
    assertAsPlanned: async () => undefined,
    async facts(parameters) {
      const { unit } = read(parameters);
      const path = await fileOf(host, unit);
      return { own: readOwnDropIns(host.tree, unit, PROPERTY), was: (path && readIfThere(path)?.trim()) ?? 'member' };
    },
    async carryOut(parameters) {
      const { unit, after, cpus } = read(parameters);
      await set(host, unit, after, cpus);
      return undefined;
    },
    async takeBack(parameters, facts) {
      const { unit, before, cpus } = read(parameters);
      if (before !== 'member') return set(host, unit, before, cpus);
      await set(host, unit, 'member', cpus);
      restoreOwnDropIns(host.tree, (facts as unknown as { own: ReturnType<typeof readOwnDropIns> }).own);
    },
  };
}

async function set(host: HoldHost, unit: string, type: PartitionParameters['after'], cpus: IndexSet): Promise<void> {
  const path = await fileOf(host, unit);
  if (path === undefined) {
    if (type === 'member') return giveBackLeaked(host, cpus);
    throw new SlicectlError('E_NOT_IN_FORCE', `${unit} has no group with cpuset files, so it cannot be a partition`, {
      hint: `systemctl start ${unit}`,
      data: { unit },
    });
  }
  const { link } = host;
  const version = await link.persist(({ manager }) => manager.version());
  if (version.major >= SINCE) {
    await link.persist(({ manager }) => manager.setUnitProperties(unit, true, [[PROPERTY, 's', type]]));
  }
  const now = (): ReturnType<typeof parsePartition> => parsePartition(readIfThere(path) ?? 'member');
  // systemd before 261 leaves it to us, and a later one may believe that it has written it already.
  if (now().type !== type) writeKernel(path, type);
  const found = await settled(now, ({ type: seen, invalid }) => seen === type && invalid === undefined);
  if (found.type !== type || found.invalid !== undefined) {
    const why = found.invalid ?? `it is ${found.type}`;
    throw new SlicectlError('E_NOT_IN_FORCE', `${unit} is no valid partition of the type ${type}: ${why}`, {
      hint: 'no other unit may list its CPUs, and none of them may be in isolcpus=',
      data: { unit, type },
    });
  }
  if (type === 'member') await giveBackLeaked(host, cpus);
}

/** Undefined where the unit has no group, or that no such file. */
async function fileOf(host: HoldHost, unit: string): Promise<string | undefined> {
  const cgroup = (await readLoaded(host, unit, 'AllowedCPUs'))?.cgroup;
  if (cgroup === undefined) return undefined;
  const path = `${new GroupSets(host.paths, 'AllowedCPUs').mount}${cgroup}/cpuset.cpus.partition`;
  return readIfThere(path) === undefined ? undefined : path;
}

/** CPUs that are online, and neither in the root group nor in a partition: nobody can use them. */
export function leakedCpus({ paths }: Pick<HoldHost, 'paths'>): IndexSet {
  const { online } = readCpus(paths);
  const tree = readGroupTree(paths, online);
  if (tree?.version !== 2) return [];
  const owned = tree.groups
    .filter(
      ({ partition }) => partition !== undefined && partition.type !== 'member' && partition.invalid === undefined,
    )
    .map(({ effective }) => effective);
  return without(online, union(tree.root, ...owned));
}

/** A partition of exactly these CPUs that is dissolved again (found on 6.12; 7.2 does not leak). */
export async function giveBackLeaked(host: HoldHost, cpus: IndexSet): Promise<void> {
  await dropScratch(host);
  const leaked = intersection(leakedCpus(host), cpus);
  if (leaked.length === 0) return;
  await cureLeak(host, leaked);
  const left = await settled(
    () => intersection(leakedCpus(host), cpus),
    (found) => found.length === 0,
  );
  if (left.length === 0) return;
  const who = asking(host, left).map(({ path }) => path);
  const why = who.length === 0 ? '' : `, and ${who.join(', ')} ask${who.length === 1 ? 's' : ''} for them`;
  throw new SlicectlError('E_NOT_IN_FORCE', `CPUs ${printIndexSet(left)} belong to no group any more${why}`, {
    hint: 'kernel 6.12 loses CPUs of a partition that another group overlapped, and no new one takes them over while a group asks for them: a reboot gives them back',
  });
}

/** Top-level groups that ask for some of the CPUs. */
export function asking({ paths }: Pick<HoldHost, 'paths'>, cpus: IndexSet): readonly GroupCpus[] {
  const groups = readGroupTree(paths, readCpus(paths).online)?.groups ?? [];
  return groups.filter(({ path, asked }) => path.lastIndexOf('/') === 0 && intersection(asked ?? [], cpus).length > 0);
}

/** Gives leaked CPUs back to all, through a slice that is there for that alone. */
export async function cureLeak(host: HoldHost, leaked: IndexSet): Promise<void> {
  const { link, paths } = host;
  try {
    await link.persist(async ({ manager, jobs }) => {
      const make = () =>
        manager.startTransientUnit(SCRATCH, 'replace', [['AllowedCPUs', 'ay', indexSetToBytes(leaked)]]);
      await jobs.run(make, { unit: SCRATCH, ...link.jobDeadline });
    });
    const path = `${new GroupSets(paths, 'AllowedCPUs').mount}/${SCRATCH}/cpuset.cpus.partition`;
    for (const type of ['isolated', 'member']) writeKernel(path, type);
  } finally {
    await dropScratch(host);
  }
}

/** Also one that a killed slicectl left, perhaps as a partition that holds what is looked for. */
export async function dropScratch({ link }: HoldHost): Promise<void> {
  await unlessGone(() =>
    link.persist(({ manager, jobs }) =>
      jobs.run(() => manager.stopUnit(SCRATCH, 'replace'), { unit: SCRATCH, ...link.jobDeadline }),
    ),
  );
}

function read(parameters: Parameters) {
  const { unit, cpus, before, after } = parameters as unknown as PartitionParameters;
  return { unit, cpus: parseIndexSet(cpus, 'cpus'), before, after };
}
