import { resolve } from 'node:path';
import process from 'node:process';
import { badInput, quote } from '../core/errors.ts';
import type { Machine } from '../core/quantity.ts';
import type { LaunchOptions } from '../job/launch.ts';
import type { LauncherOptions } from '../job/launcher.ts';
import type { Inheritance } from './inheritance.ts';
import { readLimits } from './limits.ts';

/** What commander made of `slicectl run`; each key is the option's name in camel case. */
export type RunOptions = Readonly<Record<string, unknown>>;

/** Where to launch; refuses options that contradict each other. */
export function launcherOptions(given: RunOptions): LauncherOptions {
  if (given.user && given.system) throw contradiction('--user', '--system');
  if (given.json && given.receipt !== undefined && given.receipt !== 'json') {
    throw contradiction('--json', `--receipt ${given.receipt}`);
  }
  if (!given.service) {
    const alien = ['wait', 'collect', 'output'].find((key) => given[key] !== undefined);
    if (alien) throw badInput(`--${alien} means nothing without --service`, 'add --service, or leave it out');
  }
  if (given.exclusive === undefined) {
    const alien = (['numaNode', 'reservation'] as const).find((key) => given[key] !== undefined);
    const name = alien === 'numaNode' ? '--numa-node' : '--reservation';
    if (alien) throw badInput(`${name} means nothing without --exclusive`, 'add --exclusive 1, or leave it out');
  }
  const manager = given.user ? ('user' as const) : given.system ? ('system' as const) : undefined;
  const backend = given.backend as LauncherOptions['backend'];
  return { ...(manager && { manager }), ...(backend && { backend }) };
}

/** What to launch, apart from the command. */
export function launchOptions(given: RunOptions, machine: Machine, inheritance: Inheritance): LaunchOptions {
  const text = (key: string): string | undefined => given[key] as string | undefined;
  const list = (key: string): readonly string[] => (given[key] as readonly string[] | undefined) ?? [];
  const limits = readLimits(
    { profiles: list('profile'), properties: list('property'), flag: (name) => text(camel(name)) },
    machine,
  );
  const cwd = text('workingDirectory');
  const env = environment(list('setenv'), cwd);
  const { openFiles, stdio, ignoredSignals } = inheritance;
  const nice = text('nice');
  return {
    limits,
    stdio,
    ignoredSignals,
    ...(env && { env }),
    ...(openFiles !== undefined && { openFiles }),
    ...(nice !== undefined && { nice: niceLevel(nice) }),
    ...defined({
      slice: text('slice'),
      unit: text('unit'),
      description: text('description'),
      uid: text('uid'),
      gid: text('gid'),
      cwd,
      leftover: text('leftover') as LaunchOptions['leftover'],
    }),
    sliceInherit: given.sliceInherit === true,
    bestEffort: given.bestEffort === true,
    limitsEnv: given.limitsEnv === true,
  };
}

function contradiction(one: string, other: string): Error {
  return badInput(`${one} and ${other} contradict each other`, 'give one of them');
}

function defined<T extends Readonly<Record<string, unknown>>>(
  values: T,
): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

/** The key that commander makes of an option's name. */
function camel(name: string): string {
  return name.replace(/^--/, '').replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}

function niceLevel(text: string): number {
  if (!/^[+-]?\d+$/.test(text))
    throw badInput(`--nice ${quote(text)} is not a number`, 'write -20 (first) to 19 (last)');
  return Number(text);
}

/**
 * `NAME=value` sets, `NAME` alone passes the caller's value on, which a scope does in any case. PWD follows the folder,
 * as after cd.
 */
function environment(settings: readonly string[], cwd: string | undefined): NodeJS.ProcessEnv | undefined {
  if (settings.length === 0 && cwd === undefined) return undefined;
  const env: NodeJS.ProcessEnv = { ...process.env, ...(cwd !== undefined && { PWD: resolve(cwd) }) };
  for (const setting of settings) {
    const [, name, value] = /^([A-Za-z_][A-Za-z0-9_]*)(?:=([\s\S]*))?$/.exec(setting) ?? [];
    if (name === undefined)
      throw badInput(`--setenv ${quote(setting)} is not NAME=value`, 'names have letters, digits and _');
    if (value !== undefined) env[name] = value;
  }
  return env;
}
