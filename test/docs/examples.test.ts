import { execFile } from 'node:child_process';
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readAssignments } from '../../src/core/limits.ts';
import { parseProfile } from '../../src/core/profile.ts';
import { Launcher, SlicectlError } from '../../src/index.ts';
import { type Consumer, makeConsumer } from './package.ts';

const DOCS = resolve(import.meta.dirname, '../../docs');
const EXAMPLES = join(DOCS, 'examples');
const named = (suffix: string): string[] => readdirSync(EXAMPLES).filter((name) => name.endsWith(suffix));
const MACHINE = { memory: 2n ** 30n, tasks: 1000n, pageSize: 4096n };

/** Why nothing can be launched here, or undefined. */
async function obstacle(): Promise<string | undefined> {
  try {
    const launcher = await Launcher.open();
    try {
      await launcher.plan('true', [], { limits: { MemoryMax: '64M', CPUQuota: '50%', TasksMax: 16 } });
      return undefined;
    } finally {
      launcher.close();
    }
  } catch (error) {
    if (error instanceof SlicectlError) return error.message;
    throw error;
  }
}

const lacking = await obstacle();

describe('the packed package', () => {
  let consumer: Consumer;
  beforeAll(() => {
    consumer = makeConsumer();
    for (const name of named('.ts')) copyFileSync(join(EXAMPLES, name), join(consumer.folder, name));
    for (const [index, text] of snippets().entries()) writeFileSync(join(consumer.folder, `snippet-${index}.ts`), text);
  }, 120_000);
  afterAll(() => consumer?.remove());

  it('has the library with its declarations, and no tests', () => {
    expect(consumer.packed).toContain('dist/index.js');
    expect(consumer.packed).toContain('dist/index.d.ts');
    expect(consumer.packed.filter((path) => !/^(dist|units|contrib)\/|^[A-Za-z]+(\.\w+)?$/.test(path))).toEqual([]);
  });

  it('compiles for a strict consumer, with every example and every piece of code in library.md', () => {
    expect(consumer.compile()).toBe('');
  }, 120_000);

  describe.skipIf(lacking !== undefined)(`runs on this host${lacking === undefined ? '' : `: ${lacking}`}`, () => {
    it.each(named('.ts'))('%s', async (name) => {
      const file = join(consumer.folder, `${basename(name, '.ts')}.js`);
      const { stdout, stderr } = await promisify(execFile)(process.execPath, [file], { timeout: 30_000 });
      expect(stderr).toBe('');
      expect(stdout).not.toBe('');
    }, 40_000);
  });
});

/** The TypeScript of library.md, each piece as a module of its own. */
function snippets(): string[] {
  const text = readFileSync(join(DOCS, 'library.md'), 'utf8');
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(([, code = '']) => code);
}

describe('profiles', () => {
  it.each(named('.ini'))('%s is one', (name) => {
    const assignments = parseProfile(readFileSync(join(EXAMPLES, name), 'utf8'), name);
    expect(readAssignments(assignments, MACHINE).size).toBeGreaterThan(0);
  });
});
