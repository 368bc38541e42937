import { ifReadable } from '../../host/readable.ts';
import type { RootTree } from '../../host/root-tree.ts';
import type { JsonDocument, JsonPath } from '../formats/json.ts';
import type { Configured, Finding, ObservedDriver, Source } from '../model.ts';
import type { ServiceCommand } from '../service/command.ts';
import { type DaemonJson, readDaemonJson } from './daemon-json.ts';
import { chooseDriver, DRIVER_OPTION, driverOf, type ExecOpt, lintExecOpts } from './exec-opts.ts';
import { type DockerFlag, flagValue } from './flags.ts';
import { isObject, lintConflicts, lintKeys } from './lint.ts';
import { lintParent, lintValues } from './lint-values.ts';
import type { DockerRules } from './rules.ts';

/** What there is to know of a dockerd before its files are read. */
export interface StartFacts {
  readonly tree: RootTree;
  readonly version: string | undefined;
  readonly rules: DockerRules;
  /** Undefined for a dockerd that no unit starts. */
  readonly command: ServiceCommand | undefined;
  readonly flags: readonly DockerFlag[];
  /** Where the file is without `--config-file`. */
  readonly defaultFile: string;
  readonly isRootless: boolean;
  /** What dockerd takes where nothing is set. */
  readonly defaultDriver: { readonly driver: ObservedDriver; readonly text: string };
}

/** The next start of a dockerd by its files. */
export interface NextStart {
  readonly file: DaemonJson;
  readonly configured: Configured;
  /** An error among them means that this dockerd would not start. */
  readonly findings: readonly Finding[];
}

export function readNextStart(facts: StartFacts): NextStart {
  const { tree, flags, rules, version, command } = facts;
  const named = flagValue(flags, 'config-file');
  const path = named === undefined ? facts.defaultFile : absolute(named.value);
  const file = readDaemonJson(tree, path, named !== undefined, rules);
  const { document } = file;
  const inFlags = flagOptions(flags);
  const inFile = document === undefined ? [] : fileOptions(document);
  const options = inFlags.length > 0 ? inFlags : inFile;
  const chosen = chooseDriver(options, rules);
  const driver = asReported(
    chosen.driver === 'invalid' ? undefined : (chosen.driver ?? facts.defaultDriver.driver),
    facts,
  );
  const findings = [
    ...(command?.problems ?? []),
    ...file.findings,
    ...(document === undefined
      ? []
      : [
          ...lintKeys(document, version),
          ...lintConflicts(document, flags, version),
          ...lintValues(document, flags, rules),
        ]),
    ...lintExecOpts(inFlags, rules),
    ...lintExecOpts(inFile, rules),
    ...lintParent(document, flags, driver),
  ];
  const stop = findings.find(({ severity }) => severity === 'error');
  const source = chosen.source ?? { kind: 'default' as const, text: facts.defaultDriver.text };
  const losers = chosen.losers.map(({ source: from, value }) => ({ ...from, value }));
  const shadowed = [...losers, ...lost(document), ...elsewhere(facts, path)];
  return {
    file,
    configured: { driver: stop === undefined ? driver : undefined, source, shadowed },
    findings: [...findings, ...unread(elsewhere(facts, path), chosen.driver)],
  };
}

/** Rootless Docker without systemd makes no cgroups, whatever it is told (`cgroupDriver` in daemon/daemon_unix.go). */
function asReported(driver: ObservedDriver | undefined, { isRootless }: StartFacts): ObservedDriver | undefined {
  return isRootless && driver === 'cgroupfs' ? 'none' : driver;
}

/** Every `--exec-opt`, in order. */
export function flagOptions(flags: readonly DockerFlag[]): readonly ExecOpt[] {
  return flags
    .filter(({ flag }) => flag === 'exec-opt')
    .map(({ value, source, name }) => ({ text: value, source: { ...source, text: `${name} in ${source.text}` } }));
}

/** The entries of exec-opts that dockerd reads. */
export function fileOptions(document: JsonDocument, keys: JsonPath = ['exec-opts']): readonly ExecOpt[] {
  const value = document.value(keys);
  if (!Array.isArray(value)) return [];
  return value.map((text, index) => ({
    text: typeof text === 'string' ? text : '',
    source: fileSource(document, [...keys, index], `${keys.join('.')} of ${nameOf(document.path)}`),
  }));
}

/** Entries for the driver that nothing reads: in an earlier key of the same name, a misspelt one, a nested one. */
function lost(document: JsonDocument | undefined): Configured['shadowed'] {
  const top = document?.value([]);
  if (document === undefined || !isObject(top)) return [];
  const earlier = document
    .all([], 'exec-opts')
    .slice(0, -1)
    .flatMap((node) => {
      const at = { kind: 'file' as const, path: document.path, ...document.positionOf(node) };
      const entries = Array.isArray(node.value) ? node.value.map(String) : [];
      return entries.flatMap((text) =>
        valued({ ...at, text: 'exec-opts, which is in the file again' }, driverOf(text)),
      );
    });
  const misplaced = Object.entries(top).flatMap(([key, value]) => {
    const paths = isObject(value) ? ['exec-opts', 'exec-opt'].map((inner) => [key, inner]) : [[key]];
    return paths
      .filter((keys) => !(keys.length === 1 && keys[0] === 'exec-opts'))
      .flatMap((keys) => fileOptions(document, keys).flatMap(({ text, source }) => valued(source, driverOf(text))));
  });
  return [...earlier, ...misplaced];
}

function valued<T>(source: T, value: string | undefined): (T & { readonly value: string })[] {
  return value === undefined ? [] : [{ ...source, value }];
}

/** Where people write options for dockerd; a unit reads few of them. */
const OTHER_PLACES = ['/etc/docker/daemon.json', '/etc/default/docker', '/etc/sysconfig/docker', '/etc/conf.d/docker'];

/** Places that name a driver and that this dockerd does not read. */
function elsewhere({ tree, flags, isRootless, command }: StartFacts, file: string): Configured['shadowed'] {
  if (isRootless || command === undefined) return [];
  const targetOf = (path: string): string => ifReadable(() => tree.follow(path)) ?? path;
  const read = new Set([file, ...flags.flatMap(({ source }) => source.path ?? [])].map(targetOf));
  return OTHER_PLACES.filter((path) => !read.has(targetOf(path))).flatMap((path) => {
    const lines = (ifReadable(() => tree.text(path)) ?? '').split('\n');
    return lines.flatMap((line, index) => {
      const value = new RegExp(`${DRIVER_OPTION}\\s*=\\s*([\\w-]+)`, 'i').exec(line)?.[1];
      if (value === undefined || /^\s*#/.test(line)) return [];
      return [
        {
          kind: 'file' as const,
          path,
          line: index + 1,
          text: `${nameOf(path)}, which ${command.unit} does not read`,
          value,
        },
      ];
    });
  });
}

function unread(places: Configured['shadowed'], driver: string | undefined): Finding[] {
  return places.map(({ path = '', line, value }) => ({
    severity: value === driver ? 'info' : 'warning',
    code: 'docker-unread-file',
    message: `${DRIVER_OPTION}=${value} in ${path} has no effect: this Docker does not read it`,
    hint: 'remove it there',
    path,
    ...(line !== undefined && { line }),
  }));
}

function fileSource(document: JsonDocument, keys: JsonPath, text: string): Source {
  return { kind: 'file', path: document.path, ...document.position(keys), text };
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** systemd starts services in `/`. */
function absolute(path: string): string {
  return path.startsWith('/') ? path : `/${path}`;
}
