import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';
import { errnoOf, quote, SlicectlError } from '../core/errors.ts';

/** Where the receipt goes; opened before the job starts, so that a bad path is refused while nothing has run. */
export interface ReceiptTarget {
  write(text: string): void;
}

/** `/dev/stderr`, `/dev/fd/3` and the like name a descriptor that is open already. */
export function openReceiptFile(path: string): ReceiptTarget {
  const descriptor = /^\/dev\/(?:(stdout)|(stderr)|fd\/(\d+))$/.exec(path);
  if (descriptor) {
    const fd = descriptor[1] ? 1 : descriptor[2] ? 2 : Number(descriptor[3]);
    refuseClosed(fd, path);
    return { write: (text) => void writeSync(fd, text) };
  }
  try {
    const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_TRUNC, 0o644);
    return {
      write: (text) => {
        writeSync(fd, text);
        closeSync(fd);
      },
    };
  } catch (error) {
    const errno = errnoOf(error);
    const why = errno === 'ELOOP' ? 'is a symbolic link, which is not followed' : `cannot be written (${errno})`;
    throw new SlicectlError('E_INPUT', `--receipt-file ${quote(path)} ${why}`, {
      hint: 'name another file',
      cause: error,
    });
  }
}

function refuseClosed(fd: number, path: string): void {
  try {
    fstatSync(fd);
  } catch (error) {
    throw new SlicectlError('E_INPUT', `--receipt-file ${quote(path)}: that descriptor is not open`, {
      hint: `add ${fd}>file in the shell`,
      cause: error,
    });
  }
}
