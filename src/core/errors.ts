/**
 * Every way in which slicectl refuses or fails. The code is stable and meant for programs, the message for people.
 *
 * - `E_INPUT`: a value, name or option that cannot be right; nothing was changed.
 * - `E_PROFILE`: a profile that is absent or has a fault; the message names file and line.
 * - `E_NO_BUS`: systemd's bus is absent or does not answer.
 * - `E_BUS`: the bus or the manager answered with an error; `data.name` is the D-Bus error name.
 * - `E_BUS_LOST`: the connection ended while an answer was awaited.
 * - `E_TIMEOUT`: an answer did not come within its deadline.
 * - `E_UNIT_EXISTS`: the unit name is in use by a unit that runs.
 * - `E_JOB_FAILED`: systemd's job for the unit ended with another result than `done`.
 * - `E_PRIVILEGE`: the caller may not do this.
 * - `E_NO_CGROUP`: there is no cgroup tree that the caller may write to.
 * - `E_OWNED`: the cgroup belongs to a running systemd and is not delegated.
 * - `E_CONTROLLER`: a controller that the limit needs is not available.
 * - `E_NOT_IN_FORCE`: a limit was asked for and the kernel does not hold it, or a tighter ancestor makes it meaningless.
 * - `E_CGROUP`: the kernel refused a cgroup operation; `data.path` and `data.value` say which.
 * - `E_COMMAND_NOT_FOUND`, `E_COMMAND_NOT_EXECUTABLE`: the job's program.
 * - `E_GATE`: the job ended or was lost before it could be released.
 * - `E_ABORTED`: the caller's AbortSignal fired before the job was released.
 * - `E_FILE`: a file that cannot be read or written; `data.path` says which.
 * - `E_SYNTAX`: a configuration file with a fault; the message names file, line and column.
 * - `E_CHANGED`: the host is not as it was when the plan was made, or as a change left it; nothing was overwritten.
 * - `E_LOCKED`: another slicectl is changing this host.
 * - `E_INTERRUPTED`: an earlier change was interrupted and has to be finished or undone first.
 * - `E_REFUSED`: a plan that is too dangerous to carry out as things are.
 * - `E_STEP`: a step of a change failed; `data.undone` says whether what was done before it was taken back.
 * - `E_HISTORY`: there is no such change, or it cannot be undone.
 */
export type ErrorCode =
  | 'E_INPUT'
  | 'E_PROFILE'
  | 'E_NO_BUS'
  | 'E_BUS'
  | 'E_BUS_LOST'
  | 'E_TIMEOUT'
  | 'E_UNIT_EXISTS'
  | 'E_JOB_FAILED'
  | 'E_PRIVILEGE'
  | 'E_NO_CGROUP'
  | 'E_OWNED'
  | 'E_CONTROLLER'
  | 'E_NOT_IN_FORCE'
  | 'E_CGROUP'
  | 'E_COMMAND_NOT_FOUND'
  | 'E_COMMAND_NOT_EXECUTABLE'
  | 'E_GATE'
  | 'E_ABORTED'
  | 'E_FILE'
  | 'E_SYNTAX'
  | 'E_CHANGED'
  | 'E_LOCKED'
  | 'E_INTERRUPTED'
  | 'E_REFUSED'
  | 'E_STEP'
  | 'E_HISTORY';

export interface ErrorDetails {
  /** What the reader can do about it: one sentence. */
  readonly hint?: string;
  /** Facts for programs: names, paths, values. */
  readonly data?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** The one error class of the library. `message` is one sentence that names the value and the reason. */
export class SlicectlError extends Error {
  override readonly name = 'SlicectlError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly data: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.hint = details.hint;
    this.data = details.data ?? {};
  }
}

/** Characters that JSON leaves as they are and that move the cursor or turn the direction of the text. */
const UNSEEN = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Quotes text from outside for a message: control characters cannot reach the terminal. */
export function quote(text: string): string {
  return JSON.stringify(text).replace(UNSEEN, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The bad-input error, which is the most frequent one. */
export function badInput(message: string, hint?: string, data?: Readonly<Record<string, unknown>>): SlicectlError {
  return new SlicectlError('E_INPUT', message, { ...(hint && { hint }), ...(data && { data }) });
}

/** The `code` of a Node system error (`ENOENT`, `EBUSY`…), or undefined for anything else. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
