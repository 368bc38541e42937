import { errnoOf, SlicectlError } from '../../core/errors.ts';
import { writeControl } from '../../host/control-writes.ts';

/** Writes to a file of the kernel's; `E_NOT_IN_FORCE` with the errno in `data.errno` where it refuses. */
export function writeKernel(path: string, text: string): void {
  try {
    writeControl(path, text);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    throw new SlicectlError('E_NOT_IN_FORCE', `the kernel refused ${JSON.stringify(text)} for ${path}: ${errno}`, {
      data: { path, value: text, errno },
      cause: error,
    });
  }
}

export function errnoIn(error: unknown): string | undefined {
  if (!(error instanceof SlicectlError)) return undefined;
  return typeof error.data.errno === 'string' ? error.data.errno : undefined;
}
