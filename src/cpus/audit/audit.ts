import type { SystemdLink } from '../../backend/systemd-link.ts';
import { badInput, quote } from '../../core/errors.ts';
import { readCpuFacts } from '../facts.ts';
import type { Finding } from '../finding.ts';
import { ghosts } from '../hold/ghosts.ts';
import { proveUnit, type UnitProof } from '../hold/proof.ts';
import { kubeletRules } from '../kubelet/rules.ts';
import type { CpuFacts, ReservationRecord, Wanted } from '../model.ts';
import type { CpuHost } from '../show.ts';
import { wantedFor } from '../want.ts';
import { type Runner, runnersOf } from './can-run.ts';
import { type Activity, watchCpus } from './did-run.ts';
import { driftFindings } from './drift.ts';
import { type Ghosts, ghostFindings, judgeGhosts } from './ghosts.ts';
import { kernelFindings } from './kernel.ts';
import { runnerFindings } from './runners.ts';
import { readTraces } from './traces.ts';
import { type AuditView, payloadOf } from './view.ts';
import { lookAtWhileUnits, type WhileLook, whileFindings } from './while-units.ts';

export interface AuditRequest {
  /** The reservation to look at, by its slice; all without it. */
  readonly name?: string | undefined;
  /** How long is watched who runs on payload CPUs; 0 to leave that out. */
  readonly windowMs: number;
  readonly signal?: AbortSignal;
}

/** What an audit found. */
export interface AuditReport {
  readonly facts: CpuFacts;
  readonly wanted: Wanted;
  readonly records: readonly ReservationRecord[];
  /** In the order: breaches, drift, what cannot be moved, what is worth knowing. */
  readonly findings: readonly Finding[];
  readonly ghosts: readonly Ghosts[];
  /** Of the reservations that are looked at, those that are to end with a unit. */
  readonly whileUnits: readonly WhileLook[];
  /** Undefined without a window or without a reservation. */
  readonly activity: Activity | undefined;
  /** Of each reservation that is looked at, in how many places tasks of others may run on its CPUs. */
  readonly holds: readonly { readonly name: string; readonly open: number }[];
  /** Neither breach nor drift. */
  readonly isClean: boolean;
}

/** Looks whether reservations hold. `E_INPUT` for one that is not there, `E_SYNTAX` for a record that cannot be read. */
export async function audit(host: CpuHost, { name, windowMs, signal }: AuditRequest): Promise<AuditReport> {
  const facts = await readCpuFacts(host);
  const records = name === undefined ? facts.records : facts.records.filter((record) => record.name === name);
  if (name !== undefined && records.length === 0) throw noReservation(name, facts.records);
  const wanted = wantedFor(facts, facts.records);
  const view: AuditView = { facts, wanted, records, traces: readTraces(host.paths, host.tree, facts, wanted) };
  const proofs =
    host.system === undefined || facts.records.length === 0 ? [] : await proveAll(host, host.system, wanted);
  const whileUnits = await lookAtWhileUnits(host, records);
  const payload = payloadOf(view);
  const isWatched = windowMs > 0 && payload.length > 0;
  const activity = isWatched ? await watchCpus(host.paths, payload, windowMs, signal) : undefined;
  const narrow = judgeGhosts(ghosts(facts), view);
  const runners = runnersOf(view);
  const findings = judge(view, { proofs, narrow, runners, activity, whileUnits });
  return {
    facts,
    wanted,
    records,
    findings,
    ghosts: narrow,
    whileUnits,
    activity,
    holds: records.map(({ name: own }) => ({
      name: own,
      open: runners.filter(({ record, keptBy }) => record.name === own && keptBy === undefined).length,
    })),
    isClean: !findings.some(isWrong),
  };
}

/** What makes an audit end with 3. */
export function isWrong({ severity }: Finding): boolean {
  return severity === 'breach' || severity === 'drift';
}

interface Evidence {
  readonly proofs: readonly UnitProof[];
  readonly narrow: readonly Ghosts[];
  readonly runners: readonly Runner[];
  readonly activity: Activity | undefined;
  readonly whileUnits: readonly WhileLook[];
}

function judge(view: AuditView, { proofs, narrow, runners, activity, whileUnits }: Evidence): readonly Finding[] {
  const drift = driftFindings(view, proofs);
  const all = [
    ...runnerFindings(view, runners, drift, activity),
    ...whileFindings(whileUnits),
    ...drift,
    ...kubeletRules(view.facts, view.wanted),
    ...ghostFindings(narrow),
    ...kernelFindings(view, activity),
  ];
  return all.toSorted((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity));
}

const SEVERITIES = ['breach', 'drift', 'unmovable', 'info'] as const;

/** One after the other: each reads all tasks. */
async function proveAll({ paths, tree }: CpuHost, link: SystemdLink, { units }: Wanted): Promise<UnitProof[]> {
  const proofs: UnitProof[] = [];
  for (const { unit, cpus, memoryNodes } of units) {
    const host = { paths, tree, link };
    if (cpus.length > 0) proofs.push(await proveUnit(host, { unit, name: 'AllowedCPUs', wanted: cpus }));
    if (memoryNodes.length > 0) {
      proofs.push(await proveUnit(host, { unit, name: 'AllowedMemoryNodes', wanted: memoryNodes }));
    }
  }
  return proofs;
}

function noReservation(name: string, records: readonly ReservationRecord[]): Error {
  const known = records.map((record) => record.name).join(', ');
  return badInput(
    `there is no reservation for ${quote(name)}`,
    known === '' ? 'slicectl cpus reserve makes one' : `there are ${known}`,
  );
}
