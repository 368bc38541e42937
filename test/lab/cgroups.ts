import { mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Where a container's groups live on this host: the cgroup2 mount and, on a hybrid host, name=systemd.
 * systemd-nspawn makes groups in these two and in no other.
 */
interface Hierarchy {
  readonly mount: string;
  /** The field of /proc/PID/cgroup that names it: empty for cgroup2. */
  readonly label: '' | 'name=systemd';
}

function hierarchies(): Hierarchy[] {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .flatMap((line): Hierarchy[] => {
      const [, mount = '', type, options = ''] = line.split(' ');
      if (type === 'cgroup2') return [{ mount, label: '' }];
      return type === 'cgroup' && options.split(',').includes('name=systemd') ? [{ mount, label: 'name=systemd' }] : [];
    });
}

/** The folders of the groups that a process is in, in the hierarchies that a container uses. */
export function groupsOf(pid: number | 'self'): string[] {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('\n');
  return hierarchies().flatMap(({ mount, label }) => {
    const line = lines.find((each) => each.split(':')[1] === label);
    return line === undefined ? [] : [join(mount, line.split(':').slice(2).join(':'))];
  });
}

/** Makes one group of this name below the caller's own in each hierarchy and says where. */
export function makeGroups(name: string): string[] {
  return groupsOf('self').map((parent) => {
    const folder = join(parent, name);
    mkdirSync(folder, { recursive: true });
    return folder;
  });
}

/** Removes groups that the lab made, with all below them, ending what still runs in them. */
export function removeGroups(folders: readonly string[]): void {
  for (const folder of folders) removeGroup(folder);
}

function removeGroup(folder: string): void {
  let entries: string[];
  try {
    entries = readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? entry.name : []));
  } catch {
    return;
  }
  for (const entry of entries) removeGroup(join(folder, entry));
  for (let attempt = 0; ; attempt++) {
    try {
      rmdirSync(folder);
      return;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return;
      if (code !== 'EBUSY' || attempt === 50) throw error;
      killMembers(folder);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  }
}

function killMembers(folder: string): void {
  const pids = readFileSync(join(folder, 'cgroup.procs'), 'utf8').split('\n').map(Number);
  for (const pid of pids.filter((each) => each > 1 && each !== process.pid)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Gone already.
    }
  }
}
