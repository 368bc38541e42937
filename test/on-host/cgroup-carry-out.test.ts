import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Step } from '../../src/backend/backend.ts';
import { carryOut, THE_JOB } from '../../src/backend/carry-out.ts';
import { pidsIn, removeGroups } from '../../src/host/control-writes.ts';
import { HOST } from '../../src/host/paths.ts';
import { type Ground, HERE, NO_V2, openGround, read } from './cgroup-ground.ts';

/** Some controller that this machine has on v2; which one does not matter to the rule. */
const SHARED =
  HERE.v2 &&
  read(`${HERE.v2.mount}/cgroup.subtree_control`)
    .split(' ')
    .find((word) => word !== '');

describe.skipIf(NO_V2)(`carrying steps out${NO_V2 ? `: ${NO_V2}` : ''}`, () => {
  let ground: Ground;
  let base: string;
  const children: ChildProcess[] = [];
  beforeAll(() => {
    ground = openGround(2);
    base = ground.folder('v2');
  });
  afterAll(async () => {
    for (const child of children) child.kill('SIGKILL');
    await ground.close();
  });

  function inside(script: string): number {
    const child = spawn('sh', ['-c', `read go; ${script}`], { stdio: ['pipe', 'ignore', 'ignore'] });
    children.push(child);
    writeFileSync(`${base}/cgroup.procs`, `${child.pid}`);
    child.stdin.write('\n');
    return child.pid ?? 0;
  }

  const job = (pid: number, fresh: readonly string[]) => ({
    paths: HOST,
    roots: [],
    pid,
    fresh: new Set(fresh),
    clear: () => false,
  });

  it.skipIf(!SHARED)(
    `controllers go down only from a group without processes${SHARED ? '' : ': no controller is on v2 here'}`,
    async () => {
      const box = `${base}/box`;
      writeFileSync(`${base}/cgroup.subtree_control`, `+${SHARED}`);
      carryOut([{ do: 'make', path: box }], job(1, []));
      const pid = inside('sleep 60; true');
      writeFileSync(`${box}/cgroup.procs`, `${pid}`);
      const enable: Step = { do: 'write', path: `${box}/cgroup.subtree_control`, text: `+${SHARED}` };
      expect(() => carryOut([enable], job(1, []))).toThrow(/processes of its own.*EBUSY/);
      const leaf = `${box}/slicectl_supervisor.scope`;
      carryOut([{ do: 'make', path: leaf }, { do: 'move', path: leaf, what: box }, enable], job(1, []));
      expect(read(`${box}/cgroup.subtree_control`)).toBe(SHARED);
      expect(pidsIn(leaf)).toEqual([pid]);
      process.kill(pid, 'SIGKILL');
      await expect.poll(() => removeGroups(box)).toBe(true);
      writeFileSync(`${base}/cgroup.subtree_control`, `-${SHARED}`);
    },
  );

  it('empties a group whose processes keep forking', async () => {
    const pid = inside('while :; do (true) & (true); done');
    for (let n = 0; n < 5; n += 1) inside('sleep 60; true');
    await sleep(100);
    const leaf = `${base}/leaf`;
    const steps: Step[] = [
      { do: 'make', path: leaf },
      { do: 'move', path: leaf, what: base },
    ];
    carryOut(steps, job(pid, []));
    expect(pidsIn(base)).toEqual([]);
    expect(pidsIn(leaf)).toContain(pid);
    expect(pidsIn(leaf).length).toBeGreaterThanOrEqual(6);
  });

  it('takes back what it made when a step fails, the group of another one not', () => {
    const steps: Step[] = [
      { do: 'make', path: `${base}/leaf` },
      { do: 'make', path: `${base}/s.slice` },
      { do: 'make', path: `${base}/s.slice/job.scope` },
      { do: 'write', path: `${base}/s.slice/job.scope/cgroup.max.depth`, text: 'deep' },
      { do: 'move', path: `${base}/s.slice/job.scope`, what: THE_JOB },
    ];
    const path = `${base}/s.slice/job.scope/cgroup.max.depth`;
    expect(() => carryOut(steps, job(1, [`${base}/s.slice/job.scope`]))).toThrow(
      expect.objectContaining({ code: 'E_CGROUP', data: { path, value: 'deep', errno: 'EINVAL' } }),
    );
    expect(existsSync(`${base}/s.slice`)).toBe(false);
    expect(existsSync(`${base}/leaf`)).toBe(true);
  });

  it('refuses a job folder that is there already', () => {
    const steps: Step[] = [{ do: 'make', path: `${base}/leaf` }];
    expect(() => carryOut(steps, job(1, [`${base}/leaf`]))).toThrow(expect.objectContaining({ code: 'E_UNIT_EXISTS' }));
  });

  it('says that a process is gone', () => {
    const steps: Step[] = [
      { do: 'make', path: `${base}/gone.scope` },
      { do: 'move', path: `${base}/gone.scope`, what: THE_JOB },
    ];
    expect(() => carryOut(steps, job(4_194_303, [`${base}/gone.scope`]))).toThrow(
      expect.objectContaining({ code: 'E_GATE' }),
    );
    expect(existsSync(`${base}/gone.scope`)).toBe(false);
  });
});
