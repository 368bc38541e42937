import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { fileStep, removeFileStep, sameState } from '../../src/change/file-step.ts';
import { RootTree } from '../../src/host/root-tree.ts';

let root = '';
let tree = new RootTree();

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'slicectl-step-'));
  tree = new RootTree(root);
  mkdirSync(join(root, 'etc'));
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

const bytes = (text: string) => new TextEncoder().encode(text);

it('a file that exists keeps its owner and mode', () => {
  writeFileSync(join(root, 'etc/a.conf'), 'old');
  chmodSync(join(root, 'etc/a.conf'), 0o640);
  const [step] = fileStep(tree, '/etc/a.conf', bytes('new'), 'a test');
  const { uid, gid } = statSync(join(root, 'etc/a.conf'));
  expect(step).toEqual({
    kind: 'file',
    path: '/etc/a.conf',
    target: '/etc/a.conf',
    before: { exists: true, bytes: bytes('old'), mode: 0o640, uid, gid },
    after: { exists: true, bytes: bytes('new'), mode: 0o640, uid, gid },
    purpose: 'a test',
  });
});

it('a new file gets 0644 and the owner of the closest folder that is there', () => {
  const [step] = fileStep(tree, '/etc/systemd/system/a.service.d/50-slicectl.conf', bytes('x'), 'a test');
  const { uid, gid } = statSync(join(root, 'etc'));
  expect(step?.before).toEqual({ exists: false });
  expect(step?.after).toMatchObject({ exists: true, mode: 0o644, uid, gid });
});

it('a file that is as it should be gives no step', () => {
  writeFileSync(join(root, 'etc/a.conf'), 'same');
  expect(fileStep(tree, '/etc/a.conf', bytes('same'), 'a test')).toEqual([]);
  expect(removeFileStep(tree, '/etc/absent', 'a test')).toEqual([]);
});

it('a step only for another mode is a step', () => {
  writeFileSync(join(root, 'etc/a.conf'), 'same');
  const [{ before }] = fileStep(tree, '/etc/a.conf', bytes('x'), 'a test') as never as [{ before: never }];
  expect(fileStep(tree, '/etc/a.conf', { ...(before as object), mode: 0o600 } as never, 'a test')).toHaveLength(1);
});

it('a link is followed below the root, and the target is what will be written', () => {
  mkdirSync(join(root, 'srv'));
  writeFileSync(join(root, 'srv/real.json'), '{}');
  symlinkSync('/srv/real.json', join(root, 'etc/daemon.json'));
  const [step] = fileStep(tree, '/etc/daemon.json', bytes('{"a":1}'), 'a test');
  expect(step).toMatchObject({ path: '/etc/daemon.json', target: '/srv/real.json' });
  const [removal] = removeFileStep(tree, '/etc/daemon.json', 'a test');
  expect(removal).toMatchObject({ target: '/srv/real.json', after: { exists: false } });
});

it('the step keeps its bytes when the maker reuses the buffer', () => {
  const buffer = bytes('abc');
  const [step] = fileStep(tree, '/etc/a.conf', buffer, 'a test');
  buffer.fill(0);
  expect(step?.after.exists && readable(step.after.bytes)).toBe('abc');
  expect(() => readFileSync(join(root, 'etc/a.conf'))).toThrow();
});

it('a path that does not begin at the root is refused', () => {
  expect(() => fileStep(tree, 'etc/a.conf', bytes(''), 'a test')).toThrow(/not an absolute path/);
});

it('states are alike only in all of content, mode and owner', () => {
  const state = { exists: true, bytes: bytes('a'), mode: 0o644, uid: 0, gid: 0 } as const;
  expect(sameState(state, { ...state, bytes: bytes('a') })).toBe(true);
  for (const other of [{ bytes: bytes('b') }, { mode: 0o600 }, { uid: 1 }, { gid: 1 }]) {
    expect(sameState(state, { ...state, ...other })).toBe(false);
  }
  expect(sameState(state, { exists: false })).toBe(false);
});

function readable(of: Uint8Array): string {
  return new TextDecoder().decode(of);
}
