import { execFile } from 'node:child_process';
import { posix } from 'node:path';
import { SlicectlError } from '../../core/errors.ts';
import type { RootTree } from '../../host/root-tree.ts';
import { parseToml, type TomlDocument } from '../formats/toml.ts';
import type { CgroupDriver } from '../model.ts';
import type { ServiceCommand } from '../service/command.ts';
import { CRI_SECTIONS } from './dialect.ts';
import { SWITCH } from './runtime-tables.ts';

const DEADLINE_MS = 10_000;
const MOST_BYTES = 16 * 2 ** 20;
const USUAL_PLACES = ['/usr/bin/containerd', '/usr/local/bin/containerd'];

/** Where on this host the program is that the unit starts, or the usual one; undefined where there is none. */
export function programOf(tree: RootTree, command: ServiceCommand | undefined): string | undefined {
  const own = command?.program?.text;
  const isOwn = own !== undefined && posix.isAbsolute(own) && posix.basename(own) === 'containerd';
  const found = [...(isOwn ? [own] : []), ...USUAL_PLACES].find((path) => tree.kind(path) === 'file');
  return found === undefined ? undefined : tree.onHost(tree.follow(found));
}

/** What `containerd --version` says, without what packagers put behind the number; undefined where it cannot be run. */
export async function askVersion(program: string): Promise<string | undefined> {
  const answer = await run(program, ['--version']);
  return answer.ok ? shortVersion(/^containerd \S+ (\S+)/.exec(answer.stdout)?.[1] ?? '') : undefined;
}

/** `v1.6.20~ds1` → `1.6.20`; undefined for what has no number, such as a build without one. */
export function shortVersion(text: string): string | undefined {
  return /^v?(\d+(?:\.\d+)+)/.exec(text)?.[1];
}

/** What `containerd config dump` makes of a configuration: the files as merged, not what the daemon runs with. */
export type Dump =
  | { readonly ok: true; readonly drivers: ReadonlyMap<string, CgroupDriver> }
  | { readonly ok: false; readonly message: string };

/** Undefined where the program cannot be run, or does not know the command (before 1.3). */
export async function dumpConfig(program: string, config: string): Promise<Dump | undefined> {
  const answer = await run(program, ['--config', config, 'config', 'dump']);
  if (!answer.ok) return answer.message === undefined ? undefined : { ok: false, message: answer.message };
  try {
    return { ok: true, drivers: dumpedDrivers(parseToml(answer.stdout, 'containerd config dump')) };
  } catch (error) {
    if (error instanceof SlicectlError) return undefined;
    throw error;
  }
}

/** Each runtime of a dump with its driver; none where the CRI plugin is not loaded. */
export function dumpedDrivers(dump: TomlDocument): ReadonlyMap<string, CgroupDriver> {
  const bases = CRI_SECTIONS.map((section) => ['plugins', section, 'containerd', 'runtimes']);
  const base = bases.findLast((keys) => dump.get(keys) !== undefined) ?? [];
  const names = base.length === 0 ? [] : dump.keys(base);
  return new Map(
    names.map((name) => {
      const isOn = dump.get([...base, name, 'options', SWITCH])?.value === true;
      return [name, isOn ? 'systemd' : 'cgroupfs'];
    }),
  );
}

type Outcome =
  | { readonly ok: true; readonly stdout: string }
  | { readonly ok: false; readonly message: string | undefined };

/** The message is the program's own last word; undefined where it did not get as far as to say one. */
function run(program: string, args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const options = {
      timeout: DEADLINE_MS,
      maxBuffer: MOST_BYTES,
      cwd: '/',
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    };
    execFile(program, [...args], options, (error, stdout, stderr) => {
      if (error === null) resolve({ ok: true, stdout });
      else resolve({ ok: false, message: typeof error.code === 'number' ? lastWord(stderr) : undefined });
    });
  });
}

/** `containerd: failed to load TOML: …`, among the lines of the log. */
function lastWord(stderr: string): string | undefined {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '' && !/\blevel=\w+ /.test(line));
  return lines.findLast((line) => line.startsWith('containerd: '))?.slice('containerd: '.length) ?? lines.at(-1);
}
