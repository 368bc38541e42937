import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CgroupLayout } from '../../src/host/cgroups.ts';
import { controlFilesV1, controlFilesV2 } from '../../src/host/control-files.ts';
import { explainMissing } from '../../src/job/explain.ts';

const MANAGER = '/user.slice/user-1000.slice/user@1000.service';
const JOB = `${MANAGER}/app.slice/app-job.slice`;
const ALL = 'cpuset cpu io memory pids';

describe('the reason for a control file that is not there', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'slicectl-explain-'));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  /** Makes every group on the way to `path` and says which controllers each offers. */
  function tree(path: string, offered: (group: string) => string): ReturnType<typeof controlFilesV2> {
    const parts = path.split('/').filter(Boolean);
    for (let depth = 0; depth <= parts.length; depth += 1) {
      const group = `/${parts.slice(0, depth).join('/')}`;
      mkdirSync(join(root, group), { recursive: true });
      writeFileSync(join(root, group, 'cgroup.controllers'), `${offered(group)}\n`);
    }
    return controlFilesV2({ mount: root, root: '/' }, path);
  }

  it('is that nothing has the controller, where the top has none', () => {
    const { text, hint } = explainMissing(
      'AllowedCPUs=0',
      'cpuset',
      'cpuset.cpus',
      tree(JOB, () => ''),
    );
    expect(text).toBe(
      'AllowedCPUs=0 is not in force: the cpuset controller is not in / of cgroup v2: it is mounted as v1, disabled, or kept by the host',
    );
    expect(hint).toContain('cgroup_disable=');
  });

  it('is the missing delegation to the user manager, with the drop-in that cures it', () => {
    const files = tree(JOB, (group) => (group.startsWith(MANAGER) ? 'cpu memory pids' : ALL));
    const { text, hint } = explainMissing('AllowedCPUs=0', 'cpuset', 'cpuset.cpus', files);
    expect(text).toBe('AllowedCPUs=0 is not in force: the cpuset controller is not delegated to the user manager');
    expect(hint).toContain('/etc/systemd/system/user@.service.d/delegate.conf');
    expect(hint).toContain('Delegate=cpu cpuset io memory pids');
    expect(hint).toContain('systemctl restart user@1000.service');
  });

  it('is the same where the manager has the controller and does not hand it on, which a user cannot see from below', () => {
    const files = tree(JOB, (group) => (group.length > MANAGER.length ? 'memory pids' : ALL));
    expect(explainMissing('CPUQuota=5%', 'cpu', 'cpu.max', files).text).toContain('not delegated to the user manager');
  });

  it('is the group from which on the controller is not enabled, for a system unit', () => {
    const files = tree('/a.slice/a-b.slice', (group) => (group === '/a.slice/a-b.slice' ? '' : ALL));
    const { text } = explainMissing('MemoryMax=1G', 'memory', 'memory.max', files);
    expect(text).toBe(
      'MemoryMax=1G is not in force: the memory controller reaches /a.slice and is not enabled below it',
    );
  });

  it('is the kernel, where the group has the controller without the file', () => {
    const { text, hint } = explainMissing(
      'MemoryMax=1G',
      'memory',
      'memory.max',
      tree('/a.slice', () => ALL),
    );
    expect([text, hint]).toEqual([
      'MemoryMax=1G is not in force: this kernel has no memory.max',
      'leave it out, or give --best-effort',
    ]);
  });

  it('is the hierarchy on cgroup v1, or the kernel where the job has a group in it', () => {
    const layout: CgroupLayout = {
      mode: 'legacy',
      v2: undefined,
      v1: new Map([['memory', { mount: root, root: '/' }]]),
    };
    const files = controlFilesV1(layout, new Map([['memory', '/a']]));
    expect(explainMissing('AllowedCPUs=0', 'cpuset', 'cpuset.cpus', files).text).toContain(
      'the job has no group in a v1 hierarchy of the cpuset controller',
    );
    expect(explainMissing('MemoryMax=1G', 'memory', 'memory.max', files).text).toContain(
      'this kernel has no memory.max',
    );
  });
});
