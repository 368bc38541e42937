import { accessSync, closeSync, constants, openSync, readSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { badInput, errnoOf, quote, SlicectlError } from '../core/errors.ts';

export interface CommandPlace {
  readonly cwd: string;
  /** PATH of the job's environment. */
  readonly path: string | undefined;
}

/** What execvp(3) searches when PATH is not set. */
const DEFAULT_PATH = '/usr/local/bin:/usr/bin:/bin';

/**
 * The file that the shell would run for a command name. Rejects what a shell would answer with 127
 * (`E_COMMAND_NOT_FOUND`) or 126 (`E_COMMAND_NOT_EXECUTABLE`), before anything is placed.
 */
export function findCommand(name: string, place: CommandPlace): string {
  if (name === '') throw badInput('the command is empty', 'write the command after --');
  if (name.includes('\0')) throw badInput('the command has a NUL character', 'leave it out');
  const candidates = name.includes('/')
    ? [resolve(place.cwd, name)]
    : (place.path ?? DEFAULT_PATH).split(':').map((folder) => resolve(place.cwd, folder, name));
  let refusal: string | undefined;
  for (const file of candidates) {
    const obstacle = obstacleOf(file);
    if (obstacle === undefined) {
      checkInterpreter(name, file, place.cwd);
      return file;
    }
    if (obstacle !== 'absent') refusal ??= obstacle;
  }
  if (refusal !== undefined) {
    throw notExecutable(name, refusal, refusal === IS_FOLDER ? 'name a program' : 'chmod +x makes a file executable');
  }
  const where = name.includes('/') ? 'does not exist' : 'is in no folder of PATH';
  throw new SlicectlError('E_COMMAND_NOT_FOUND', `the command ${quote(name)} ${where}`, {
    hint: 'check the spelling, or give its path',
    data: { command: name },
  });
}

function notExecutable(name: string, why: string, hint: string): SlicectlError {
  return new SlicectlError('E_COMMAND_NOT_EXECUTABLE', `the command ${quote(name)} ${why}`, {
    hint,
    data: { command: name },
  });
}

/** The kernel reads no more of a script's first line (BINPRM_BUF_SIZE). */
const FIRST_LINE_BYTES = 256;

/** A script whose interpreter is absent is there and cannot be executed, though execve(2) calls it absent (ENOENT). */
function checkInterpreter(name: string, file: string, cwd: string): void {
  const interpreter = /^#![ \t]*([^ \t\n\0]+)/.exec(firstBytes(file))?.[1];
  if (interpreter === undefined) return;
  const obstacle = obstacleOf(resolve(cwd, interpreter));
  if (obstacle === undefined) return;
  const why = obstacle === 'absent' ? 'does not exist' : obstacle;
  const ending = interpreter.endsWith('\r') ? 'its lines end as on Windows: remove the CR' : 'mend its first line';
  throw notExecutable(name, `needs the interpreter ${quote(interpreter)}, which ${why}`, ending);
}

/** Nothing of a program that may be executed and not read. */
function firstBytes(file: string): string {
  let fd: number | undefined;
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    const buffer = Buffer.alloc(FIRST_LINE_BYTES);
    return buffer.toString('latin1', 0, readSync(fd, buffer));
  } catch (error) {
    if (errnoOf(error) === 'EACCES' || errnoOf(error) === 'EPERM') return '';
    throw error;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

const IS_FOLDER = 'is a folder';

/** Why a file cannot be executed: `absent` lets the search go on. */
function obstacleOf(file: string): string | undefined {
  try {
    if (statSync(file).isDirectory()) return IS_FOLDER;
    accessSync(file, constants.X_OK);
    return undefined;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return 'absent';
    if (errno === 'EACCES') return 'may not be executed by this user';
    if (errno === 'ELOOP' || errno === 'ENAMETOOLONG') return 'absent';
    throw error;
  }
}

/** The folder that the job is to start in. */
export function checkFolder(folder: string): string {
  try {
    if (!statSync(folder).isDirectory())
      throw badInput(`--working-directory ${quote(folder)} is not a folder`, 'name a folder');
    accessSync(folder, constants.X_OK);
    return folder;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR')
      throw badInput(`--working-directory ${quote(folder)} does not exist`, 'make it first');
    if (errno === 'EACCES')
      throw badInput(`--working-directory ${quote(folder)} may not be entered by this user`, 'choose another');
    throw error;
  }
}
