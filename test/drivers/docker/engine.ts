import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { SystemdLink } from '../../../src/backend/systemd-link.ts';
import type { DriverHost } from '../../../src/drivers/model.ts';
import type { LoadedUnit } from '../../../src/drivers/service/loaded.ts';
import type { TestTree } from '../trees.ts';

/** As Debian's package has it. */
export const UNIT = `[Unit]
Requires=docker.socket

[Service]
Type=notify
EnvironmentFile=-/etc/default/docker
ExecStart=/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock $DOCKER_OPTS
ExecReload=/bin/kill -s HUP $MAINPID
`;
export const UNIT_PATH = '/usr/lib/systemd/system/docker.service';
export const FILE = '/etc/docker/daemon.json';

export interface FakeContainer {
  readonly name: string;
  readonly running?: boolean;
  readonly restart?: string;
  readonly autoRemove?: boolean;
  readonly parent?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Its process's group. */
  readonly cgroup?: string;
}

export interface FakeEngine {
  readonly socket: string;
  /** `/info`, which a test may change. */
  info: Record<string, unknown>;
  containers: readonly FakeContainer[];
  /** Paths that were asked for. */
  readonly asked: string[];
  /** Answers nothing any more. */
  silent: boolean;
}

const idOf = (index: number): string => String(index + 1).padStart(64, 'c');

/** Docker's API on a socket of its own. */
export async function startEngine(
  socket: string,
  info: Readonly<Record<string, unknown>> = {},
  containers: readonly FakeContainer[] = [],
): Promise<FakeEngine> {
  const engine: FakeEngine = {
    socket,
    info: { ID: 'X', ServerVersion: '28.5.2', CgroupDriver: 'cgroupfs', LiveRestoreEnabled: false, ...info },
    containers,
    asked: [],
    silent: false,
  };
  const server: Server = createServer((request, response) => {
    const url = request.url ?? '';
    engine.asked.push(url);
    if (engine.silent) return;
    const body = answerTo(engine, url);
    response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body ?? { message: 'no such thing' }));
  });
  mkdirSync(dirname(socket), { recursive: true });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
    rmSync(socket, { force: true });
  });
  return engine;
}

function answerTo({ info, containers }: FakeEngine, url: string): unknown {
  if (url === '/info') return info;
  if (url.startsWith('/containers/json')) {
    return containers.flatMap(({ name, running = true }, index) =>
      running || url.endsWith('all=1') ? [{ Id: idOf(index), Names: [`/${name}`] }] : [],
    );
  }
  const index = containers.findIndex((_, at) => url === `/containers/${idOf(at)}/json`);
  const one = containers[index];
  return (
    one && {
      Id: idOf(index),
      Name: `/${one.name}`,
      State: { Running: one.running ?? true, Pid: one.running === false ? 0 : 5000 + index },
      HostConfig: {
        RestartPolicy: { Name: one.restart ?? 'no' },
        AutoRemove: one.autoRemove ?? false,
        CgroupParent: one.parent ?? '',
      },
      Config: { Labels: one.labels ?? {} },
    }
  );
}

export interface FakeProcess {
  readonly pid: number;
  readonly argv: readonly string[];
  readonly cgroup: string;
  readonly uid?: number;
  /** Pids in the namespaces below this one: those of a process in a container. */
  readonly inside?: string;
}

export interface FakeHost {
  readonly processes?: readonly FakeProcess[];
  readonly loaded?: Partial<LoadedUnit>;
  readonly uid?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Without it systemd does not run. */
  readonly systemd?: boolean;
  readonly v1?: boolean;
  readonly assumed?: Readonly<Record<string, string>>;
}

const LOADED: LoadedUnit = {
  id: 'docker.service',
  loadState: 'loaded',
  loadError: undefined,
  activeState: 'active',
  subState: 'running',
  result: 'success',
  mainPid: 700,
  needDaemonReload: false,
  fragmentPath: UNIT_PATH,
  dropInPaths: [],
  execStart: [],
  environment: [],
  environmentFiles: [],
  activeEnterTimestampMs: undefined,
  controlGroup: '/system.slice/docker.service',
};

/** The dockerd that docker.service runs, on a socket of its own. */
export function dockerd(socket: string, ...words: readonly string[]): FakeProcess {
  return {
    pid: 700,
    argv: ['/usr/sbin/dockerd', '-H', `unix://${socket}`, ...words],
    cgroup: '/system.slice/docker.service',
  };
}

/** A host with the files of a tree, whose /proc, /sys and /run are made up. */
export function fakeHost({ root, tree }: TestTree, host: FakeHost = {}): DriverHost {
  const { processes = [], loaded, uid = 0, env = {}, systemd = true, v1 = false, assumed = { docker: '28.5' } } = host;
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  const type = v1 ? 'cgroup cgroup rw,memory' : 'cgroup2 cgroup2 rw';
  write('/proc/self/mountinfo', `30 20 0:26 / /sys/fs/cgroup rw - ${type}\n`);
  for (const { pid, argv, cgroup, uid: owner = 0, inside = '' } of processes) {
    write(`/proc/${pid}/cmdline`, `${argv.join('\0')}\0`);
    write(`/proc/${pid}/cgroup`, `0::${cgroup}\n`);
    write(`/proc/${pid}/stat`, `${pid} (dockerd) S 1 ${'0 '.repeat(17)}42 0\n`);
    write(`/proc/${pid}/status`, `Uid:\t${owner}\t${owner}\t${owner}\t${owner}\nNSpid:\t${pid}${inside}\n`);
  }
  if (systemd) mkdirSync(join(root, 'run/systemd/system'), { recursive: true });
  const paths = { proc: join(root, 'proc'), sys: join(root, 'sys'), etc: join(root, 'etc'), run: join(root, 'run') };
  const unit = { ...LOADED, ...(processes.length === 0 && { mainPid: undefined, activeState: 'inactive' }), ...loaded };
  // readLoaded() gives what persist() resolves to.
  const link = { persist: () => Promise.resolve(unit) } as unknown as SystemdLink;
  return {
    tree,
    live: { paths, system: systemd ? link : undefined, user: systemd && uid > 0 ? link : undefined },
    assumed: new Map(Object.entries(assumed)),
    self: { uid, env, cwd: '/', parentPid: 1 },
  };
}
