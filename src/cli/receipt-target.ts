import { closeSync, constants, fstatSync, ftruncateSync, openSync, unlinkSync } from 'node:fs';
import { badInput, errnoOf, quote, SlicectlError } from '../core/errors.ts';
import { tell, writeAll } from './output.ts';

/** Where the receipt goes; opened before the job starts, so that a bad path is refused while nothing has run. */
export interface ReceiptTarget {
  write(text: string): void;
  /** Leaves a file as it was before, since no job ran. */
  abandon(): void;
}

/** The descriptor that `/dev/stderr`, `/dev/fd/3` and the like name; undefined for other paths. */
export function descriptorOf(path: string): number | undefined {
  const [, stdout, stderr, fd] = /^\/dev\/(?:(stdout)|(stderr)|fd\/(\d+))$/.exec(path) ?? [];
  return stdout ? 1 : stderr ? 2 : fd ? Number(fd) : undefined;
}

/** `callersDescriptors` are those that are open from 3 on. */
export function openReceiptFile(path: string, callersDescriptors: readonly number[]): ReceiptTarget {
  const descriptor = descriptorOf(path);
  if (descriptor !== undefined) {
    if (descriptor > 2 && !callersDescriptors.includes(descriptor)) {
      throw badInput(
        `--receipt-file ${quote(path)}: that descriptor is not open`,
        `add ${descriptor}>file in the shell`,
      );
    }
    return { write: (text) => writeOrSay(descriptor, path, text), abandon: () => undefined };
  }
  const { fd, isNew } = openFile(path);
  return {
    write: (text) => {
      if (fstatSync(fd).isFile()) ftruncateSync(fd);
      writeOrSay(fd, path, text);
      closeSync(fd);
    },
    abandon: () => {
      closeSync(fd);
      if (isNew) unlinkSync(path);
    },
  };
}

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;

/** Truncated only when there is a receipt to write: a request that is refused changes nothing. */
function openFile(path: string): { readonly fd: number; readonly isNew: boolean } {
  try {
    try {
      return { fd: openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o666), isNew: true };
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
      return { fd: openSync(path, O_WRONLY | O_NOFOLLOW), isNew: false };
    }
  } catch (error) {
    const errno = errnoOf(error);
    const why = errno === 'ELOOP' ? 'is a symbolic link, which is not followed' : `cannot be written (${errno})`;
    throw new SlicectlError('E_INPUT', `--receipt-file ${quote(path)} ${why}`, {
      hint: 'name another file',
      cause: error,
    });
  }
}

/** The job has run by now, and its ending counts for more than a full disk. */
function writeOrSay(fd: number, path: string, text: string): void {
  try {
    writeAll(fd, text);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    tell(`slicectl: the receipt could not be written to ${quote(path)} (${errno})\n`);
  }
}
