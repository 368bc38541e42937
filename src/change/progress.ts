import type { Parameters } from './plan.ts';
import { decode, encode } from './stored.ts';

/** What has to be known of the time before a step to take it back; the kind of the step says which. */
export type StepFacts = FileFacts | UnitFacts | ActionFacts | NoFacts;

export interface FileFacts {
  /** Folders above the file that were not there, topmost first. */
  readonly folders: readonly string[];
}

export interface UnitFacts {
  readonly activeState: string;
}

export interface ActionFacts {
  readonly noted: Parameters;
}

export type NoFacts = Readonly<Record<string, never>>;

/** How a change that is over has ended. */
export type FinalState = 'applied' | 'failed-and-undone' | 'undone';

/** One line of progress.jsonl. Steps are counted from 0. */
export type ProgressLine = { readonly at: string } & (
  | { readonly event: 'started'; readonly what: 'apply' | 'resume' | 'undo' }
  | { readonly event: 'begin'; readonly step: number; readonly facts: StepFacts }
  | { readonly event: 'done'; readonly step: number; readonly facts?: StepFacts }
  | { readonly event: 'failed'; readonly step: number; readonly code: string; readonly message: string }
  | { readonly event: 'undoing' }
  | { readonly event: 'back'; readonly step: number }
  | { readonly event: 'ended'; readonly state: FinalState; readonly problems: readonly string[] }
);

/** What the lines of a change add up to. */
export interface Progress {
  readonly lines: readonly ProgressLine[];
  /** Steps that were begun, with what was found before. */
  readonly begun: ReadonlyMap<number, StepFacts>;
  readonly done: ReadonlySet<number>;
  readonly isUndoing: boolean;
  readonly failure: { readonly step: number; readonly code: string; readonly message: string } | undefined;
  readonly ended: { readonly state: FinalState; readonly at: string; readonly problems: readonly string[] } | undefined;
}

/** Reads the lines of a progress file. Blank ones are room for more; one that a power loss tore is as if not written. */
export function parseProgress(text: string): readonly ProgressLine[] {
  return text.split('\n').flatMap((line) => {
    if (line.trim() === '') return [];
    try {
      const value = decode(JSON.parse(line));
      return isLine(value) ? [value] : [];
    } catch {
      return [];
    }
  });
}

function isLine(value: unknown): value is ProgressLine {
  if (typeof value !== 'object' || value === null) return false;
  const { at, event, step, state, problems, facts } = value as Readonly<Record<string, unknown>>;
  if (typeof at !== 'string' || typeof event !== 'string') return false;
  if (['begin', 'done', 'failed', 'back'].includes(event) && !Number.isSafeInteger(step)) return false;
  if (event === 'begin' && (typeof facts !== 'object' || facts === null)) return false;
  return event !== 'ended' || (FINAL_STATES.includes(state as FinalState) && Array.isArray(problems));
}

const FINAL_STATES: readonly FinalState[] = ['applied', 'failed-and-undone', 'undone'];

export function progressText(line: ProgressLine): string {
  return JSON.stringify(encode(line));
}

/** Adds the lines up. The facts of a step are those of its first beginning, with what its end added. */
export function addUp(lines: readonly ProgressLine[]): Progress {
  const begun = new Map<number, StepFacts>();
  const done = new Set<number>();
  let isUndoing = false;
  let failure: Progress['failure'];
  let ended: Progress['ended'];
  for (const line of lines) {
    if (line.event === 'begin' && !begun.has(line.step)) begun.set(line.step, line.facts);
    if (line.event === 'done') {
      done.add(line.step);
      if (line.facts) begun.set(line.step, { ...begun.get(line.step), ...line.facts } as StepFacts);
    }
    if (line.event === 'failed') failure = { step: line.step, code: line.code, message: line.message };
    if (line.event === 'undoing') {
      isUndoing = true;
      ended = undefined;
    }
    if (line.event === 'ended') {
      isUndoing = false;
      ended = { state: line.state, at: line.at, problems: line.problems };
    }
  }
  return { lines, begun, done, isUndoing, failure, ended };
}
