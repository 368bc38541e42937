import { SlicectlError } from '../core/errors.ts';

/** What `read` gives, or undefined where a file could not be read (`E_FILE`): for questions that may stay without answer. */
export function ifReadable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof SlicectlError && error.code === 'E_FILE') return undefined;
    throw error;
  }
}
