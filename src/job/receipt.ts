import type { BackendKind } from '../backend/backend.ts';
import type { AskedLimits } from '../core/limits.ts';
import type { LimitName } from '../core/properties/row.ts';
import { rowOf } from '../core/properties/table.ts';
import type { LimitEvent } from './cause.ts';
import type { Figures } from './figures.ts';
import type { Exit } from './gate.ts';
import type { InForce } from './proof.ts';

/** A limit as it was asked for and as it counted. */
export interface ReceiptLimit {
  readonly name: LimitName;
  /** The text that was asked for; null for a bound that comes from a group above. */
  readonly asked: string | null;
  /** systemd's text of what counted; null where it was not in force (`--best-effort`). */
  readonly inForce: string | null;
  /** The group that holds the value that counted, or `systemd` or `slicectl` for limits of time. */
  readonly heldBy: string | null;
}

/** What a job used and why it ended. `docs/receipt.schema.json` describes its JSON form. */
export interface Receipt {
  readonly command: readonly string[];
  readonly unit: string | null;
  /** The group that carried the limits and from which the figures were read. */
  readonly cgroup: string;
  readonly backend: { readonly kind: BackendKind; readonly label: string };
  readonly limits: readonly ReceiptLimit[];
  /** Moment of release. */
  readonly start: Date;
  /** From release to the end of the job's first process. */
  readonly wallUsec: bigint;
  readonly figures: Figures;
  readonly exit: Exit;
  /** As a shell shows it: the exit status, or 128 + N. */
  readonly status: number;
  readonly cause: string;
  readonly events: readonly LimitEvent[];
  /** Processes of the job that outlived its first process and go on under its limits. */
  readonly leftRunning: number;
  readonly notes: readonly string[];
  /** CPUs that `slicectl run --exclusive` leased for this job, as a list such as `2-3`. */
  readonly leased?: string;
}

/** The receipt as plain JSON: bigints as numbers, the date as ISO 8601. */
export function receiptJson(receipt: Receipt): unknown {
  const { figures, ...rest } = receipt;
  return JSON.parse(
    JSON.stringify({ version: 1, ...rest, ...figures }, (_, value: unknown) =>
      typeof value === 'bigint' ? Number(value) : value,
    ),
  );
}

const BY_TIME: readonly LimitName[] = ['RuntimeMaxSec', 'TimeoutStopSec', 'OOMPolicy'];

/** Joins what was asked with what was found in force. */
export function receiptLimits(
  asked: AskedLimits,
  inForce: readonly InForce[],
  kind: BackendKind,
): readonly ReceiptLimit[] {
  const own = asked.map(({ name, text, value }): ReceiptLimit => {
    const found = inForce.find(({ limit }) => limit === name);
    if (found) return { name, asked: text, inForce: rowOf(name).print(found.value), heldBy: found.cgroup };
    if (!BY_TIME.includes(name)) return { name, asked: text, inForce: null, heldBy: null };
    return {
      name,
      asked: text,
      inForce: rowOf(name).print(value),
      heldBy: kind === 'systemd' ? 'systemd' : 'slicectl',
    };
  });
  const inherited = inForce
    .filter(({ limit }) => asked.every(({ name }) => name !== limit))
    .map(
      ({ limit, value, cgroup }): ReceiptLimit => ({
        name: limit,
        asked: null,
        inForce: rowOf(limit).print(value),
        heldBy: cgroup,
      }),
    );
  return [...own, ...inherited];
}
