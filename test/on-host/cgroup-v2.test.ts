import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend } from '../../src/backend/backend.ts';
import { cgroupBackend } from '../../src/backend/cgroup.ts';
import { HOST } from '../../src/host/paths.ts';
import { type Ground, NO_V2, openGround, read, request, start } from './cgroup-ground.ts';

/** The tree's own operations. Limits need controllers on v2, which a hybrid host keeps on v1. */
describe.skipIf(NO_V2)(`plain cgroups v2 on this kernel${NO_V2 ? `: ${NO_V2}` : ''}`, () => {
  let ground: Ground;
  let backend: Backend;

  beforeAll(() => {
    ground = openGround(2);
    backend = cgroupBackend({ paths: HOST, uid: 0, layout: ground.layout, membership: ground.membership });
  });
  afterAll(() => ground.close());

  it('makes, fills and removes a group in slices', async () => {
    const { group, exited, plan } = await start(backend, request({}, { slice: 'a-b.slice' }), 'cat /proc/self/cgroup');
    expect((await exited).out).toMatch(new RegExp(`0::/slicectl-test.*/a\\.slice/a-b\\.slice/${plan.unit}\n`));
    expect(existsSync(`${ground.folder('v2')}/a.slice/a-b.slice/${plan.unit}`)).toBe(true);
    expect(await group.remove()).toBe(true);
    expect(existsSync(`${ground.folder('v2')}/a.slice`)).toBe(false);
  });

  it('keeps a slice that another job is in', async () => {
    const first = await start(backend, request({}, { slice: 'c.slice' }), 'sleep 60; true');
    const second = await start(backend, request({}, { slice: 'c.slice' }), 'sleep 60; true');
    await first.group.kill('SIGKILL');
    expect(await first.group.remove()).toBe(true);
    expect(existsSync(`${ground.folder('v2')}/c.slice`)).toBe(true);
    await second.group.kill('SIGKILL');
    expect(await second.group.remove()).toBe(true);
    expect(existsSync(`${ground.folder('v2')}/c.slice`)).toBe(false);
  });

  it('keeps a slice folder that an administrator made', async () => {
    mkdirSync(`${ground.folder('v2')}/own.slice`);
    const { group, exited } = await start(backend, request({}, { slice: 'own.slice' }), 'true');
    await exited;
    expect(await group.remove()).toBe(true);
    expect(await backend.sweep()).toEqual([]);
    expect(existsSync(`${ground.folder('v2')}/own.slice`)).toBe(true);
  });

  it('whenEmpty waits for the last process, not the first', async () => {
    const { group, exited } = await start(backend, request(), 'sleep 3 >/dev/null 2>&1 & exit 3');
    expect((await exited).code).toBe(3);
    expect(await group.remove()).toBe(false);
    expect(read(`${group.files.folder('pids')}/cgroup.events`)).toMatch(/^populated 1$/m);
    await group.whenEmpty();
    expect(read(`${group.files.folder('pids')}/cgroup.events`)).toMatch(/^populated 0$/m);
    expect(await group.remove()).toBe(true);
  });

  it('whenEmpty ends with its signal', async () => {
    const { group } = await start(backend, request(), 'sleep 60; true');
    await expect(group.whenEmpty(AbortSignal.timeout(50))).rejects.toThrow();
    await group.kill('SIGKILL');
    await group.whenEmpty();
    expect(await group.remove()).toBe(true);
  });

  it('freeze waits for frozen 1; SIGTERM reaches a frozen group, and it dies', async () => {
    const { group, pid, exited } = await start(backend, request(), 'while :; do :; done');
    const events = `${group.files.folder('pids')}/cgroup.events`;
    const ticks = () => Number(read(`/proc/${pid}/stat`).split(' ')[13]);
    await group.freeze();
    expect(read(events)).toMatch(/^frozen 1$/m);
    const before = ticks();
    await sleep(300);
    expect(ticks() - before).toBeLessThanOrEqual(1);
    await group.kill('SIGTERM');
    expect((await exited).signal).toBe('SIGTERM');
    expect(await group.remove()).toBe(true);
  });

  it('SIGKILL takes a frozen group with groups of its own', async () => {
    const { group, exited } = await start(
      backend,
      request({}, { unit: 'deep' }),
      `D=${ground.folder('v2')}/deep.scope/inner; mkdir $D; sleep 60 & echo $! > $D/cgroup.procs; wait`,
    );
    await expect.poll(() => existsSync(`${ground.folder('v2')}/deep.scope/inner`)).toBe(true);
    await group.freeze();
    await group.kill('SIGKILL');
    expect((await exited).signal).toBe('SIGKILL');
    expect(group.processes()).toEqual([]);
    expect(await group.remove()).toBe(true);
  });

  it('a limit whose controller is on v1 is refused with the way out, and left out with best effort', async () => {
    const hybrid = {
      ...ground.layout,
      v1: new Map([['memory', { mount: '/sys/fs/cgroup/memory', root: '/' }] as const]),
    };
    const { membership } = ground;
    const there = cgroupBackend({ paths: HOST, uid: 0, layout: hybrid, membership });
    await expect(there.plan(request({ MemoryMax: '1G' }))).rejects.toMatchObject({
      code: 'E_CONTROLLER',
      message: expect.stringContaining('mounted as cgroup v1 at /sys/fs/cgroup/memory'),
    });
    const plan = await there.plan(request({ MemoryMax: '1G', OOMPolicy: 'continue' }, { bestEffort: true }));
    expect(plan.limits.MemoryMax).toBeUndefined();
    expect(plan.notes).toHaveLength(1);
  });

  it('refuses a threaded base in words', async () => {
    const folder = `${ground.folder('v2')}/threads`;
    mkdirSync(folder);
    writeFileSync(`${folder}/cgroup.type`, 'threaded');
    const membership = { v2: `${ground.membership.v2}/threads`, v1: new Map() };
    const there = cgroupBackend({ paths: HOST, uid: 0, layout: ground.layout, membership });
    await expect(there.plan(request())).rejects.toMatchObject({
      code: 'E_CGROUP',
      message: expect.stringContaining('"threaded"'),
    });
  });
});
