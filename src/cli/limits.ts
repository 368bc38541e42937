import { readFileSync } from 'node:fs';
import process from 'node:process';
import { errnoOf, SlicectlError } from '../core/errors.ts';
import { type AskedLimits, type Assignment, layered, parseAssignment, readAssignments } from '../core/limits.ts';
import { parseProfile, profilePaths } from '../core/profile.ts';
import { PROPERTIES } from '../core/properties/table.ts';
import type { Machine } from '../core/quantity.ts';

/** What the command line says about limits. Precedence: flag, then -p, then profiles, of which the later one wins. */
export interface LimitArguments {
  readonly profiles: readonly string[];
  readonly properties: readonly string[];
  /** The value of a short flag by its name (`--memory`). */
  flag(name: string): string | undefined;
}

export function readLimits(given: LimitArguments, machine: Machine): AskedLimits {
  const profiles = given.profiles.map((name) => readProfile(name));
  const properties = given.properties.map((text) => parseAssignment(text, '-p'));
  const flags = PROPERTIES.flatMap((row) =>
    row.flags.flatMap(({ name }) => {
      const text = given.flag(name);
      return text === undefined ? [] : [{ name: row.name, text, source: name }];
    }),
  );
  refuseTwins(flags);
  return layered([...profiles, properties, flags].map((level) => readAssignments(level, machine)));
}

/** Two flags for one property (`--weight` and `--cpu-request`) contradict each other. */
function refuseTwins(flags: readonly Assignment[]): void {
  for (const [index, flag] of flags.entries()) {
    const twin = flags.slice(0, index).find(({ name }) => name === flag.name);
    if (!twin) continue;
    throw new SlicectlError('E_INPUT', `${twin.source} and ${flag.source} both set ${flag.name}`, {
      hint: 'give one of them',
    });
  }
}

function readProfile(name: string): Assignment[] {
  const paths = profilePaths(name, { home: process.env.HOME, xdgConfigHome: process.env.XDG_CONFIG_HOME });
  for (const path of paths) {
    try {
      return parseProfile(readFileSync(path, 'utf8'), path);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === 'ENOENT' || errno === 'ENOTDIR') continue;
      if (errno === 'EACCES' || errno === 'EISDIR') {
        throw new SlicectlError('E_PROFILE', `the profile ${path} cannot be read (${errno})`, {
          hint: 'check its mode and owner',
          cause: error,
        });
      }
      throw error;
    }
  }
  throw new SlicectlError('E_PROFILE', `there is no profile ${name}: looked for ${paths.join(' and ')}`, {
    hint: 'write one, for example: MemoryMax=1G',
    data: { paths },
  });
}
