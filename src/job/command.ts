import { accessSync, constants, statSync } from 'node:fs';
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
    if (obstacle === undefined) return file;
    if (obstacle !== 'absent') refusal ??= obstacle;
  }
  if (refusal !== undefined) {
    throw new SlicectlError('E_COMMAND_NOT_EXECUTABLE', `the command ${quote(name)} ${refusal}`, {
      hint: 'chmod +x makes a file executable',
      data: { command: name },
    });
  }
  const where = name.includes('/') ? 'does not exist' : 'is in no folder of PATH';
  throw new SlicectlError('E_COMMAND_NOT_FOUND', `the command ${quote(name)} ${where}`, {
    hint: 'check the spelling, or give its path',
    data: { command: name },
  });
}

/** Why a file cannot be executed: `absent` lets the search go on. */
function obstacleOf(file: string): string | undefined {
  try {
    if (statSync(file).isDirectory()) return 'is a folder';
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
