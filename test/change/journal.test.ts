import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  interrupted,
  Journal,
  listChanges,
  lockStore,
  openStore,
  readChange,
  type Store,
} from '../../src/change/journal.ts';
import type { Plan } from '../../src/change/plan.ts';
import { RootTree } from '../../src/host/root-tree.ts';
import { readSelf } from '../../src/host/self.ts';

const PLAN: Plan = { title: 'a test', root: '/', steps: [], refusals: [], notes: [] };
const NOW = new Date('2026-11-21T23:57:47.123Z');

let root = '';
let store: Store;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'slicectl-journal-'));
  store = openStore(new RootTree(root), readSelf());
  lockStore(store, 'a test').release();
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

it('names a change by its second, and the next ones of that second with a number', () => {
  expect([1, 2, 3].map(() => Journal.create(store, PLAN, NOW).id)).toEqual([
    '20261121-235747',
    '20261121-235747-2',
    '20261121-235747-3',
  ]);
  expect(listChanges(store).map(({ id }) => id)).toHaveLength(3);
});

it('is in its order also beyond nine in one second', () => {
  const made = Array.from({ length: 11 }, () => Journal.create(store, PLAN, NOW).id);
  expect(listChanges(store).map(({ id }) => id)).toEqual(made);
});

it('is for nobody but its owner', () => {
  const { id } = Journal.create(store, PLAN, NOW);
  for (const path of ['', id, `${id}/plan.json`, `${id}/progress.jsonl`]) {
    expect(statSync(join(store.folder, path)).mode & 0o077).toBe(0);
  }
});

it('refuses a folder that others can read', () => {
  chmodSync(store.folder, 0o755);
  expect(() => lockStore(store, 'a test')).toThrow(/can be read or written by others/);
});

it.runIf(process.getuid?.() === 0)(
  'is not read where it belongs to somebody else, whose plans would be carried out',
  () => {
    const { id } = Journal.create(store, PLAN, NOW);
    chownSync(store.folder, 65534, 65534);
    for (const look of [() => listChanges(store), () => readChange(store, id), () => lockStore(store, 'a test')]) {
      expect(look).toThrow(expect.objectContaining({ code: 'E_FILE', message: expect.stringContaining('user 65534') }));
    }
  },
);

it('waits for nobody where a pipe lies in the place of a file', () => {
  const { id } = Journal.create(store, PLAN, NOW);
  const folder = join(store.folder, id);
  for (const path of [join(folder, 'plan.json'), join(folder, 'progress.jsonl')]) {
    const text = readFileSync(path);
    rmSync(path);
    execFileSync('mkfifo', [path]);
    expect(listChanges(store)).toMatchObject([{ id, problem: { code: 'E_FILE' }, isOver: false }]);
    rmSync(path);
    writeFileSync(path, text);
  }
  rmSync(join(store.folder, 'lock'));
  execFileSync('mkfifo', [join(store.folder, 'lock')]);
  expect(listChanges(store)).toMatchObject([{ id, state: 'interrupted' }]);
  expect(() => lockStore(store, 'a test')).toThrow(/not a regular file/);
});

it.each(['', undefined])('does not take a change for one that was never begun when its progress is %j', (text) => {
  const { id } = Journal.create(store, PLAN, NOW);
  const path = join(store.folder, id, 'progress.jsonl');
  rmSync(path);
  if (text !== undefined) writeFileSync(path, text);
  expect(listChanges(store)).toMatchObject([{ id, problem: { code: 'E_HISTORY' }, isOver: false }]);
});

it('goes on after a line that a power loss tore', () => {
  const journal = Journal.create(store, PLAN, NOW);
  journal.append({ event: 'started', what: 'apply' });
  journal.close();
  const path = join(store.folder, journal.id, 'progress.jsonl');
  const size = statSync(path).size;
  appendFileSync(path, '{"at":"2026","event":"ended","sta');
  const next = Journal.open(store, journal.id);
  next.append({ event: 'ended', state: 'undone', problems: [] });
  next.close();
  expect(readChange(store, journal.id)).toMatchObject({
    state: 'undone',
    progress: { lines: [{}, { event: 'ended' }] },
  });
  expect(statSync(path).size).toBeGreaterThan(size);
});

it('needs no more room for the lines of a change than it took at its beginning', () => {
  const journal = Journal.create(store, PLAN, NOW);
  const path = join(store.folder, journal.id, 'progress.jsonl');
  const { size } = statSync(path);
  for (let line = 0; line < 20; line += 1) journal.append({ event: 'back', step: line });
  expect(statSync(path).size).toBe(size);
  expect(readChange(store, journal.id).progress.lines).toHaveLength(20);
});

it('a change is interrupted when nobody holds the lock, and under way while somebody does', () => {
  const { id } = Journal.create(store, PLAN, NOW);
  expect(interrupted(store)?.id).toBe(id);
  const lock = lockStore(store, 'a test');
  expect(readChange(store, id).state).toBe('applying');
  expect(interrupted(store)).toBeUndefined();
  expect(interrupted(store, true)?.id).toBe(id);
  lock.release();
});

it('lists a change that cannot be read with the reason, among the others', () => {
  const { id } = Journal.create(store, PLAN, NOW);
  mkdirSync(join(store.folder, '20200101-000000'));
  writeFileSync(join(store.folder, '20200101-000000/plan.json'), 'no JSON');
  expect(listChanges(store)).toMatchObject([
    { id: '20200101-000000', problem: { code: 'E_HISTORY' } },
    { id, state: 'interrupted' },
  ]);
});

it.each(['20990101-000000', '../../etc', '', 'lock'])('there is no change %j', (id) => {
  expect(() => readChange(store, id)).toThrow(expect.objectContaining({ code: 'E_HISTORY' }));
});

it('a change that was never begun is none, and its folder goes with the next one', () => {
  mkdirSync(join(store.folder, '20200101-000000'));
  writeFileSync(join(store.folder, '20200101-000000/plan.json.new'), 'half');
  expect(listChanges(store)).toEqual([]);
  const { id } = Journal.create(store, PLAN, NOW);
  expect(listChanges(store).map((change) => change.id)).toEqual([id]);
  expect(() => statSync(join(store.folder, '20200101-000000'))).toThrow();
});

it("is a user's own for a user, and below the root for a tree", () => {
  const user = { uid: 1000, env: { HOME: '/home/a' }, cwd: '/', parentPid: 1 };
  expect(openStore(new RootTree(), user).folder).toBe('/home/a/.local/state/slicectl/journal');
  const state = { ...user, env: { HOME: '/home/a', XDG_STATE_HOME: '/s' } };
  expect(openStore(new RootTree(), state).folder).toBe('/s/slicectl/journal');
  const relative = { ...user, env: { HOME: '/home/a', XDG_STATE_HOME: 's' } };
  expect(openStore(new RootTree(), relative).folder).toBe('/home/a/.local/state/slicectl/journal');
  expect(() => openStore(new RootTree(), { ...user, env: {} })).toThrow(expect.objectContaining({ code: 'E_INPUT' }));
  expect(openStore(new RootTree(root), user).folder).toBe(join(root, 'var/lib/slicectl/journal'));
  expect(openStore(new RootTree(), { ...user, uid: 0 }).folder).toBe('/var/lib/slicectl/journal');
});

it('refuses a place where the kernel makes no folders', () => {
  const self = { uid: 1000, env: { XDG_STATE_HOME: '/proc/none/state' }, cwd: '/', parentPid: 1 };
  const lock = (): unknown => lockStore(openStore(new RootTree(), self), 'a test');
  expect(lock).toThrow(expect.objectContaining({ code: 'E_FILE' }));
});
