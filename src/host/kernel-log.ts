import { closeSync, constants, openSync, readSync } from 'node:fs';
import { errnoOf } from '../core/errors.ts';

/** One kill for memory, as the kernel logs it since 5.0: whose limit, and the group of the process that was killed. */
export interface OomRecord {
  readonly limitOf: string;
  readonly victimIn: string;
}

/** The longest record of /dev/kmsg (printk's CONSOLE_EXT_LOG_MAX). */
const RECORD = 8192;

/**
 * The kills for memory that the kernel's log still holds (Documentation/ABI/testing/dev-kmsg), or undefined where it may
 * not be read. Each read gives one record; the end shows as EAGAIN.
 */
export function readOomKills(path = '/dev/kmsg'): OomRecord[] | undefined {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (['EPERM', 'EACCES', 'ENOENT'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
  try {
    const found: OomRecord[] = [];
    const buffer = Buffer.alloc(RECORD);
    for (let text = readRecord(file, buffer); text !== undefined; text = readRecord(file, buffer)) {
      const match = /oom-kill:.*\boom_memcg=([^,\n]+),task_memcg=([^,\n]+)/.exec(text);
      if (match?.[1] && match[2]) found.push({ limitOf: match[1], victimIn: match[2] });
    }
    return found;
  } finally {
    closeSync(file);
  }
}

/** The empty text for a record that was overwritten while it was read (EPIPE). */
function readRecord(file: number, buffer: Buffer): string | undefined {
  try {
    const length = readSync(file, buffer);
    return length === 0 ? undefined : buffer.toString('utf8', 0, length);
  } catch (error) {
    if (errnoOf(error) === 'EPIPE') return '';
    if (errnoOf(error) === 'EAGAIN') return undefined;
    throw error;
  }
}
