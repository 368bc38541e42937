import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openTree, RootTree } from '../../src/host/root-tree.ts';

let root = '';

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'slicectl-tree-'));
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

it('reads no file that no parser would come to the end of', () => {
  writeFileSync(join(root, 'daemon.json'), '{}');
  expect(new RootTree(root).text('/daemon.json')).toBe('{}');
  truncateSync(join(root, 'daemon.json'), 1 << 30);
  expect(() => new RootTree(root).text('/daemon.json')).toThrow(
    expect.objectContaining({ code: 'E_FILE', message: '"/daemon.json" is larger than 16 MiB, which is not read' }),
  );
});

it('is this host without a root, and refuses one that is no folder', () => {
  expect(openTree(undefined).isHost).toBe(true);
  expect(openTree(root).root).toBe(root);
  writeFileSync(join(root, 'file'), '');
  for (const path of ['file', 'nowhere']) {
    expect(() => openTree(join(root, path))).toThrow(expect.objectContaining({ code: 'E_INPUT' }));
  }
});
