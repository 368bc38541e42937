import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { buildSync } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cgroupBackend } from '../../src/backend/cgroup.ts';
import { HOST } from '../../src/host/paths.ts';
import { type Ground, NO_V1, NO_V2, openGround, read, request, start } from './cgroup-ground.ts';

/** The uid of nobody on every Linux distribution. */
const NOBODY = 65534;

interface Answer {
  readonly uid?: number;
  readonly units?: string[];
  readonly outs?: string[];
  readonly removed?: boolean[];
  readonly error?: string;
  readonly code?: string;
}

let folder: string;
const running = new Set<ChildProcess>();

beforeAll(() => {
  folder = mkdtempSync(`${tmpdir()}/slicectl-owner-`);
  chmodSync(folder, 0o755);
  buildSync({
    entryPoints: [new URL('./cgroup-owner.ts', import.meta.url).pathname],
    outfile: `${folder}/owner.mjs`,
    bundle: true,
    platform: 'node',
    format: 'esm',
  });
});
afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

async function owner(
  order: object,
  uid?: number,
  procs?: string,
): Promise<{ child: ChildProcess; answer: Answer; ended: Promise<unknown> }> {
  const child = spawn(process.execPath, [`${folder}/owner.mjs`, JSON.stringify(order)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    ...(uid !== undefined && { uid, gid: uid }),
  });
  running.add(child);
  if (procs) writeFileSync(procs, `${child.pid}`);
  child.stdin.write('\n');
  const ended = new Promise((resolve) => child.on('exit', resolve));
  const line = new Promise<string>((resolve) => createInterface({ input: child.stdout }).once('line', resolve));
  return { child, answer: JSON.parse(await line), ended };
}

for (const version of [1, 2] as const) {
  const reason = version === 1 ? NO_V1 : NO_V2;
  describe.skipIf(reason)(`groups of makers that are gone, v${version}${reason ? `: ${reason}` : ''}`, () => {
    let ground: Ground;
    const main = version === 1 ? ('freezer' as const) : ('v2' as const);
    beforeAll(() => {
      ground = openGround(version);
    });
    afterAll(() => ground.close());

    it('a sweep takes the empty groups of a dead maker, chosen names too, and leaves those of a living one', async () => {
      const { layout, membership } = ground;
      const backend = cgroupBackend({ paths: HOST, uid: 0, layout, membership });
      const base = `/${ground.folder(main).split('/').at(-1)}`;
      const jobs = [
        { limits: {}, script: 'true' },
        { unit: `chosen${version}`, limits: {}, script: 'true' },
      ];
      const dead = await owner({ version, base, jobs, tidy: false });
      const living = await owner({ version, base, jobs: [{ limits: {}, script: 'true' }], tidy: false });
      expect(dead.answer.units).toHaveLength(2);
      mkdirSync(`${ground.folder(main)}/foreign.scope`);
      expect(await backend.sweep()).toEqual([]);
      dead.child.kill('SIGKILL');
      await dead.ended;
      expect((await backend.sweep()).toSorted()).toEqual(dead.answer.units?.toSorted());
      const left = readdirSync(ground.folder(main), { withFileTypes: true }).filter((e) => e.isDirectory());
      expect(left.map(({ name }) => name).toSorted()).toEqual(['foreign.scope', living.answer.units?.[0]].toSorted());
      living.child.kill('SIGKILL');
      await living.ended;
      expect(await backend.sweep()).toEqual(living.answer.units);
    });

    it('a dead maker’s group with a process in it stays; its chosen name is free again once it is empty', async () => {
      const { layout, membership } = ground;
      const backend = cgroupBackend({ paths: HOST, uid: 0, layout, membership });
      const base = `/${ground.folder(main).split('/').at(-1)}`;
      const script = 'sleep 60 >/dev/null 2>&1 & true';
      const dead = await owner({ version, base, jobs: [{ unit: 'again', limits: {}, script }], tidy: false });
      dead.child.kill('SIGKILL');
      await dead.ended;
      expect(await backend.sweep()).toEqual([]);
      await expect(backend.plan(request({}, { unit: 'again' }))).rejects.toMatchObject({ code: 'E_UNIT_EXISTS' });
      const [pid] = read(`${ground.folder(main)}/again.scope/cgroup.procs`)
        .split('\n')
        .map(Number);
      if (pid) process.kill(pid, 'SIGKILL');
      await expect.poll(() => read(`${ground.folder(main)}/again.scope/cgroup.procs`)).toBe('');
      const { group, exited } = await start(backend, request({}, { unit: 'again' }), 'true');
      await exited;
      expect(await group.remove()).toBe(true);
      expect(existsSync(`${ground.folder(main)}/again.scope`)).toBe(false);
    });

    it('a tree that is mounted read-only is refused with the way out', async () => {
      const mounts = version === 2 ? [ground.layout.v2] : [...ground.layout.v1.values()];
      // In a mount namespace of its own, as a container has it.
      const close = [...new Set(mounts.map((hierarchy) => hierarchy?.mount))]
        .map((mount) => `mount --bind ${mount} ${mount} && mount -o remount,bind,ro ${mount}`)
        .join(' && ');
      const order = JSON.stringify({ version, base: '/', jobs: [{ limits: {}, script: 'true' }], tidy: true });
      const command = `${close} && echo | exec "$@"`;
      const out = execFileSync('unshare', [
        '-m',
        'sh',
        '-c',
        command,
        'sh',
        process.execPath,
        `${folder}/owner.mjs`,
        order,
      ]);
      expect(JSON.parse(out.toString())).toMatchObject({
        code: 'E_NO_CGROUP',
        error: expect.stringContaining('read-only'),
      });
    });

    it('another user works in groups that were handed to it, and is refused in others', async () => {
      const base = `/${ground.folder(main).split('/').at(-1)}`;
      const job = {
        limits: version === 1 ? { TasksMax: '9', MemoryMax: '32M' } : {},
        script: 'cat /proc/self/cgroup; id -u',
      };
      const refused = await owner({ version, base, jobs: [job], tidy: true }, NOBODY);
      expect(refused.answer.code).toBe('E_PRIVILEGE');
      const folders = version === 2 ? [ground.folder('v2')] : [...ground.layout.v1.keys()].map((c) => ground.folder(c));
      for (const at of new Set(folders))
        for (const file of ['', '/cgroup.procs', ...(version === 2 ? ['/cgroup.subtree_control'] : ['/tasks'])])
          chownSync(`${at}${file}`, NOBODY, NOBODY);
      const { answer, ended } = await owner(
        { version, base, jobs: [job], tidy: true },
        NOBODY,
        version === 2 ? `${ground.folder('v2')}/cgroup.procs` : undefined,
      );
      // On v2 a user moves processes only within what was handed over, so that the maker starts in there.
      expect(answer.uid).toBe(NOBODY);
      expect(answer.error).toBeUndefined();
      await ended;
      const [unit] = answer.units ?? [];
      expect(answer.outs?.[0]).toContain(`${base}/${unit}`);
      expect(answer.removed).toEqual([true]);
      expect(existsSync(`${ground.folder(main)}/${unit}`)).toBe(false);
    });
  });
}
