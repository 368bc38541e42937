import { beforeAll, describe, expect, it } from 'vitest';
import { type Machine, machine } from './machine.ts';

/** A container as Docker makes it: own namespaces of cgroups and mounts, a writable cgroup2 mount, no systemd. */
const CONTAINER = [
  'systemd-run --scope --quiet --property="Delegate=cpu cpuset io memory pids"',
  'unshare --cgroup --mount sh -c',
].join(' ');
const INSIDE =
  'umount --recursive /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup; mount -t tmpfs tmpfs /run; ';

describe('inside a container without systemd', () => {
  let place: Machine;

  beforeAll(async () => {
    place = await machine('v2-257.container');
  });

  const inside = (script: string) => place.exec(['sh', '-c', `${CONTAINER} '${INSIDE}${script}'`]);

  it('limits on plain cgroups, and moves the processes of the root of the namespace out of the way', async () => {
    const ended = await inside(
      'slicectl run --memory 8M --swap 0 --json -- tail /dev/zero; cat /proc/self/cgroup; ls /sys/fs/cgroup',
    );
    const receipt = JSON.parse(ended.stderr.split('\n').find((line) => line.startsWith('{')) ?? 'null');
    expect(receipt?.backend.kind, ended.stderr).toBe('cgroup-v2');
    expect(receipt.cause).toMatch(/^killed: MemoryMax=8M of the job was reached/);
    expect(ended.stdout).toMatch(/^0::\/slicectl_supervisor/m);
    expect(ended.stdout).not.toMatch(/^slicectl_(?!supervisor)/m);
  });

  it('refuses a read-only cgroup tree with the way out', async () => {
    const ended = await inside('mount -o remount,ro,bind /sys/fs/cgroup; slicectl run --memory 8M -- true; echo $?');
    expect(ended.stdout).toBe('125\n');
    expect(ended.stderr).toMatch(/^slicectl: .*read-only/m);
  });
});
