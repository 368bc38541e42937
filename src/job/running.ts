import type { Readable, Writable } from 'node:stream';
import type { Backend, Group, Plan } from '../backend/backend.ts';
import { badInput } from '../core/errors.ts';
import { type AskedLimits, type LimitsInput, limits } from '../core/limits.ts';
import { rowOf } from '../core/properties/table.ts';
import type { Machine } from '../core/quantity.ts';
import type { HostPaths } from '../host/paths.ts';
import { verdict } from './cause.ts';
import { type Counters, readCounters } from './counters.ts';
import { type Figures, readFigures } from './figures.ts';
import type { Gate } from './gate.ts';
import { mustHold, type Proof, prove } from './proof.ts';
import type { Receipt } from './receipt.ts';
import { receiptLimits } from './receipt.ts';

/** What becomes of processes that outlive the job's first process. */
export type Leftover = 'leave' | 'kill' | 'wait';

/** What a job keeps of the request and the launcher. */
export interface JobContext {
  readonly backend: Backend;
  readonly machine: Machine;
  readonly paths: HostPaths;
  readonly command: readonly string[];
  readonly leftover: Leftover;
  /** Takes the group when processes are left in it, so that it can be removed later. */
  readonly left: Set<Group>;
  readonly signal: AbortSignal | undefined;
}

export interface RunningParts extends JobContext {
  readonly plan: Plan;
  readonly group: Group;
  readonly gate: Gate;
  readonly proof: Proof;
  readonly asked: AskedLimits;
  readonly before: Counters;
  readonly notes: readonly string[];
}

/** A job that was released from its gate. */
export class Job {
  readonly pid: number;
  readonly unit: string | undefined;
  /** The group that carries the job's limits, as in /proc/PID/cgroup. */
  readonly cgroup: string;
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  /** Roundings, and with `bestEffort` what is not in force. */
  readonly notes: readonly string[];
  /** The limits that bind the job now, those of the groups above included. */
  readonly inForce: Proof['inForce'];
  /** Resolves when the job's first process has ended and the figures are read. Rejects only when these cannot be had. */
  readonly result: Promise<Receipt>;
  readonly #parts: RunningParts;
  readonly #start = new Date();
  readonly #startedAt = performance.now();
  #wasAborted = false;
  #wasKilled = false;

  /** Releases the gate. */
  constructor(parts: RunningParts, env: Readonly<Record<string, string>>) {
    const { gate, group } = parts;
    this.#parts = parts;
    this.pid = gate.pid;
    this.unit = group.unit;
    this.cgroup = group.files.path;
    this.stdin = gate.stdin;
    this.stdout = gate.stdout;
    this.stderr = gate.stderr;
    this.notes = parts.notes;
    this.inForce = parts.proof.inForce;
    const onAbort = (): void => {
      this.#wasAborted = true;
      // A group that cannot be killed shows in the result, which waits for the job's end.
      this.kill('SIGKILL').catch(() => undefined);
    };
    parts.signal?.addEventListener('abort', onAbort, { once: true });
    this.result = this.#finish().finally(() => parts.signal?.removeEventListener('abort', onAbort));
    // Whoever never looks at the result must not have the process ended by it.
    this.result.catch(() => undefined);
    gate.release(env);
  }

  /** Changes limits of the running job and proves that the kernel holds them. */
  async set(input: LimitsInput): Promise<readonly string[]> {
    const asked = limits(input, this.#parts.machine);
    const fixed = asked.find(({ name }) => rowOf(name).scope === 'job');
    if (fixed) throw badInput(`${fixed.name} cannot be changed while the job runs`, 'give it when the job is started');
    const { group, plan } = this.#parts;
    const { limits: settled, devices, notes } = await group.set(asked);
    mustHold(
      prove(group.files, {
        asked,
        limits: { ...plan.limits, ...settled },
        devices,
        paths: this.#parts.paths,
        leaf: group.leaf,
      }),
    );
    return notes.map(({ text }) => text);
  }

  freeze(): Promise<void> {
    return this.#parts.group.freeze();
  }

  thaw(): Promise<void> {
    return this.#parts.group.thaw();
  }

  /** Signals every process of the job. With SIGKILL it resolves when none is left. */
  kill(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.#wasKilled ||= signal === 'SIGKILL';
    return this.#parts.group.kill(signal);
  }

  /** The figures so far. */
  stats(): Figures {
    return readFigures(this.#parts.group.files);
  }

  /** Removes the group; processes that were killed, or are about to be gone, are waited for. */
  async #removed(): Promise<boolean> {
    const { group } = this.#parts;
    if (this.#wasKilled) await group.whenEmpty();
    if (await group.remove()) return true;
    if (group.processes().length > 0) return false;
    await group.whenEmpty();
    return group.remove();
  }

  async #finish(): Promise<Receipt> {
    const { gate, group, plan, backend, before } = this.#parts;
    const { ranUsec, ...exit } = await gate.exited;
    const wallUsec = ranUsec ?? BigInt(Math.round((performance.now() - this.#startedAt) * 1000));
    if (this.#parts.leftover === 'kill' && group.processes().length > 0) await group.kill('SIGKILL');
    if (this.#parts.leftover === 'wait') await group.whenEmpty(this.#parts.signal);
    const figures = readFigures(group.files);
    const after = readCounters(group.files);
    const ending = await group.ending();
    const leftRunning = (await this.#removed()) ? 0 : group.processes().length;
    if (leftRunning > 0) this.#parts.left.add(group);
    const facts = {
      exit,
      ending,
      limits: plan.limits,
      jobGroup: this.cgroup,
      before,
      after,
      wasAborted: this.#wasAborted,
    };
    return {
      command: this.#parts.command,
      unit: group.unit ?? null,
      cgroup: this.cgroup,
      backend: { kind: backend.kind, label: backend.label },
      limits: receiptLimits(this.#parts.asked, this.inForce, backend.kind),
      start: this.#start,
      wallUsec,
      figures,
      exit,
      ...verdict(facts),
      leftRunning,
      notes: this.notes,
    };
  }
}
