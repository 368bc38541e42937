import { parse } from 'ini';
import { type IndexSet, parseIndexSet, printIndexSet } from '../core/cpuset.ts';
import { quote, SlicectlError } from '../core/errors.ts';
import { sliceName } from '../core/unit-name.ts';
import type { RootTree } from '../host/root-tree.ts';
import type { PartitionType, ReservationRecord } from './model.ts';

/** Where records lie: for good, and until reboot. */
export const RECORD_FOLDERS = ['/etc/slicectl/reservations', '/run/slicectl/reservations'] as const;

const SUFFIX = '.conf';

export function recordPath({ name, runtime }: Pick<ReservationRecord, 'name' | 'runtime'>): string {
  return `${RECORD_FOLDERS[runtime ? 1 : 0]}/${name}${SUFFIX}`;
}

/** Whether a file is the record of a slice, for good or until reboot. */
export function isRecordOf(path: string, name: string): boolean {
  return RECORD_FOLDERS.some((folder) => path === `${folder}/${name}${SUFFIX}`);
}

/** The file of a record. Slices are in it by their names, CPUs and memory nodes as the kernel lists them. */
export function recordText(record: ReservationRecord): string {
  const { name, cpus, memoryNodes, keep, groups, partition, whileUnit } = record;
  const yes = (key: string, is: boolean): string[] => (is ? [`${key}=yes`] : []);
  const lines = [
    `# CPUs that slicectl reserved for ${name}. Removing this file does not give them back; this does:`,
    `#   slicectl cpus release ${name}`,
    '[Reservation]',
    `Slice=${name}`,
    `AllowedCPUs=${printIndexSet(cpus)}`,
    ...(memoryNodes.length > 0 ? [`AllowedMemoryNodes=${printIndexSet(memoryNodes)}`] : []),
    ...(keep.length > 0 ? [`KeepSlices=${keep.join(' ')}`] : []),
    ...(groups.length > 0 ? [`Groups=${groups.map(escaped).join(' ')}`] : []),
    ...(partition === undefined ? [] : [`CPUSetPartition=${partition}`]),
    ...yes('Interrupts', record.interrupts),
    ...yes('Workqueues', record.workqueues),
    ...yes('KernelThreads', record.kernelThreads),
    ...yes('Kubelet', record.kubelet),
    ...(whileUnit === undefined ? [] : [`WhileUnit=${whileUnit}`]),
  ];
  // ini takes two backslashes for one, and one before another character for itself.
  return lines.map((line) => `${line.replaceAll('\\', '\\\\')}\n`).join('');
}

/**
 * The reservations that are written down, by name. Of two of one name that until reboot counts. `E_SYNTAX` for a file that
 * is no record, or says something that this slicectl does not know: to leave a reservation out would give its CPUs away.
 */
export function readRecords(tree: RootTree): readonly ReservationRecord[] {
  const found = new Map<string, ReservationRecord>();
  for (const [at, folder] of RECORD_FOLDERS.entries()) {
    for (const file of tree.list(folder)) {
      if (!file.endsWith(SUFFIX) || file.startsWith('.')) continue;
      const path = `${folder}/${file}`;
      const text = tree.text(path);
      if (text === undefined) continue;
      const record = parseRecord(text, path, at === 1);
      if (file !== `${record.name}${SUFFIX}`) throw fault(path, `it is a record of ${record.name}`);
      found.set(record.name, record);
    }
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

const KEYS = [
  'Slice',
  'AllowedCPUs',
  'AllowedMemoryNodes',
  'KeepSlices',
  'Groups',
  'CPUSetPartition',
  'Interrupts',
  'Workqueues',
  'KernelThreads',
  'Kubelet',
  'WhileUnit',
] as const;

type Key = (typeof KEYS)[number];

export function parseRecord(text: string, path: string, runtime: boolean): ReservationRecord {
  const section: unknown = parse(text, { bracketedArray: false }).Reservation;
  if (typeof section !== 'object' || section === null) throw fault(path, 'it has no section [Reservation]');
  const values = new Map(Object.entries(section).map(([key, value]) => [key, String(value)]));
  const unknown = [...values.keys()].find((key) => !KEYS.some((known) => known === key));
  if (unknown !== undefined) throw fault(path, `this slicectl does not know ${quote(unknown)}`);
  const value = (key: Key): string => values.get(key) ?? '';
  const isYes = (key: Key): boolean => {
    if (!['', 'yes', 'no'].includes(value(key))) throw fault(path, `${key}= is neither yes nor no`);
    return value(key) === 'yes';
  };
  const cpus = setOf(path, 'AllowedCPUs', value('AllowedCPUs'));
  if (cpus.length === 0) throw fault(path, 'AllowedCPUs= names no CPU');
  return {
    name: nameOf(path, value('Slice')),
    cpus,
    memoryNodes: setOf(path, 'AllowedMemoryNodes', value('AllowedMemoryNodes')),
    keep: value('KeepSlices')
      .split(/\s+/)
      .flatMap((slice) => (slice === '' ? [] : [nameOf(path, slice)])),
    groups: value('Groups')
      .split(/\s+/)
      .flatMap((group) => (group === '' ? [] : [groupOf(path, group)])),
    partition: partitionOf(path, value('CPUSetPartition')),
    interrupts: isYes('Interrupts'),
    workqueues: isYes('Workqueues'),
    kernelThreads: isYes('KernelThreads'),
    kubelet: isYes('Kubelet'),
    runtime,
    whileUnit: value('WhileUnit') || undefined,
  };
}

function setOf(path: string, key: Key, text: string): IndexSet {
  return within(path, () => parseIndexSet(text, key));
}

function nameOf(path: string, text: string): string {
  return within(path, () => sliceName(text));
}

/** What could be taken for the end of a name, in the form of systemd (`\x20`). */
function escaped(group: string): string {
  return group.replace(/[^\w.:@/-]/gu, (character) =>
    [...Buffer.from(character)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join(''),
  );
}

function groupOf(path: string, text: string): string {
  const bytes = text.replace(/\\x([0-9a-f]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  const group = Buffer.from(bytes, 'latin1').toString();
  if (/^\/[^/]+$/.test(group) && group !== '/.' && group !== '/..') return group;
  throw fault(path, `${quote(group)} of Groups= is no top-level group`);
}

function partitionOf(path: string, text: string): PartitionType | undefined {
  if (text === '' || text === 'root' || text === 'isolated') return text || undefined;
  throw fault(path, `CPUSetPartition=${text} is neither root nor isolated`);
}

function within<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof SlicectlError) throw fault(path, error.message);
    throw error;
  }
}

function fault(path: string, why: string): SlicectlError {
  return new SlicectlError('E_SYNTAX', `${path} is no record of a reservation: ${why}`, {
    hint: 'mend it, or remove it and see slicectl cpus audit for what is left of the reservation',
    data: { path },
  });
}
