/**
 * - `breach`: other work may run, or ran, on payload CPUs.
 * - `drift`: something is not as the reservation wants it, and keeps nobody off or on yet, or might not any more.
 * - `unmovable`: work on payload CPUs that nothing can move: it is counted, and is no fault.
 * - `info`: worth knowing.
 */
export type FindingSeverity = 'breach' | 'drift' | 'unmovable' | 'info';

/** Something about a reservation that is not as asked, or deserves to be known. */
export interface Finding {
  /** Stable, for programs: `kubelet-not-strict`. */
  readonly kind: string;
  readonly severity: FindingSeverity;
  /** Whom it is about: a unit, a group, a process, a file. */
  readonly subject: string;
  /** One sentence: what is so. */
  readonly what: string;
  /** One sentence: why it is so, or what follows from it. */
  readonly cause: string;
  /** The way out: a command, or what to change; empty where there is none. */
  readonly cure: string;
  /** Whether `audit --fix` does it. */
  readonly isFixable: boolean;
}
