import { type FSWatcher, watch } from 'node:fs';
import type { SystemdLink } from '../../backend/systemd-link.ts';
import { SlicectlError } from '../../core/errors.ts';
import { watchManager } from '../../dbus/manager-watch.ts';
import { MANAGER_INTERFACE, MANAGER_PATH, SYSTEMD } from '../../dbus/systemd1.ts';
import { readLayout } from '../../host/cgroups.ts';
import type { Finding } from '../finding.ts';
import { RECORD_FOLDERS } from '../record.ts';
import type { CpuHost } from '../show.ts';
import { type AuditReport, audit, isWrong } from './audit.ts';
import { Bell } from './bell.ts';

/** Something that became wrong, or that is right again. */
export interface WatchEvent {
  readonly at: Date;
  readonly state: 'wrong' | 'right';
  readonly finding: Finding;
}

export interface WatchRequest {
  readonly name?: string | undefined;
  /** Ends the watch. */
  readonly signal: AbortSignal;
  /** The first look. What is wrong then comes as no event. */
  readonly onBegin: (report: AuditReport) => void;
  readonly onEvent: (event: WatchEvent) => void;
}

/**
 * Looks again whenever systemd or the kernel tells of something that can matter: reloads, units that come and go, changes
 * of slices, drop-ins, records and cpuset files; and every 15 s for what nobody tells of. Ends with its signal, and tells
 * whether all was right at last.
 */
export async function watchAudit(host: CpuHost, { name, signal, onBegin, onEvent }: WatchRequest): Promise<boolean> {
  const bell = new Bell(signal);
  const files = new FileWatch(() => bell.ring());
  const stopBus = host.system && (await watchBus(host.system, () => bell.ring()));
  let known: ReadonlyMap<string, Finding> | undefined;
  try {
    while (!signal.aborted) {
      const begin = performance.now();
      const report = await audit(host, { name, windowMs: 0 });
      if (known === undefined) onBegin(report);
      known = tellChanges(known ?? wrongOf(report.findings), report.findings, onEvent);
      files.set(pathsToWatch(host, report));
      await bell.wait(performance.now() - begin);
    }
  } finally {
    files.close();
    stopBus?.();
  }
  return known === undefined || known.size === 0;
}

/** Findings are the same as long as kind and subject are. */
export function tellChanges(
  known: ReadonlyMap<string, Finding>,
  findings: readonly Finding[],
  onEvent: (event: WatchEvent) => void,
): ReadonlyMap<string, Finding> {
  const at = new Date();
  const now = wrongOf(findings);
  for (const [key, finding] of known) if (!now.has(key)) onEvent({ at, state: 'right', finding });
  for (const [key, finding] of now) if (!known.has(key)) onEvent({ at, state: 'wrong', finding });
  return now;
}

function wrongOf(findings: readonly Finding[]): ReadonlyMap<string, Finding> {
  return new Map(findings.filter(isWrong).map((finding) => [`${finding.kind} ${finding.subject}`, finding]));
}

/** Files and folders by inotify. One that cannot be watched is left to the slow look. */
class FileWatch {
  readonly #onChange: () => void;
  readonly #watchers = new Map<string, FSWatcher>();

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  set(paths: ReadonlySet<string>): void {
    for (const [path, watcher] of this.#watchers) if (!paths.has(path)) this.#drop(path, watcher);
    for (const path of paths) if (!this.#watchers.has(path)) this.#add(path);
  }

  close(): void {
    for (const [path, watcher] of this.#watchers) this.#drop(path, watcher);
  }

  #add(path: string): void {
    try {
      const watcher = watch(path, { persistent: false }, (event) => {
        // What was there is another file now, or none.
        if (event === 'rename') this.#drop(path, watcher);
        this.#onChange();
      });
      watcher.on('error', () => this.#drop(path, watcher));
      this.#watchers.set(path, watcher);
    } catch {
      // No such file, or no inotify watches left.
    }
  }

  #drop(path: string, watcher: FSWatcher): void {
    watcher.close();
    this.#watchers.delete(path);
  }
}

const CONTROL_FOLDERS = ['/etc/systemd/system.control', '/run/systemd/system.control'] as const;

function pathsToWatch({ paths, tree }: CpuHost, { facts, wanted }: AuditReport): ReadonlySet<string> {
  const mount = readLayout(paths).v2?.mount;
  const looked = new Set(wanted.units.map(({ unit }) => unit));
  const groups = [
    ...facts.units.filter(({ name }) => looked.has(name)).map(({ cgroup }) => cgroup),
    ...wanted.groups.map(({ path }) => path),
  ];
  const files = wanted.files.map(({ path }) => path.slice(0, path.lastIndexOf('/')));
  const controls = CONTROL_FOLDERS.flatMap((folder) => [folder, ...[...looked].map((unit) => `${folder}/${unit}.d`)]);
  return new Set([
    ...[...RECORD_FOLDERS, ...files, ...controls, '/etc/systemd/system', '/run/systemd/system'].map((path) =>
      tree.onHost(tree.follow(path)),
    ),
    ...(mount === undefined ? [] : [`${mount}/cgroup.subtree_control`]),
    ...groups
      .filter((group) => group !== '')
      .flatMap((group) => [`${mount}${group}/cpuset.cpus`, `${mount}${group}/cpuset.cpus.partition`]),
  ]);
}

/** Over losses of the bus: what came meanwhile is found by the look that follows. */
async function watchBus(link: SystemdLink, onEvent: () => void): Promise<() => void> {
  const listen = async (): Promise<void> => {
    const { manager } = await link.session();
    const { bus } = manager;
    const fromManager = { sender: SYSTEMD, path: MANAGER_PATH, interface: MANAGER_INTERFACE };
    const changes = {
      sender: SYSTEMD,
      pathNamespace: `${MANAGER_PATH}/unit`,
      interface: 'org.freedesktop.DBus.Properties',
      member: 'PropertiesChanged',
    };
    await Promise.all([
      manager.subscribe(),
      watchManager(bus, onEvent),
      bus.subscribe({ ...fromManager, member: 'UnitNew' }, onEvent),
      bus.subscribe({ ...fromManager, member: 'UnitRemoved' }, onEvent),
      bus.subscribe(changes, ({ path }) => {
        if (path.endsWith('_2eslice') || path.endsWith('/init_2escope')) onEvent();
      }),
    ]);
  };
  await listen();
  return link.wait({
    onReconnected: () => {
      listen().then(onEvent, (error: unknown) => {
        // The next loss or slow look will tell.
        if (!(error instanceof SlicectlError)) throw error;
      });
    },
    // The slow look says so.
    onGivenUp: onEvent,
  });
}
