import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
const SRC = join(ROOT, 'src');
const MOST_LINES = 400;

/** What each layer may import besides itself, lowest layer first. Whatever is not named here is up or sideways. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  host: ['core'],
  dbus: ['core'],
  backend: ['core', 'host', 'dbus'],
  change: ['core', 'host', 'dbus', 'backend'],
  job: ['core', 'host', 'dbus', 'backend'],
  drivers: ['core', 'host', 'dbus', 'backend', 'change', 'job'],
  cpus: ['core', 'host', 'dbus', 'backend', 'change', 'job', 'drivers'],
  'index.ts': ['core', 'host', 'dbus', 'backend', 'job'],
  cli: ['core', 'host', 'dbus', 'backend', 'change', 'job', 'drivers', 'cpus', 'index.ts'],
};

/** Files outside src/cli that touch `process`, each with the reason. */
const PROCESS_USERS: Readonly<Record<string, string>> = {
  'host/self.ts':
    'a caller of the library need not say its uid, environment and folder: they are read in this one place',
  'host/signals.ts': 'kill(2) is reached through process.kill alone',
};

/** Globals by which a module reaches the clock, chance, the network or the terminal; `core` has none of them. */
const IMPURE = new Set([
  'process',
  'console',
  'Date',
  'performance',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'fetch',
  'crypto',
  'globalThis',
]);

interface Import {
  readonly specifier: string;
  readonly line: number;
}

interface Source {
  /** Relative to src/. */
  readonly path: string;
  readonly layer: string;
  readonly lines: number;
  readonly imports: readonly Import[];
  /** Names that are used as a global: not a property, not a declaration of the file. */
  readonly globals: ReadonlyMap<string, number>;
}

function layerOf(path: string): string {
  return path.split('/')[0] ?? path;
}

function readSource(path: string, text: string): Source {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const lineAt = (position: number): number => file.getLineAndCharacterOfPosition(position).line + 1;
  const declared = new Set<string>();
  const globals = new Map<string, number>();
  const visit = (node: ts.Node): void => {
    const isDeclaration =
      ts.isVariableDeclaration(node) ||
      ts.isParameter(node) ||
      ts.isBindingElement(node) ||
      ts.isFunctionDeclaration(node);
    if ((isDeclaration || ts.isImportSpecifier(node)) && node.name && ts.isIdentifier(node.name)) {
      declared.add(node.name.text);
    }
    if (ts.isIdentifier(node) && isUse(node) && !globals.has(node.text))
      globals.set(node.text, lineAt(node.getStart()));
    ts.forEachChild(node, visit);
  };
  visit(file);
  for (const name of declared) globals.delete(name);
  const imports = ts.preProcessFile(text, true, true).importedFiles;
  return {
    path,
    layer: layerOf(path),
    lines: text.split('\n').length - (text.endsWith('\n') ? 1 : 0),
    imports: imports.map(({ fileName, pos }) => ({ specifier: fileName, line: lineAt(pos) })),
    globals,
  };
}

/** Whether the identifier is read as a value: `process.env`, not `child.process` nor `{ process: 1 }` nor a type's member. */
function isUse(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isQualifiedName(parent) || ts.isTypeReferenceNode(parent) || ts.isTypeQueryNode(parent)) return false;
  if (ts.isImportSpecifier(parent) || ts.isExportSpecifier(parent)) return false;
  if (ts.isShorthandPropertyAssignment(parent)) return true;
  return !('name' in parent && parent.name === node);
}

const SOURCES: readonly Source[] = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .sort()
  .map((path) => readSource(path, readFileSync(join(SRC, path), 'utf8')));

const isBuiltin = (specifier: string): boolean => specifier.startsWith('node:') || builtinModules.includes(specifier);
const isRelative = (specifier: string): boolean => specifier.startsWith('.');

/** `@scope/name/deep` → `@scope/name`. */
function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/** Arrows that go up or sideways, or out of src/. */
function wrongArrows({ path, layer, imports }: Source): string[] {
  return imports.flatMap(({ specifier, line }) => {
    if (!isRelative(specifier)) return [];
    const target = relative(SRC, resolve(SRC, dirname(path), specifier));
    const below = layerOf(target);
    if (below === layer || MAY_IMPORT[layer]?.includes(below)) return [];
    return [`src/${path}:${line} imports ${target.startsWith('..') ? target : `src/${target}`}`];
  });
}

function globalsAmong({ path, globals }: Source, names: ReadonlySet<string>): string[] {
  return [...globals].filter(([name]) => names.has(name)).map(([name, line]) => `src/${path}:${line} uses ${name}`);
}

function importsThat({ path, imports }: Source, wrong: (specifier: string) => boolean): string[] {
  return imports.filter((found) => wrong(found.specifier)).map((i) => `src/${path}:${i.line} imports ${i.specifier}`);
}

describe('the house', () => {
  it('has no room that the layers do not know', () => {
    expect(SOURCES.map(({ layer }) => layer).filter((layer) => !(layer in MAY_IMPORT))).toEqual([]);
    expect(SOURCES.length).toBeGreaterThan(20);
  });

  it('has only arrows that go down', () => {
    expect(SOURCES.flatMap(wrongArrows)).toEqual([]);
  });

  it('has no file of more than 400 lines', () => {
    const long = SOURCES.filter(({ lines }) => lines > MOST_LINES);
    expect(long.map(({ path, lines }) => `src/${path} has ${lines} lines`)).toEqual([]);
  });

  it('imports only packages that package.json has among its dependencies', () => {
    const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
    };
    const isForeign = (specifier: string): boolean =>
      !isRelative(specifier) && !isBuiltin(specifier) && !(packageOf(specifier) in dependencies);
    expect(SOURCES.flatMap((source) => importsThat(source, isForeign))).toEqual([]);
  });

  it('names builtin modules by node:', () => {
    const isBare = (specifier: string): boolean => builtinModules.includes(specifier) && !specifier.startsWith('node:');
    expect(SOURCES.flatMap((source) => importsThat(source, isBare))).toEqual([]);
  });

  it('has one file that knows dbus-next, below src/dbus', () => {
    const importers = SOURCES.filter(({ imports }) => imports.some((i) => packageOf(i.specifier) === 'dbus-next'));
    expect(importers.map(({ layer }) => layer)).toEqual(['dbus']);
  });

  it('has a pure core: no builtin module, no clock, no process', () => {
    const core = SOURCES.filter(({ layer }) => layer === 'core');
    expect(core.flatMap((source) => importsThat(source, isBuiltin))).toEqual([]);
    expect(core.flatMap((source) => globalsAmong(source, IMPURE))).toEqual([]);
  });

  it('touches process only in src/cli, and where a reason is given', () => {
    const others = SOURCES.filter(({ layer, path }) => layer !== 'cli' && !(path in PROCESS_USERS));
    const reach = new Set(['process', 'globalThis']);
    expect(others.flatMap((source) => globalsAmong(source, reach))).toEqual([]);
    const isProcess = (specifier: string): boolean => /^(node:)?process$/.test(specifier);
    expect(others.flatMap((source) => importsThat(source, isProcess))).toEqual([]);
  });

  it('gives no reason for a file that touches process no more', () => {
    const touching = SOURCES.filter(({ globals }) => globals.has('process')).map(({ path }) => path);
    expect(Object.keys(PROCESS_USERS).filter((path) => !touching.includes(path))).toEqual([]);
  });

  it('prints only in src/cli', () => {
    const others = SOURCES.filter(({ layer }) => layer !== 'cli');
    expect(others.flatMap((source) => globalsAmong(source, new Set(['console'])))).toEqual([]);
  });
});

describe('the walk itself', () => {
  it.each([
    ['core/a.ts', "import { x } from '../host/x.ts';", 'src/core/a.ts:1 imports src/host/x.ts'],
    ['core/b/a.ts', "import type { X } from '../../cli/x.ts';", 'src/core/b/a.ts:1 imports src/cli/x.ts'],
    ['dbus/a.ts', "\nexport { x } from '../host/x.ts';", 'src/dbus/a.ts:2 imports src/host/x.ts'],
    ['job/a.ts', "const x = await import('../change/x.ts');", 'src/job/a.ts:1 imports src/change/x.ts'],
    ['drivers/a.ts', "import '../cpus/x.ts';", 'src/drivers/a.ts:1 imports src/cpus/x.ts'],
    ['job/a.ts', "import '../index.ts';", 'src/job/a.ts:1 imports src/index.ts'],
    ['index.ts', "export * from './cli/x.ts';", 'src/index.ts:1 imports src/cli/x.ts'],
    ['host/a.ts', "import '../../test/x.ts';", 'src/host/a.ts:1 imports ../test/x.ts'],
  ])('in %s sees the wrong arrow of %j', (path, text, arrow) => {
    expect(wrongArrows(readSource(path, text))).toEqual([arrow]);
  });

  it.each([
    ['core/properties/a.ts', "import { x } from '../errors.ts';"],
    ['cli/commands/run.ts', "import { x } from '../../index.ts';"],
    ['index.ts', "export { x } from './job/x.ts';"],
    ['drivers/a.ts', "import '../change/x.ts';"],
  ])('in %s lets pass %j', (path, text) => {
    expect(wrongArrows(readSource(path, text))).toEqual([]);
  });

  it.each([
    'process.env.HOME',
    'const { pid } = process',
    'f({ process })',
    'typeof process',
    'x[process.pid]',
  ])('sees the process of %j', (text) => {
    expect(readSource('host/a.ts', text).globals.has('process')).toBe(true);
  });

  it.each([
    'child.process',
    'const x = { process: 1 }',
    'interface A { process: number }',
    'f(process => process.pid)',
  ])('takes %j for a name of its own', (text) => {
    expect(readSource('host/a.ts', text).globals.has('process')).toBe(false);
  });
});
