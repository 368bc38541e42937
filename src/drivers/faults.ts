import { errnoOf, SlicectlError } from '../core/errors.ts';
import type { Finding } from './model.ts';

/** What an error in a file means for the one who reads a status. Rethrows what is no fault of a file. */
export function faultOf(error: unknown, code: string, consequence: string): Finding {
  if (!(error instanceof SlicectlError) || !['E_FILE', 'E_SYNTAX'].includes(error.code)) throw error;
  const { path, line, column } = error.data;
  return {
    severity: 'error',
    code,
    message: `${consequence}: ${error.message}`,
    ...(error.hint !== undefined && { hint: error.hint }),
    ...(typeof path === 'string' && { path }),
    ...(typeof line === 'number' && { line }),
    ...(typeof column === 'number' && { column }),
  };
}

/** The same for a program that runs as root: what only this user may not read is no fault of its files. */
export function daemonFault(error: unknown, code: string, consequence: string): Finding {
  return isClosed(error) ? unreadable(error) : faultOf(error, code, consequence);
}

/** Whether a file could not be read for lack of privilege. */
export function isClosed(error: unknown): error is SlicectlError {
  return error instanceof SlicectlError && errnoOf(error.cause) === 'EACCES';
}

export function unreadable({ message, data }: SlicectlError): Finding {
  const { path } = data;
  return {
    severity: 'warning',
    code: 'unreadable',
    message: `not all is known: ${message}`,
    hint: 'run it as root',
    ...(typeof path === 'string' && { path }),
  };
}
