import { printCpuMask } from '../core/cpu-mask.ts';
import { equalSets, type IndexSet, printIndexSet, union } from '../core/cpuset.ts';
import { ownerOf } from '../core/job-id.ts';
import { againUnitText, bootUnitText } from './boot-unit.ts';
import type { CpuFacts, ReservationRecord, UnitFacts, WantedFile } from './model.ts';
import { AGAIN_UNIT, BOOT_UNIT, BOOT_UNIT_PATH, LASTING, type Layer } from './own-files.ts';
import { foreignGroups, isLoose, KUBEPODS, leftSlices, payloadOf, roleOf, shareOf, systemSet } from './shares.ts';

/** systemd reads drop-ins of init.scope since 253; before that its set lasts until reboot (systemd#31316). */
const INIT_SCOPE_DROP_INS = 253;
/** CPUSetPartition= (systemd 261, NEWS). */
export const PARTITION_PROPERTY = 261;

/** The files below the layer's folders that make systemd and irqbalance hold the records. Pure. */
export function layoutOf(facts: CpuFacts, records: readonly ReservationRecord[], layer: Layer): readonly WantedFile[] {
  const system = systemSet(facts, records);
  const list = records.map(({ name, cpus }) => `${name} (${printIndexSet(cpus)})`).join(', ');
  const head = '# Written by slicectl cpus reserve, and removed by slicectl cpus release.\n';
  const roles = `# Payload CPUs: ${list}. System CPUs: ${printIndexSet(system)}.`;
  const fileOf = (
    unit: string,
    file: string,
    section: string,
    lines: readonly string[],
    purpose: string,
  ): WantedFile => ({
    path: `${layer.units}/${unit}.d/${file}`,
    text: [head, `[${section}]\n`, ...lines.map((line) => `${line}\n`)].join(''),
    purpose,
  });
  const dropIn: DropIn = (unit, section, lines, purpose) => fileOf(unit, layer.dropIn, section, lines, purpose);
  const shield: SliceFile = (name, lines, purpose) => fileOf(name, layer.forAll, 'Slice', lines, purpose);
  const slice = (name: string, lines: readonly string[], purpose: string): WantedFile =>
    dropIn(name, 'Slice', lines, purpose);
  const hasInitScope = (facts.systemd ?? 0) >= INIT_SCOPE_DROP_INS;
  return [
    shield('slice', [roles, ...setLines(system)], 'every slice is confined to the system CPUs, also those made later'),
    ...leftSlices(facts, records).flatMap((name) => leftFiles(shield, name)),
    ...records
      .filter(({ kubelet }) => !kubelet)
      .flatMap((record) => payloadFiles(slice, shield, record, facts.systemd ?? 0)),
    ...ownSets(facts, records).map(({ unit, cpus }) =>
      equalSets(cpus, unit.given)
        ? shield(
            unit.name,
            [`# It has CPUs of its own, within its share: ${printIndexSet(unit.given)}.`],
            'keeps its own CPUs',
          )
        : slice(unit.name, setLines(cpus), `of its own CPUs ${printIndexSet(unit.given)} those that are open to it`),
    ),
    ...looseFiles(facts, system, dropIn),
    ...(hasInitScope ? [dropIn('init.scope', 'Scope', setLines(system), 'systemd itself, also after a boot')] : []),
    ...irqbalanceFiles(facts, records, layer, dropIn),
    ...againFiles(facts, records, layer),
    ...(layer === LASTING && needsBoot(facts, records) ? bootFiles(facts, dropIn) : []),
  ];
}

/** A list adds to those before it, so that each begins with an empty one. */
function setLines(cpus: IndexSet): readonly string[] {
  return ['AllowedCPUs=', `AllowedCPUs=${printIndexSet(cpus)}`];
}

type SliceFile = (name: string, lines: readonly string[], purpose: string) => WantedFile;

/** Files that say nothing hide the one for all slices. */
function leftFiles(shield: SliceFile, name: string): readonly WantedFile[] {
  const why = name === KUBEPODS ? 'is left to the kubelet' : 'is kept as it is';
  const line = `# ${name} ${why}: this file hides the one for all slices.`;
  return [
    shield(name, [line], `${name} ${why}`),
    shield(prefixOf(name), [line], `slices in ${name} ${why.replace(/^is/, 'are').replace(' it is', ' they are')}`),
  ];
}

function payloadFiles(
  slice: SliceFile,
  shield: SliceFile,
  record: ReservationRecord,
  systemd: number,
): readonly WantedFile[] {
  const { name, cpus, memoryNodes, partition } = record;
  const nodes =
    memoryNodes.length === 0 ? [] : ['AllowedMemoryNodes=', `AllowedMemoryNodes=${printIndexSet(memoryNodes)}`];
  const type = partition !== undefined && systemd >= PARTITION_PROPERTY ? [`CPUSetPartition=${partition}`] : [];
  const again = isLostWithGroup(record, systemd) ? ['[Unit]', `Wants=${AGAIN_UNIT}`, `Before=${AGAIN_UNIT}`] : [];
  return [
    slice(name, [...setLines(cpus), ...nodes, ...type, ...again], 'the payload CPUs'),
    shield(
      prefixOf(name),
      [`# Slices in ${name} have its CPUs, or those of them that are theirs: this file hides the one for all slices.`],
      `slices in ${name} have its CPUs`,
    ),
  ];
}

/** systemd before 261 does not know partitions, so that one goes with the group of its slice. */
function isLostWithGroup({ partition }: ReservationRecord, systemd: number): boolean {
  return partition !== undefined && systemd < PARTITION_PROPERTY;
}

function againFiles(
  { boot, systemd = 0 }: CpuFacts,
  records: readonly ReservationRecord[],
  layer: Layer,
): readonly WantedFile[] {
  if (!records.some((record) => isLostWithGroup(record, systemd))) return [];
  const purpose = 'brings a partition back when its slice starts anew';
  return [{ path: `${layer.units}/${AGAIN_UNIT}`, text: boot.againText ?? againUnitText(boot.program), purpose }];
}

/** `db.slice` → `db-.slice`, whose drop-ins are read for `db-x.slice` (systemd.unit(5)). */
function prefixOf(name: string): string {
  return name.replace(/\.slice$/, '-.slice');
}

/** Slices with CPUs of their own, and what is open to each. Those of jobs of ours go with them, and are confined by theirs. */
function ownSets(
  facts: CpuFacts,
  records: readonly ReservationRecord[],
): readonly { readonly unit: UnitFacts; readonly cpus: IndexSet }[] {
  const system = systemSet(facts, records);
  return facts.units.flatMap((unit) => {
    if (!unit.name.endsWith('.slice') || unit.given.length === 0 || ownerOf(unit.name) !== undefined) return [];
    const role = roleOf(facts, records, unit.name);
    if (role.kind === 'left' || (role.kind === 'payload' && role.record.name === unit.name)) return [];
    return [{ unit, cpus: shareOf(unit, role.kind === 'payload' ? role.record.cpus : system) }];
  });
}

/** Services of the root slice that have a file: others are gone with the boot, as is what is set for them. */
function looseFiles({ units }: CpuFacts, system: IndexSet, dropIn: DropIn): readonly WantedFile[] {
  return units
    .filter((unit) => isLoose(unit) && unit.name.endsWith('.service') && !unit.isTransient)
    .map((unit) => dropIn(unit.name, 'Service', setLines(shareOf(unit, system)), 'it is in the root slice'));
}

type DropIn = (unit: string, section: string, lines: readonly string[], purpose: string) => WantedFile;

/**
 * A file of variables behind those of the unit: of a variable that is set twice the later file counts
 * (systemd.exec(5), EnvironmentFile=), so that the administrator's own file stays as it is.
 */
function irqbalanceFiles(
  facts: CpuFacts,
  records: readonly ReservationRecord[],
  layer: Layer,
  dropIn: DropIn,
): readonly WantedFile[] {
  const { irqbalance, topology } = facts;
  const payload = payloadOf(records.filter(({ interrupts }) => interrupts));
  if (irqbalance === undefined || payload.length === 0) return [];
  const banned = union(payload, irqbalance.banned);
  const last = topology.possible.at(-1) ?? 0;
  // The mask is for irqbalance before 1.8, which does not know the list.
  const text = `# Written by slicectl cpus reserve. Payload CPUs: ${printIndexSet(payload)}.
IRQBALANCE_BANNED_CPULIST=${printIndexSet(banned)}
IRQBALANCE_BANNED_CPUS=${printCpuMask(banned, last)}
`;
  return [
    { path: layer.irqbalance, text, purpose: 'irqbalance leaves the payload CPUs alone' },
    dropIn('irqbalance.service', 'Service', [`EnvironmentFile=${layer.irqbalance}`], 'irqbalance reads that'),
  ];
}

/**
 * Whether parts of the records are lost by a boot unless somebody brings them back: systemd keeps no affinity of
 * interrupts, workers and kernel threads, no sets of groups that are not its own, no partition before 261, and none of
 * init.scope before 253.
 */
export function needsBoot(facts: CpuFacts, records: readonly ReservationRecord[]): boolean {
  const systemd = facts.systemd ?? 0;
  return (
    systemd < INIT_SCOPE_DROP_INS ||
    foreignGroups(facts).length > 0 ||
    records.some(
      ({ groups, interrupts, workqueues, kernelThreads, partition }) =>
        groups.length > 0 ||
        interrupts ||
        workqueues ||
        kernelThreads ||
        (partition !== undefined && systemd < PARTITION_PROPERTY),
    )
  );
}

function bootFiles({ boot }: CpuFacts, dropIn: DropIn): readonly WantedFile[] {
  const purpose = 'brings back at boot what systemd does not keep';
  const own = { path: BOOT_UNIT_PATH, text: boot.ownText ?? bootUnitText(boot.program), purpose };
  return [
    ...(boot.isInstalled ? [] : [own]),
    dropIn('multi-user.target', 'Unit', [`Wants=${BOOT_UNIT}`], 'starts it at boot'),
  ];
}
