import { quote } from '../../core/errors.ts';
import type { JsonDocument, JsonPath } from '../formats/json.ts';
import { isTemplate, TEMPLATE_HINT } from '../formats/template.ts';
import type { Finding, ObservedDriver } from '../model.ts';
import { type DockerFlag, flagValue } from './flags.ts';
import { isObject } from './lint.ts';
import { lintFormats } from './lint-formats.ts';
import type { DockerRules } from './rules.ts';

const LOG_LEVELS = ['panic', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'];

/** Values with which dockerd does not start; of the mirrors `--validate` says nothing until Docker 27. */
export function lintValues(
  document: JsonDocument,
  flags: readonly DockerFlag[],
  rules: DockerRules,
): readonly Finding[] {
  const stop = (keys: JsonPath, code: string, what: string, hint: string): Finding => ({
    severity: 'error',
    code,
    message: `Docker does not start: ${what}`,
    hint,
    path: document.path,
    ...document.position(keys),
  });
  const findings: Finding[] = [...lintFormats(document, rules)];
  for (const [index, mirror] of list(document.value(['registry-mirrors'])).entries()) {
    if (/^https?:\/\//i.test(mirror)) continue;
    const what = `the registry mirror ${quote(mirror)} does not begin with http:// or https://`;
    const way = isTemplate(mirror) ? TEMPLATE_HINT : `write "https://${mirror.replace(/^\w+:\/\//, '')}"`;
    findings.push(stop(['registry-mirrors', index], 'docker-mirror', what, way));
  }
  const level = document.value(['log-level']);
  if (typeof level === 'string' && level !== '' && !isLevel(level, rules)) {
    findings.push(
      stop(['log-level'], 'docker-value', `${quote(level)} is no log level`, `it is one of ${LOG_LEVELS.join(', ')}`),
    );
  }
  const subnet = document.value(['fixed-cidr-v6']);
  if (rules.checksSubnets && typeof subnet === 'string' && /^ff/i.test(subnet)) {
    const what = `the subnet ${quote(subnet)} is for multicast`;
    findings.push(stop(['fixed-cidr-v6'], 'docker-value', what, 'take one of fd00::/8'));
  }
  const runtime = document.value(['default-runtime']);
  if (typeof runtime === 'string' && !isRuntime(runtime, document, flags)) {
    const what = `its default runtime ${quote(runtime)} is not among its runtimes`;
    findings.push(
      stop(['default-runtime'], 'docker-default-runtime', what, 'add it to "runtimes", or remove the line'),
    );
  }
  return findings;
}

/** `warning` went with Docker 23. */
function isLevel(level: string, { validate }: DockerRules): boolean {
  const lower = level.toLowerCase();
  return LOG_LEVELS.includes(lower) || (lower === 'warning' && !validate);
}

/** A parent for containers that is no slice: dockerd does not start with it under the systemd driver. */
export function lintParent(
  document: JsonDocument | undefined,
  flags: readonly DockerFlag[],
  driver: ObservedDriver | undefined,
): readonly Finding[] {
  const parent = parentOf(document, flags);
  if (driver !== 'systemd' || parent === undefined || isSlice(parent.value)) return [];
  const { path, line, column } = parent;
  return [
    {
      severity: 'error',
      code: 'docker-cgroup-parent',
      message: `Docker does not start: with the systemd driver its cgroup-parent must be a slice, and ${quote(parent.value)} is none`,
      hint: 'write a name such as "containers.slice", or remove it',
      ...(path !== undefined && { path }),
      ...(line !== undefined && { line }),
      ...(column !== undefined && { column }),
    },
  ];
}

type Parent = { readonly value: string } & Pick<Finding, 'path' | 'line' | 'column'>;

export function parentOf(document: JsonDocument | undefined, flags: readonly DockerFlag[]): Parent | undefined {
  const use = flagValue(flags, 'cgroup-parent');
  if (use !== undefined && use.value !== '') return { value: use.value, ...use.source };
  const value = document?.value(['cgroup-parent']);
  if (document === undefined || typeof value !== 'string' || value === '') return undefined;
  return { value, path: document.path, ...document.position(['cgroup-parent']) };
}

/** As dockerd has it (`verifyDaemonSettings` in daemon/daemon_unix.go). */
export function isSlice(parent: string): boolean {
  return parent.length > '.slice'.length && parent.endsWith('.slice');
}

/** A name with a dot or a slash is a shim of containerd, which dockerd looks for itself. */
function isRuntime(name: string, document: JsonDocument, flags: readonly DockerFlag[]): boolean {
  const added = flags.flatMap(({ flag, value }) => (flag === 'add-runtime' ? [value.split('=')[0]?.trim()] : []));
  const own = document.value(['runtimes']);
  const names = new Set(['', 'runc', ...added, ...(isObject(own) ? Object.keys(own) : [])]);
  return names.has(name) || /[./]/.test(name);
}

function list(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((element) => typeof element === 'string') : [];
}
