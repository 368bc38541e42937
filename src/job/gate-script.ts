import type { GateOptions } from './gate.ts';

/**
 * The gate: reads from its descriptor how many lines follow and then these lines, which are shell text, and runs them. The
 * last of them puts the command in the shell's place, so it keeps the pid. An end of the file before the last line
 * (slicectl died) ends the shell, and nothing of the text has run.
 */
export function gateScript(descriptor: number): string {
  return `IFS= read -r slicectl_lines <&${descriptor} || exit 125
slicectl_text=
while [ "$slicectl_lines" -gt 0 ]; do
  IFS= read -r slicectl_line <&${descriptor} || exit 125
  slicectl_text="$slicectl_text$slicectl_line
"
  slicectl_lines=$((slicectl_lines - 1))
done
exec ${descriptor}<&-
set -- "$slicectl_text" "$@"
unset slicectl_lines slicectl_text slicectl_line
eval "$1"`;
}

const SHELL_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Names whose values shells make up, change at their start or refuse to change; the folders are handled by themselves. */
const SHELL_OWN =
  /^(?:IFS|OPT(?:IND|ARG|ERR)|PPID|PS[0-4]|LINENO|ENV|E?UID|GROUPS|SHELLOPTS|POSIXLY_CORRECT|BASH.*|(?:EPOCH)?SECONDS|RANDOM|FUNCNAME|DIRSTACK|HISTCMD|slicectl_(?:lines?|text))$/;
const FOLDERS = ['PWD', 'OLDPWD'];

/** Variables that a shell would lose or change on the way: BASH_FUNC_x%%, INPUT_A-B and the like. */
function isFragile(name: string): boolean {
  return !SHELL_NAME.test(name) || SHELL_OWN.test(name);
}

/** The environment of the gate's shell: that of the job without what shells would not hand on as it is. */
export function startingEnv(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !isFragile(name) && !FOLDERS.includes(name)));
}

/**
 * What the gate reads at its release. The environment comes out exactly as asked: dash exports a PWD of its own, bash
 * also changes `_` and SHLVL, and both drop names that they cannot write; env(1) puts these right.
 */
export function releaseText(
  { argv, env, openFiles, ignoredSignals }: Pick<GateOptions, 'argv' | 'env' | 'openFiles' | 'ignoredSignals'>,
  more: Readonly<Record<string, string>>,
): string {
  const fragile = assignments(env, isFragile);
  const changedByBash = (name: string): boolean => name === '_' || name === 'SHLVL';
  const absent = ['_', 'SHLVL'].filter((name) => env[name] === undefined).map((name) => `-u ${name}`);
  const lines = [
    'shift',
    ...(openFiles === undefined ? [] : [`ulimit -S -n ${openFiles} 2>/dev/null || :`]),
    ...ignoredSignals.map((signal) => `trap '' ${signal.replace(/^SIG/, '')}`),
    ...assignments(more, () => true).map((assignment) => `export ${assignment}`),
    ...FOLDERS.filter((name) => env[name] === undefined).map((name) => `unset ${name}`),
    ...assignments(env, (name) => FOLDERS.includes(name)).map((assignment) => `export ${assignment}`),
    `case \${BASH_VERSION-}\${KSH_VERSION-} in`,
    `?*) ${throughEnv([...absent, '--', ...assignments(env, changedByBash), ...fragile], argv)} ;;`,
    `*) ${fragile.length === 0 ? ':' : throughEnv(['--', ...fragile], argv)} ;;`,
    'esac',
    'exec "$@"',
  ].join('\n');
  return `${lines.split('\n').length}\n${lines}\n`;
}

function throughEnv(words: readonly string[], argv: readonly string[]): string {
  // env(1) would take a command with an equals sign for one more assignment.
  const command = argv[0]?.includes('=') ? `/bin/sh -c 'exec "$@"' slicectl "$@"` : '"$@"';
  return `set -- /usr/bin/env ${words.join(' ')} ${command}`;
}

/** `'NAME=value'` as a word of a shell, of each variable that is chosen. */
function assignments(env: NodeJS.ProcessEnv, isChosen: (name: string) => boolean): string[] {
  return Object.entries(env)
    .filter(([name]) => isChosen(name))
    .map(([name, value]) => `'${`${name}=${value}`.replaceAll("'", `'\\''`)}'`);
}
