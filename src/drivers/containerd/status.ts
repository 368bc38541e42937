import type { Configured, Finding, Observed, RuntimeStatus } from '../model.ts';
import type { ContainerdFacts } from './facts.ts';
import { criFaults, generalFindings, startFaults, tableFindings } from './findings.ts';
import { at, mentionsIn, shadowedFor, sourceOf } from './mentions.ts';
import { type RuntimeTable, SWITCH } from './runtime-tables.ts';

/** A row for each runtime table; one for all where none of them counts. */
export function statusOf(facts: ContainerdFacts): readonly RuntimeStatus[] {
  const { disabledAt, runtimes, running } = facts;
  const stopping = startFaults(facts);
  const general = generalFindings(facts);
  if (disabledAt !== undefined && stopping.length === 0) return [switchedOff(facts, general)];
  const faults = [...stopping, ...(stopping.length > 0 ? [] : criFaults(facts)), ...general];
  const isNone = runtimes === undefined || runtimes.length === 0;
  if (isNone || (stopping.length > 0 && running?.drivers === undefined)) {
    return [rowOf(facts, '', unknown(facts, stopping), faults)];
  }
  return runtimes.map((table, index) => {
    const configured = stopping.length > 0 ? unknown(facts, stopping) : configuredOf(facts, table);
    return rowOf(facts, table.name, configured, [...(index === 0 ? faults : []), ...tableFindings(table)]);
  });
}

function rowOf(
  { version, command, running }: ContainerdFacts,
  instance: string,
  configured: Configured,
  findings: readonly Finding[],
): RuntimeStatus {
  const driver = running?.drivers?.get(instance);
  const observed: Observed | undefined = driver && {
    driver,
    how: 'cri',
    text: `verbose Status of the CRI on ${running?.socket}`,
  };
  return { runtime: 'containerd', instance, version, unit: command?.unit, running: observed, configured, findings };
}

/** Docker's own package ships containerd so: without CRI, for Docker alone. */
function switchedOff(facts: ContainerdFacts, general: readonly Finding[]): RuntimeStatus {
  const place = facts.disabledAt ?? { path: facts.main.path, line: 1, column: 1, keys: [] };
  const finding: Finding = {
    severity: 'info',
    code: 'containerd-cri-disabled',
    message:
      'the CRI plugin is disabled: Docker sets the driver of its own containers, and a kubelet cannot use this containerd',
    ...at(place),
  };
  const configured = { driver: undefined, source: sourceOf(place, 'disabled_plugins'), shadowed: [] };
  return { ...rowOf(facts, '', configured, [finding, ...general]), follows: 'docker' };
}

function unknown({ main, runtimes }: ContainerdFacts, [fault]: readonly Finding[]): Configured {
  const { path = main.path, line, column } = fault ?? {};
  const place = { ...(line !== undefined && { line }), ...(column !== undefined && { column }) };
  return {
    driver: undefined,
    source: {
      kind: 'file',
      path,
      ...place,
      text:
        fault?.code ?? (runtimes === undefined ? 'versions read this differently' : 'no runtime of the kind of runc'),
    },
    shadowed: [],
  };
}

function configuredOf({ config }: ContainerdFacts, table: RuntimeTable): Configured {
  const { name, decider, driver } = table;
  const shadowed = shadowedFor(table, mentionsIn(config.files));
  if (decider !== undefined) {
    const key = decider.at.keys.at(-1) ?? SWITCH;
    return { driver, source: sourceOf(decider.at, `${key} of ${name}`), shadowed };
  }
  const written = table.table?.at;
  return {
    driver,
    source: {
      kind: 'default',
      ...(written && at(written)),
      text: written ? `containerd's default, since ${name} has no ${SWITCH}` : "containerd's default",
    },
    shadowed,
  };
}
