import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { apply } from '../../src/change/apply.ts';
import { removeFileStep } from '../../src/change/file-step.ts';
import { interrupted, listChanges, lockStore, readChange } from '../../src/change/journal.ts';
import type { Action, Plan, Step } from '../../src/change/plan.ts';
import { previewResume, previewUndo, resume, undo } from '../../src/change/undo.ts';
import { SlicectlError } from '../../src/core/errors.ts';
import { DISK, type Disk } from '../../src/host/disk.ts';
import { job, ModelHost, RELOAD, runsWith, turn } from './ground.ts';

let host = new ModelHost(mkdtempSync(join(tmpdir(), 'slicectl-apply-')));

beforeEach(() => {
  host = new ModelHost(mkdtempSync(join(tmpdir(), 'slicectl-apply-')));
  host.write('/etc/docker.conf', 'cgroupfs\n');
  host.start('docker');
});

afterEach(() => rmSync(host.root, { recursive: true, force: true }));

const dockerPlan = (): Plan =>
  host.plan(
    host.file('/etc/docker.conf', 'systemd\n'),
    job('restart', 'docker'),
    runsWith('docker', 'systemd\n', 'cgroupfs\n'),
  );

/** A disk on which the nth call of one kind fails. */
function failingDisk(call: keyof Disk, errno: string, from = 1): Disk {
  let count = 0;
  return new Proxy(DISK, {
    get(disk, name: keyof Disk) {
      if (name !== call) return disk[name];
      return (...args: never[]) => {
        count += 1;
        if (count >= from) throw Object.assign(new Error(errno), { code: errno });
        return (disk[name] as (...all: never[]) => unknown)(...args);
      };
    },
  });
}

async function errorOf(work: Promise<unknown>): Promise<Record<string, unknown>> {
  return work.then(
    () => ({}),
    (error: Record<string, unknown>) => error,
  );
}

describe('apply', () => {
  it('carries a plan out in its order and leaves nothing beside the files', async () => {
    const result = await apply(dockerPlan(), host.context());
    expect(result).toMatchObject({ state: 'applied', problems: [] });
    expect(host.text('/etc/docker.conf')).toBe('systemd\n');
    expect(host.unit('docker').config).toBe('systemd\n');
    expect(host.files()).toEqual(['docker.conf']);
    expect(listChanges(host.context().store)).toMatchObject([{ id: result.id, state: 'applied' }]);
  });

  it('removes a folder with its last file, keeps one that holds more, and has both back after an undo', async () => {
    mkdirSync(join(host.root, 'etc/own/deep'), { recursive: true });
    mkdirSync(join(host.root, 'etc/shared'));
    for (const path of ['/etc/own/deep/a', '/etc/shared/a', '/etc/shared/b']) host.write(path, 'x');
    const remove = (path: string, folders: readonly string[]) => removeFileStep(host.tree, path, 'a test', folders);
    const { id } = await apply(
      host.plan(remove('/etc/own/deep/a', ['/etc/own', '/etc/own/deep']), remove('/etc/shared/a', ['/etc/shared'])),
      host.context(),
    );
    expect(host.tree.list('/etc').toSorted()).toEqual(['docker.conf', 'shared']);
    expect(host.tree.list('/etc/shared')).toEqual(['b']);
    await undo(id, host.context());
    expect(host.text('/etc/own/deep/a')).toBe('x');
    expect(host.tree.list('/etc/shared').toSorted()).toEqual(['a', 'b']);
  });

  it('does nothing at all for a plan without steps', async () => {
    expect(await apply(host.plan(), host.context())).toEqual({ state: 'nothing', problems: [] });
    expect(existsSync(join(host.root, 'var'))).toBe(false);
  });

  it('refuses a plan with refusals and writes nothing', async () => {
    const plan = { ...dockerPlan(), refusals: [{ reason: 'pods run here', hint: 'drain the node' }] };
    expect(await errorOf(apply(plan, host.context()))).toMatchObject({
      code: 'E_REFUSED',
      message: 'pods run here',
      hint: 'drain the node',
    });
    expect(existsSync(join(host.root, 'var'))).toBe(false);
  });

  it.each([
    ['another content', () => host.write('/etc/docker.conf', 'mine\n')],
    ['no file', () => rmSync(join(host.root, 'etc/docker.conf'))],
    ['another mode', () => chmodSync(join(host.root, 'etc/docker.conf'), 0o600)],
  ])('refuses when it finds %s than the plan did, before any write', async (_, change) => {
    host.write('/etc/other.conf', 'a');
    const plan = host.plan(host.file('/etc/other.conf', 'b'), dockerPlan().steps);
    change();
    expect(await errorOf(apply(plan, host.context()))).toMatchObject({
      code: 'E_CHANGED',
      data: { conflicts: [{ path: '/etc/docker.conf' }] },
    });
    expect(host.text('/etc/other.conf')).toBe('a');
    expect(listChanges(host.context().store)).toEqual([]);
  });

  it('refuses when a link leads elsewhere than the plan found', async () => {
    mkdirSync(join(host.root, 'srv'));
    host.write('/srv/a', 'x');
    host.write('/srv/b', 'x');
    symlinkSync('/srv/a', join(host.root, 'etc/link'));
    const plan = host.plan(host.file('/etc/link', 'y'));
    rmSync(join(host.root, 'etc/link'));
    symlinkSync('/srv/b', join(host.root, 'etc/link'));
    expect(await errorOf(apply(plan, host.context()))).toMatchObject({ code: 'E_CHANGED' });
  });

  it('writes where a link leads and leaves the link', async () => {
    mkdirSync(join(host.root, 'srv'));
    host.write('/srv/real', 'x');
    symlinkSync('../srv/real', join(host.root, 'etc/link'));
    const { id } = await apply(host.plan(host.file('/etc/link', 'y')), host.context());
    expect(host.tree.link('/etc/link')).toBe('../srv/real');
    expect(host.text('/srv/real')).toBe('y');
    await undo(id, host.context());
    expect(host.tree.link('/etc/link')).toBe('../srv/real');
    expect(host.text('/srv/real')).toBe('x');
  });

  it('refuses a link in a folder that others can write', async () => {
    mkdirSync(join(host.root, 'open'));
    chmodSync(join(host.root, 'open'), 0o777);
    symlinkSync('/etc/docker.conf', join(host.root, 'open/link'));
    const plan = host.plan(host.file('/open/link', 'y'));
    expect(await errorOf(apply(plan, host.context()))).toMatchObject({
      code: 'E_FILE',
      message: expect.stringContaining('in a folder that others can write'),
    });
  });

  it('takes back what was done when a step fails, brings the unit back, and says so', async () => {
    const { ino } = statSync(join(host.root, 'etc/docker.conf'));
    const plan = host.plan(
      host.file('/etc/new/drop-in.conf', 'x'),
      RELOAD,
      host.file('/etc/docker.conf', 'broken\n'),
      job('restart', 'docker', ['docker.socket']),
      runsWith('docker', 'broken\n', 'cgroupfs\n'),
    );
    expect(await errorOf(apply(plan, host.context()))).toMatchObject({
      code: 'E_STEP',
      message: expect.stringMatching(
        /^restart docker \(step 4 of 5\) failed: .*; what was done before it was taken back$/,
      ),
      data: { step: 4, undone: true, remains: [], code: 'E_JOB_FAILED' },
    });
    expect(host.unit('docker')).toMatchObject({ activeState: 'active', config: 'cgroupfs\n' });
    expect(host.calls.slice(-4)).toEqual([
      'daemon-reload',
      'reset-failed docker',
      'reset-failed docker.socket',
      'restart docker',
    ]);
    expect(host.files()).toEqual(['docker.conf']);
    expect(statSync(join(host.root, 'etc/docker.conf')).ino).toBe(ino);
    expect(listChanges(host.context().store)).toMatchObject([{ state: 'failed-and-undone' }]);
  });

  it('takes back when a check finds something else', async () => {
    const plan = host.plan(dockerPlan().steps.slice(0, 2), runsWith('docker', 'other'));
    expect(await errorOf(apply(plan, host.context()))).toMatchObject({
      code: 'E_STEP',
      data: { undone: true, code: 'E_NOT_IN_FORCE' },
    });
    expect(host.unit('docker').config).toBe('cgroupfs\n');
  });

  it('says what remains when the way back fails too, and files are back all the same', async () => {
    const plan = host.plan(host.file('/etc/docker.conf', 'broken\n'), job('restart', 'docker'));
    host.onCall = (what) => {
      if (what === 'reset-failed docker') throw new Error('the bus is gone');
    };
    expect(await errorOf(apply(plan, host.context()))).toMatchObject({
      code: 'E_STEP',
      data: { undone: false, remains: ['restart docker: the bus is gone'] },
    });
    expect(host.text('/etc/docker.conf')).toBe('cgroupfs\n');
    expect(listChanges(host.context().store)).toMatchObject([{ state: 'failed-and-undone' }]);
  });

  it('ends before the next step when the caller says so, and takes back', async () => {
    const ending = new AbortController();
    host.onCall = (what) => what === 'restart docker' && ending.abort();
    const context = { ...host.context(), signal: ending.signal };
    expect(await errorOf(apply(dockerPlan(), context))).toMatchObject({
      code: 'E_STEP',
      data: { code: 'E_ABORTED', undone: true },
    });
    expect(host.unit('docker').config).toBe('cgroupfs\n');
  });

  it('says before which step somebody ended it, in the words of the reason', async () => {
    const ending = new AbortController();
    const reason = new SlicectlError('E_ABORTED', 'the change was ended by SIGINT');
    host.onCall = (what) => what === 'restart docker' && ending.abort(reason);
    const { message } = await errorOf(apply(dockerPlan(), { ...host.context(), signal: ending.signal }));
    expect(message).toMatch(
      /^the change was ended by SIGINT before step 3 of 3, check that [^;]*; what was done before/,
    );
  });

  it('goes on where progress can be shown to nobody', async () => {
    const onProgress = (): never => {
      throw new Error('the terminal is gone');
    };
    expect(await apply(dockerPlan(), { ...host.context(), onProgress })).toMatchObject({ state: 'applied' });
    expect(await undo(undefined, { ...host.context(), onProgress })).toMatchObject({ state: 'undone', problems: [] });
  });

  it.each([
    'renameSync',
    'linkSync',
    'fsyncSync',
    'fchmodSync',
    'unlinkSync',
  ] as const)('leaves the old files when %s fails at any moment', async (call) => {
    chmodSync(join(host.root, 'etc/docker.conf'), 0o600);
    for (let from = 1; ; from += 1) {
      const plan = host.plan(host.file('/etc/new/a.conf', 'x'), dockerPlan().steps);
      const disk = failingDisk(call, 'EIO', from);
      const error = await errorOf(apply(plan, host.context(disk)));
      if (Object.keys(error).length === 0) break;
      // The medium stays broken: what it kept from being taken back goes back once it works.
      if (interrupted(host.context().store)) await undo(undefined, host.context());
      expect(host.text('/etc/docker.conf')).toBe('cgroupfs\n');
      expect(host.files()).toEqual(['docker.conf']);
      expect(from).toBeLessThan(100);
    }
    expect(host.text('/etc/docker.conf')).toBe('systemd\n');
  });

  it('goes back from a full disk, which takes no space', async () => {
    let isFull = false;
    host.onCall = (what) => {
      isFull ||= what === 'restart docker';
    };
    // As a file system that reserves nothing: every byte that is written needs room, also over old ones.
    const disk = new Proxy(DISK, {
      get(real, name: keyof Disk) {
        if (name !== 'writeSync') return real[name];
        return (...args: Parameters<Disk['writeSync']>) => {
          if (isFull) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
          return real.writeSync(...args);
        };
      },
    });
    expect(await errorOf(apply(dockerPlan(), host.context(disk)))).toMatchObject({
      code: 'E_STEP',
      message: expect.stringContaining('no space left'),
    });
    expect(host.text('/etc/docker.conf')).toBe('cgroupfs\n');
    expect(host.files()).toEqual(['docker.conf']);
  });

  it('refuses while another one is at it, and names it', async () => {
    const lock = lockStore(host.context().store, 'align cgroup drivers');
    expect(await errorOf(apply(dockerPlan(), host.context()))).toMatchObject({
      code: 'E_LOCKED',
      message: expect.stringMatching(/process \d+, since .*: "align cgroup drivers"/),
    });
    lock.release();
    expect(await apply(dockerPlan(), host.context())).toMatchObject({ state: 'applied' });
  });

  it('refuses what runs nowhere: a unit step in a tree, and a check that nobody knows', async () => {
    const unknown: Step = { kind: 'check', check: 'never-heard-of', expect: {}, purpose: 'nothing' };
    expect(await errorOf(apply(host.plan(unknown), host.context()))).toMatchObject({ code: 'E_INPUT' });
    Object.defineProperty(host.tree, 'isHost', { value: false });
    expect(await errorOf(apply(dockerPlan(), host.context()))).toMatchObject({
      code: 'E_INPUT',
      message: expect.stringContaining('nobody can restart docker there'),
    });
  });
});

describe('undo', () => {
  it('takes an applied change back days later, also after a reboot', async () => {
    const { id } = await apply(dockerPlan(), host.context());
    host.reboot(['docker']);
    expect((await previewUndo(undefined, host.context())).plan.steps.map(({ kind }) => kind)).toEqual([
      'file',
      'unit',
      'check',
    ]);
    expect(await undo(undefined, host.context())).toEqual({ id, state: 'undone', problems: [] });
    expect(host.text('/etc/docker.conf')).toBe('cgroupfs\n');
    expect(host.unit('docker')).toMatchObject({ activeState: 'active', config: 'cgroupfs\n' });
    expect(await errorOf(undo(id, host.context()))).toMatchObject({ code: 'E_HISTORY' });
    expect(await errorOf(undo(undefined, host.context()))).toMatchObject({ code: 'E_HISTORY' });
  });

  it('refuses with all three versions where somebody changed the file since', async () => {
    const { id } = await apply(dockerPlan(), host.context());
    host.write('/etc/docker.conf', 'theirs\n');
    const error = await errorOf(undo(id, host.context()));
    expect(error).toMatchObject({ code: 'E_CHANGED', data: { id } });
    const [conflict] = (error.data as { conflicts: Record<string, { bytes: Uint8Array }>[] }).conflicts;
    const texts = ['before', 'ours', 'now'].map((side) => new TextDecoder().decode(conflict?.[side]?.bytes));
    expect(texts).toEqual(['cgroupfs\n', 'systemd\n', 'theirs\n']);
    expect(host.text('/etc/docker.conf')).toBe('theirs\n');
    expect(readChange(host.context().store, id ?? '').state).toBe('applied');
  });

  it('leaves a changed file as it is when asked to, and takes the rest back', async () => {
    host.write('/etc/other.conf', 'a');
    const { id } = await apply(host.plan(host.file('/etc/other.conf', 'b'), dockerPlan().steps), host.context());
    host.write('/etc/other.conf', 'theirs');
    const { state, problems } = await undo(id, host.context(), { keepChanged: true });
    expect({ state, problems }).toEqual({ state: 'undone', problems: [] });
    expect(host.text('/etc/other.conf')).toBe('theirs');
    expect(host.text('/etc/docker.conf')).toBe('cgroupfs\n');
  });

  it('restarts nothing for a change whose only file is kept', async () => {
    const { id } = await apply(dockerPlan(), host.context());
    host.write('/etc/docker.conf', 'theirs\n');
    const calls = host.calls.length;
    const { plan } = await previewUndo(id, host.context(), { keepChanged: true });
    expect(plan.steps).toEqual([]);
    expect(await undo(id, host.context(), { keepChanged: true })).toMatchObject({ state: 'undone', problems: [] });
    expect(host.calls.slice(calls)).toEqual([]);
    expect(host.text('/etc/docker.conf')).toBe('theirs\n');
  });

  it('says already before it asks that somebody is changing the host', async () => {
    await apply(dockerPlan(), host.context());
    const lock = lockStore(host.context().store, 'align cgroup drivers');
    expect(await errorOf(previewUndo(undefined, host.context()))).toMatchObject({ code: 'E_LOCKED' });
    expect(await errorOf(previewResume(undefined, host.context()))).toMatchObject({ code: 'E_LOCKED' });
    lock.release();
  });

  it('does not take an older change for the last one, whose record cannot be read', async () => {
    const { id } = await apply(dockerPlan(), host.context());
    const { id: last = '' } = await apply(host.plan(host.file('/etc/other.conf', 'a')), host.context());
    writeFileSync(join(host.context().store.folder, last, 'plan.json'), '{');
    expect(await errorOf(undo(undefined, host.context()))).toMatchObject({
      code: 'E_HISTORY',
      message: expect.stringContaining('the last change cannot be read'),
    });
    expect(await undo(id, host.context())).toMatchObject({ state: 'undone' });
  });

  it('is content with a file that is back already', async () => {
    const { id } = await apply(dockerPlan(), host.context());
    host.write('/etc/docker.conf', 'cgroupfs\n');
    expect(await undo(id, host.context())).toMatchObject({ state: 'undone', problems: [] });
  });

  it('keeps a mode that somebody gave the file since', async () => {
    const { id } = await apply(dockerPlan(), host.context());
    chmodSync(join(host.root, 'etc/docker.conf'), 0o600);
    await undo(id, host.context());
    expect(statSync(join(host.root, 'etc/docker.conf')).mode & 0o777).toBe(0o600);
  });

  it('refuses a change under a later one of the same file, and names that', async () => {
    const first = await apply(host.plan(host.file('/etc/docker.conf', 'a\n')), host.context());
    const second = await apply(host.plan(host.file('/etc/docker.conf', 'b\n')), host.context());
    expect(await errorOf(undo(first.id, host.context()))).toMatchObject({
      code: 'E_HISTORY',
      message: expect.stringContaining(second.id ?? 'none'),
      hint: expect.stringContaining(`slicectl undo ${second.id}`),
    });
    await undo(second.id, host.context());
    await undo(first.id, host.context());
    expect(host.text('/etc/docker.conf')).toBe('cgroupfs\n');
  });

  it('takes a file that was written twice back over both states', async () => {
    const first = host.file('/etc/docker.conf', 'one\n');
    const [step] = first;
    if (step?.kind !== 'file') throw new Error('no file step');
    const second: Step = {
      ...step,
      before: step.after,
      after: { ...step.after, bytes: Buffer.from('two\n') } as never,
    };
    const { id } = await apply(
      host.plan(first, job('reload', 'docker'), second, job('restart', 'docker')),
      host.context(),
    );
    expect(host.text('/etc/docker.conf')).toBe('two\n');
    await undo(id, host.context());
    expect(host.text('/etc/docker.conf')).toBe('cgroupfs\n');
    expect(host.unit('docker').config).toBe('cgroupfs\n');
  });

  it('brings the rest back and says so when a unit does not start again, and checks nothing of what is down', async () => {
    const { id } = await apply(dockerPlan(), host.context());
    host.onCall = (what) => {
      if (what === 'restart docker') throw new Error('no such unit any more');
    };
    const { state, problems } = await undo(id, host.context());
    expect(state).toBe('undone');
    expect(problems).toEqual(['restart docker: no such unit any more']);
  });
});

describe('an interrupted change', () => {
  /** As after SIGKILL: the change stops in the middle of a call, and nothing is taken back. */
  async function interruptAt(what: string, plan: Plan): Promise<string> {
    let isDead = false;
    const dead = () => {
      throw Object.assign(new Error('dead'), { code: 'EIO' });
    };
    host.onCall = (call) => {
      if (call === what) isDead = true;
      if (isDead) dead();
    };
    const disk = new Proxy(DISK, {
      get: (real, name: keyof Disk) => (isDead ? dead : real[name]),
    });
    await errorOf(apply(plan, host.context(disk)));
    host.onCall = () => undefined;
    const change = interrupted(host.context().store);
    if (change === undefined) throw new Error('nothing was interrupted');
    return change.id;
  }

  it('keeps apply from beginning also where its record cannot be read, and says what to do', async () => {
    const { id = '' } = await apply(dockerPlan(), host.context());
    const { folder } = host.context().store;
    const next = host.plan(host.file('/etc/other.conf', 'a'));
    writeFileSync(join(folder, id, 'plan.json'), '{');
    expect(await apply(next, host.context())).toMatchObject({ state: 'applied' });
    writeFileSync(join(folder, id, 'progress.jsonl'), '\n');
    expect(await errorOf(apply(host.plan(host.file('/etc/third.conf', 'a')), host.context()))).toMatchObject({
      code: 'E_HISTORY',
      message: expect.stringContaining(`nobody knows whether change ${id} is over`),
      hint: expect.stringContaining(join(folder, id)),
    });
  });

  it('keeps apply from beginning, and says where it was and both ways out', async () => {
    const id = await interruptAt('restart docker', dockerPlan());
    expect(await errorOf(apply(host.plan(host.file('/etc/x', 'y')), host.context()))).toMatchObject({
      code: 'E_INTERRUPTED',
      message: `the change ${id} (a test) was interrupted at step 2, restart docker`,
      hint: `take it back with slicectl undo ${id}, or finish it with slicectl resume ${id}`,
    });
  });

  it('is finished by resume', async () => {
    const id = await interruptAt('restart docker', dockerPlan());
    expect(await resume(undefined, host.context())).toEqual({ id, state: 'applied', problems: [] });
    expect(host.unit('docker').config).toBe('systemd\n');
    expect(host.files()).toEqual(['docker.conf']);
    expect(await errorOf(resume(id, host.context()))).toMatchObject({ code: 'E_HISTORY' });
  });

  it('is taken back by undo', async () => {
    const id = await interruptAt('restart docker', dockerPlan());
    expect(await undo(id, host.context())).toEqual({ id, state: 'undone', problems: [] });
    expect(host.unit('docker').config).toBe('cgroupfs\n');
    expect(host.files()).toEqual(['docker.conf']);
  });

  it('restarts on the way back what a reboot started with the new files before the change did', async () => {
    const plan = dockerPlan();
    await interruptAt('reload other', host.plan(plan.steps[0] ?? [], job('reload', 'other'), plan.steps.slice(1)));
    host.reboot(['docker']);
    expect(host.unit('docker').config).toBe('systemd\n');
    await undo(undefined, host.context());
    expect(host.unit('docker').config).toBe('cgroupfs\n');
  });

  it('leaves a unit alone on the way back that has not read the new files', async () => {
    const plan = dockerPlan();
    await interruptAt('reload other', host.plan(plan.steps[0] ?? [], job('reload', 'other'), plan.steps.slice(1)));
    await undo(undefined, host.context());
    expect(host.calls.filter((call) => call === 'restart docker')).toEqual([]);
  });

  it('stops again on resume what a reboot started', async () => {
    host.write('/etc/kubelet.conf', 'old\n');
    host.start('kubelet');
    const plan = host.plan(
      job('stop', 'kubelet'),
      host.file('/etc/kubelet.conf', 'new\n'),
      job('restart', 'docker'),
      job('start', 'kubelet'),
      runsWith('kubelet', 'new\n', 'old\n'),
    );
    await interruptAt('restart docker', plan);
    host.reboot(['kubelet']);
    await resume(undefined, host.context());
    expect(host.calls.filter((call) => call === 'stop kubelet')).toHaveLength(2);
    expect(host.unit('kubelet')).toMatchObject({ activeState: 'active', config: 'new\n' });
  });

  it('does again on resume the actions that a reboot forgot', async () => {
    const id = await interruptAt('restart docker', host.plan(turn('irq', 'all', 'few'), dockerPlan().steps));
    host.reboot(['docker']);
    expect(host.knob('irq')).toBe('all');
    expect(await resume(undefined, host.context())).toMatchObject({ id, state: 'applied', problems: [] });
    expect(host.knob('irq')).toBe('few');
    await undo(id, host.context());
    expect(host.knob('irq')).toBe('all');
  });

  it('reloads again on resume after actions that are done again, and not before them', async () => {
    const plan = host.plan(RELOAD, turn('irq', 'all', 'few'), RELOAD, job('restart', 'docker'));
    await interruptAt('restart docker', plan);
    const before = host.calls.length;
    await resume(undefined, host.context());
    expect(host.calls.slice(before)).toEqual(['turn irq to few', 'daemon-reload', 'restart docker']);
  });

  it('refuses both ways with E_CHANGED where somebody changed the file since, and undo can keep it', async () => {
    const id = await interruptAt('restart docker', dockerPlan());
    host.write('/etc/docker.conf', 'theirs\n');
    expect(await errorOf(undo(id, host.context()))).toMatchObject({ code: 'E_CHANGED' });
    expect(await errorOf(resume(id, host.context()))).toMatchObject({ code: 'E_CHANGED' });
    expect(await undo(id, host.context(), { keepChanged: true })).toMatchObject({ state: 'undone' });
    expect(host.text('/etc/docker.conf')).toBe('theirs\n');
    expect(interrupted(host.context().store)).toBeUndefined();
  });
});

describe('actions', () => {
  it('are carried out, and taken back to what was there, the last one first', async () => {
    const { id } = await apply(host.plan(turn('irq', 'all', 'few'), turn('cpus', 'all', 'few')), host.context());
    expect([host.knob('irq'), host.knob('cpus')]).toEqual(['few', 'few']);
    await undo(id, host.context());
    expect(host.calls.slice(-2)).toEqual(['turn cpus to all', 'turn irq to all']);
  });

  it('that are not as the plan found them keep it from beginning', async () => {
    host.setKnob('irq', 'none');
    const plan = host.plan(host.file('/etc/docker.conf', 'new\n'), turn('irq', 'all', 'few'));
    expect(await errorOf(apply(plan, host.context()))).toMatchObject({ code: 'E_CHANGED' });
    expect(host.text('/etc/docker.conf')).toBe('cgroupfs\n');
  });

  it('are taken back too when they fail half way', async () => {
    const failure = await errorOf(
      apply(host.plan(turn('irq', 'all', 'few'), turn('cpus', 'all', 'stuck')), host.context()),
    );
    expect(failure).toMatchObject({ code: 'E_STEP', message: expect.stringMatching(/turn cpus to stuck .*is stuck/) });
    expect([host.knob('irq'), host.knob('cpus')]).toEqual(['all', 'all']);
  });

  it('leave what somebody did since, and the change says that it is not back', async () => {
    const { id } = await apply(host.plan(turn('irq', 'all', 'few')), host.context());
    host.setKnob('irq', 'one');
    expect(await errorOf(undo(id, host.context()))).toMatchObject({
      code: 'E_STEP',
      message: expect.stringContaining('somebody turned the knob irq to one'),
    });
    expect(host.knob('irq')).toBe('one');
  });

  it('leave what somebody did since and are content with that where it is to be kept, also after an undo that was not', async () => {
    const steps = [
      ...host.file('/etc/docker.conf', 'systemd\n'),
      turn('irq', 'all', 'few'),
      turn('cpus', 'all', 'one'),
    ];
    const { id } = await apply(host.plan(steps), host.context());
    host.setKnob('irq', 'one');
    const stuck = await errorOf(undo(id, host.context()));
    expect(stuck.hint).toContain(`slicectl undo ${id} --keep-changed`);
    const kept = await undo(id, host.context(), { keepChanged: true });
    expect(kept).toMatchObject({ state: 'undone', problems: [expect.stringContaining('the knob irq to one')] });
    expect([host.knob('irq'), host.knob('cpus')]).toEqual(['one', 'all']);
    expect(host.text('/etc/docker.conf')).toBe('cgroupfs\n');
    expect(interrupted(host.context().store, false)).toBeUndefined();
  });

  it('are taken back after a boot that forgot them', async () => {
    const { id } = await apply(host.plan(turn('irq', 'all', 'few')), host.context());
    host.reboot([]);
    expect(await undo(id, host.context())).toMatchObject({ state: 'undone', problems: [] });
    expect(host.knob('irq')).toBe('all');
  });

  it('get on the way back what they noted before and after', async () => {
    const { id } = await apply(host.plan(turn('irq', 'all', 'few')), host.context());
    const given: unknown[] = [];
    const takeBack: Action['takeBack'] = async (_, facts) => void given.push(facts);
    const actions = { turn: { ...(host.actions.turn as Action), takeBack } };
    await undo(id, { ...host.context(), actions });
    expect(given).toEqual([{ was: 'all', turned: true }]);
  });

  it('under a later change of the same thing are not pulled away', async () => {
    const { id } = await apply(host.plan(turn('irq', 'all', 'few')), host.context());
    await apply(host.plan(turn('irq', 'few', 'one')), host.context());
    expect(await errorOf(undo(id, host.context()))).toMatchObject({
      code: 'E_HISTORY',
      message: expect.stringContaining('also changed the knob irq'),
    });
  });

  it('that nobody knows are refused', async () => {
    const unknown = { ...turn('irq', 'all', 'few'), action: 'never-heard-of' };
    expect(await errorOf(apply(host.plan(unknown), host.context()))).toMatchObject({
      code: 'E_INPUT',
      message: expect.stringContaining('the action "never-heard-of"'),
    });
  });
});
