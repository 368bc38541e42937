import { writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { errnoOf, SlicectlError } from '../core/errors.ts';

const STDOUT = 1;
const STDERR = 2;
const WAIT_MS = 5;

/**
 * Prints on stdout. Written without Node's streams, which would make a pipe that the job shares non-blocking under its
 * feet. A reader that has gone away is no error, as for any program in a pipeline.
 */
export function print(text: string): void {
  try {
    writeAll(STDOUT, text);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'EPIPE') return;
    throw new SlicectlError('E_INPUT', `stdout cannot be written (${errno ?? error})`, {
      hint: 'send it somewhere else',
      cause: error,
    });
  }
}

/** Prints on stderr. That nobody can be told there is nothing that could be told. */
export function tell(text: string): void {
  try {
    writeAll(STDERR, text);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
  }
}

/** Whether people read stderr. */
export function isStderrTerminal(): boolean {
  return isatty(STDERR);
}

/** Writes all of it, also where someone else made the open file non-blocking. */
export function writeAll(descriptor: number, text: string): void {
  let rest: Uint8Array = Buffer.from(text);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(descriptor, rest));
    } catch (error) {
      if (errnoOf(error) !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WAIT_MS);
    }
  }
}
