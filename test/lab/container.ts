import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Adapter } from './adapter.ts';
import { groupsOf, makeGroups, removeGroups } from './cgroups.ts';
import { treeOf } from './image.ts';
import { machineFolder, repository } from './paths.ts';
import { identify, isAlive, type ProcessId, signalProcess, sleep } from './process.ts';
import type { MachineRecord } from './record.ts';

/**
 * $1: an empty folder; $2: the cached tree; then the groups to enter, `--`, and a command that gets the tree's path
 * last. The tree of this boot is an overlay in a mount namespace that ends with this script. nspawn leaves with 133
 * when the container reboots.
 */
const bootScript = `
set -eu
folder=$1 lower=$2
shift 2
mount -t tmpfs -o mode=755 lab "$folder"
mkdir "$folder/upper" "$folder/work" "$folder/tree" "$folder/docker" "$folder/containerd" "$folder/containers"
mount -t overlay -o "lowerdir=$lower,upperdir=$folder/upper,workdir=$folder/work" lab "$folder/tree"
set +e
status=133
while [ $status -eq 133 ]; do
  sh -euc '
    while [ "$1" != -- ]; do echo 0 >"$1/cgroup.procs"; shift; done
    shift
    exec setpriv --pdeathsig TERM -- "$@"
  ' nspawn "$@" "--directory=$folder/tree"
  status=$?
done
exit $status
`;

/** Groups first, so that the process is where the container's PID 1 may take it from; then all namespaces. */
const enterScript = `
while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs" || exit 125; shift; done
shift
exec nsenter --target "$@"
`;

/**
 * What daemons that make containers need of theirs: system calls that nspawn denies, and folders for images that are
 * not on an overlay, which could not be the upper part of another one.
 */
const dockerArguments = (folder: string): string[] => [
  '--system-call-filter=@keyring bpf',
  '--bind=/dev/fuse',
  ...['docker', 'containerd', 'containers'].map((name) => `--bind=${folder}/${name}:/var/lib/${name}`),
];

const systemdRulesHere = (): boolean => existsSync('/run/systemd/system');

const nspawnTraces = (name: string): string => `/run/systemd/nspawn/propagate/${name}`;

export const container: Adapter = {
  bootTimeoutMs: 180_000,

  async start(spec, image) {
    const folder = join(machineFolder(spec.name), 'root');
    mkdirSync(folder);
    // Where systemd rules, nspawn asks it for a scope; elsewhere it stays in groups that we make and remove.
    const groups = systemdRulesHere() ? [] : makeGroups(`slicectl-lab-${spec.name}`);
    const nspawn = [
      'systemd-nspawn',
      '--quiet',
      '--boot',
      '--register=no',
      ...(systemdRulesHere() ? [] : ['--keep-unit']),
      `--machine=${spec.name}`,
      '--private-network',
      '--console=pipe',
      `--bind-ro=${repository}:/opt/slicectl`,
      `--bind-ro=${process.execPath}:/usr/local/bin/node`,
      ...(spec.flavour === 'docker' ? dockerArguments(folder) : []),
    ];
    const inside = ['sh', '-c', bootScript, 'boot', folder, treeOf(image), ...groups, '--', ...nspawn];
    return {
      argv: ['setpriv', '--pdeathsig', 'TERM', 'unshare', '--mount', '--propagation', 'private', '--', ...inside],
      env: { ...process.env, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: '1' },
      groups,
    };
  },

  async awake(record, signal) {
    while (initOf(record) === undefined && !signal.aborted) await sleep(50);
  },

  connections: () => [],

  stop(record) {
    const init = initOf(record) ?? record.host;
    if (init !== undefined) signalProcess(init, 'SIGKILL');
  },

  async clean(record) {
    removeGroups(record.groups);
    rmSync(nspawnTraces(record.name), { recursive: true, force: true });
  },

  ask(record, script) {
    const init = initOf(record);
    return init && ['nsenter', '--target', String(init.pid), '--all', '--', 'sh', '-c', script];
  },

  enter(record, user, script, argv) {
    const init = initOf(record);
    if (init === undefined) throw new Error(`lab: ${record.name} does not run`);
    const login = ['su', '--login', '--session-command', script, '--', user, 'sh', ...argv];
    return ['sh', '-c', enterScript, 'enter', ...groupsOf(init.pid), '--', String(init.pid), '--all', '--', ...login];
  },
};

/** nspawn's child, or the child of one, that is PID 1 of its own namespace; another one after a reboot. */
function initOf({ host }: MachineRecord): ProcessId | undefined {
  if (host === undefined || !isAlive(host)) return undefined;
  const children = childrenOf(host.pid);
  const init = [...children, ...children.flatMap(childrenOf)].find((pid) =>
    /^NSpid:.*\t1$/m.test(read(`/proc/${pid}/status`)),
  );
  return init === undefined ? undefined : identify(init);
}

function childrenOf(pid: number): number[] {
  return read(`/proc/${pid}/task/${pid}/children`).trim().split(' ').filter(Boolean).map(Number);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
