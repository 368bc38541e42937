import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseToml, removeToml, setToml, type TomlTable } from '../../../src/drivers/formats/toml.ts';

const RUNC = ['plugins', 'io.containerd.grpc.v1.cri', 'containerd', 'runtimes', 'runc'];

function lines(...text: readonly string[]): string {
  return `${text.join('\n')}\n`;
}

describe('reading', () => {
  it('gives a value with the line and column of its key and the range of its text', () => {
    const text = lines('version = 2', '', '[a."b.c"]', '  d = true # why');
    const entry = parseToml(text, 'x').get(['a', 'b.c', 'd']);
    expect(entry).toMatchObject({ value: true, line: 4, column: 3 });
    expect(text.slice(...(entry?.range ?? [0, 0]))).toBe('true');
  });

  it('gives a table at the place of its header, or of the first header that leads through it', () => {
    const document = parseToml(lines('[a.b]', 'x = 1', '[a]', 'y = 2'), 'x');
    expect(document.get(['a', 'b'])).toMatchObject({ value: { x: 1 }, line: 1, column: 4 });
    expect(document.get(['a'])).toMatchObject({ value: { b: { x: 1 }, y: 2 }, line: 1, column: 2 });
  });

  it('names what is directly below a table, in the order of the file', () => {
    const document = parseToml(lines('[p.b.c]', '[p]', 'a = 1', 'd.e = 2', 'f = { g = 1 }'), 'x');
    expect(document.keys(['p'])).toEqual(['b', 'a', 'd', 'f']);
    expect(document.keys(['p', 'f'])).toEqual(['g']);
    expect(document.keys(['p', 'a'])).toEqual([]);
    expect(document.get(['p', 'none'])).toBeUndefined();
  });

  it('reads arrays of tables, dates, large integers and keys that objects have by nature', () => {
    const text = lines(
      '[[r]]',
      'n = 1',
      '[[r]]',
      'n = 2',
      '[q]',
      'big = 9223372036854775807',
      'at = 1979-05-27T07:32:00Z',
      '[__proto__]',
      'toString = "x"',
    );
    const object = parseToml(text, 'x').toObject();
    expect(object.r).toEqual([{ n: 1 }, { n: 2 }]);
    expect(object.q).toEqual({ big: 9223372036854775807n, at: new Date('1979-05-27T07:32:00Z') });
    expect(Object.hasOwn(object, '__proto__')).toBe(true);
    expect(parseToml(text, 'x').get(['__proto__', 'toString'])?.value).toBe('x');
    expect(parseToml(text, 'x').get(['constructor'])).toBeUndefined();
  });

  it.each([
    ['a = 1\na = 2\n', '/etc/x.toml:2:1: a is defined twice'],
    ['[a."b"]\nx=1\n\n [a."b"]\n', '/etc/x.toml:4:5: [a."b"] is defined twice'],
    ['a = { b = 1 }\n[a.c]\n', '/etc/x.toml:2:2: [a.c] is defined twice'],
    ['a =\n\nb = 1\n', '/etc/x.toml:1:4: a value is missing'],
    ['<html>\n', '/etc/x.toml:1:1: unexpected character "<html>"'],
    ['a = "x\n', '/etc/x.toml:1:7: unterminated string constant'],
    ['a = 1 b = 2\n', '/etc/x.toml:1:7: must be a newline'],
    [`a = \${A}\n`, `/etc/x.toml:1:5: unexpected character "\${A}"`],
  ])('refuses %j', (text, message) => {
    expect(() => parseToml(text, '/etc/x.toml')).toThrow(expect.objectContaining({ code: 'E_SYNTAX', message }));
  });
});

describe('a file that is a template', () => {
  it.each(['{% if a %}\nb = 1\n', 'a = {{ b }}\n', `a = \${B}\n`])('is named so: %j', (text) => {
    expect(() => parseToml(text, 'x')).toThrow(expect.objectContaining({ hint: expect.stringMatching(/template/) }));
  });

  it('is not meant where the fault is in another line', () => {
    expect(() => parseToml('a = "{{ b }}"\nc d\n', 'x')).toThrow(expect.objectContaining({ hint: undefined }));
  });
});

describe('setting a value', () => {
  it.each([
    [
      'replaces a scalar alone',
      'a=1  # b\n[c]\n\td  =  false# e\n',
      ['c', 'd'],
      true,
      'a=1  # b\n[c]\n\td  =  true# e\n',
    ],
    ['keeps single quotes', "a = 'x'\n", ['a'], 'y', "a = 'y'\n"],
    ['keeps double quotes', 'a = "x"\n', ['a'], 'y"', 'a = "y\\""\n'],
    ['leaves an equal value as it is written', 'a = 0x10\n', ['a'], 16, 'a = 0x10\n'],
    ['replaces one of another type', "a = 'x'\n", ['a'], true, 'a = true\n'],
    ['sets one in an inline table', 'a = {b = {c=1}, d = 2}\n', ['a', 'b', 'c'], 5, 'a = {b = {c=5}, d = 2}\n'],
    ['adds one to an inline table', 'a = {b=1}\n', ['a', 'c'], true, 'a = {b=1, c=true}\n'],
    ['adds one to an empty inline table', 'a = {}\n', ['a', 'c', 'd'], true, 'a = { c.d = true }\n'],
    [
      'adds one by dots where dots made the table',
      '[p]\n  a . b = 1\nx=1\n',
      ['p', 'a', 'c', 'd'],
      2,
      '[p]\n  a . b = 1\n  a.c.d = 2\nx=1\n',
    ],
    ['adds one at the top', 'version = 2\n# end\n\n[a]\n', ['root'], '/x', 'version = 2\nroot = "/x"\n# end\n\n[a]\n'],
    ['adds one above the first table', '# head\n[a]\n', ['version'], 2, 'version = 2\n\n# head\n[a]\n'],
    [
      'keeps CRLF',
      'version = 2\r\n[a]\r\n  b = 1\r\n',
      ['a', 'c'],
      true,
      'version = 2\r\n[a]\r\n  b = 1\r\n  c = true\r\n',
    ],
    ['keeps a missing final newline', '[a]\nb = 1', ['a', 'c'], true, '[a]\nb = 1\nc = true'],
    ['keeps it for a new table, too', '[a]\r\nb = 1', ['a', 'c', 'd'], true, '[a]\r\nb = 1\r\n\r\n[a.c]\r\nd = true'],
    ['fills an empty file', '', ['a', 'b'], true, '[a]\nb = true\n'],
    ['follows a file of comments', '# one\n', ['a', 'b'], true, '# one\n\n[a]\nb = true\n'],
    [
      'puts a key below the header of an empty table',
      '[a]\n  [b] # b\n\n[c]\n  d = 1\n',
      ['b', 'x'],
      1,
      '[a]\n  [b] # b\n    x = 1\n\n[c]\n  d = 1\n',
    ],
  ] as const)('%s', (_, before, keys, value, after) => {
    expect(setToml(before, keys, value)).toBe(after);
    expect(setToml(after, keys, value)).toBe(after);
  });

  it('makes a table in the indentation, quoting and spacing of its neighbours', () => {
    const before = lines(
      'version = 2',
      '',
      '[plugins]',
      '',
      "  [plugins.'io.containerd.grpc.v1.cri'.containerd]",
      "    snapshotter = 'overlayfs'",
      '',
      "    [plugins.'io.containerd.grpc.v1.cri'.containerd.runtimes.runc]",
      "      runtime_type = 'io.containerd.runc.v2'",
      '      # pod_annotations = []',
      '',
      '  [plugins.other]',
    );
    const after = before.replace(
      '      # pod_annotations = []\n',
      lines(
        '      # pod_annotations = []',
        '',
        "      [plugins.'io.containerd.grpc.v1.cri'.containerd.runtimes.runc.options]",
        '        SystemdCgroup = true',
      ),
    );
    expect(setToml(before, [...RUNC, 'options', 'SystemdCgroup'], true)).toBe(after);
  });

  it('steps a child table in as other children of the file are', () => {
    const before = lines(
      '[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.nvidia]',
      '  runtime_type = "io.containerd.runc.v2"',
      '  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.nvidia.options]',
      '    BinaryName = "/usr/bin/nvidia"',
      '[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]',
      '  runtime_type = "io.containerd.runc.v2"',
    );
    expect(setToml(before, [...RUNC, 'options', 'SystemdCgroup'], true)).toBe(
      before +
        lines('  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]', '    SystemdCgroup = true'),
    );
  });

  it('leaves a comment with the header that it stands on', () => {
    const before = lines('[a.b]', 'x = 1', '# about c', '[c]', 'y = 1');
    expect(setToml(before, ['a', 'b', 'd', 'z'], 1)).toBe(
      lines('[a.b]', 'x = 1', '[a.b.d]', 'z = 1', '# about c', '[c]', 'y = 1'),
    );
  });

  it.each([
    ['a = 1\n', ['a', 'b'], 'a is not a table'],
    ['[a]\n', ['a'], 'a is a table, not a single value'],
    ['[a.b.c]\n', ['a', 'b'], 'a.b is a table, not a single value'],
    ['a = [1]\n', ['a'], 'a is an array, not a single value'],
    ['a = [{}]\n', ['a', 'b'], 'a is not a table'],
    ['[[a]]\n', ['a', 'b'], 'a.b is in an array of tables'],
  ])('refuses in %j to set %j', (text, keys, message) => {
    expect(() => setToml(text, keys, 1)).toThrow(expect.objectContaining({ code: 'E_INPUT', message }));
  });
});

describe('removing a key', () => {
  it.each([
    ['takes its line', 'a = 1\nb = 2 # two\nc = 3\n', ['b'], 'a = 1\nc = 3\n'],
    ['takes all lines of its value', 'a = [\n 1,\n]\r\nb = 1\n', ['a'], 'b = 1\n'],
    ['keeps a missing final newline', 'a = 1\r\nb = 2', ['b'], 'a = 1'],
    ['takes the comma of an inline table', 'a = { b = 1, c = 2, d = 3 }\n', ['a', 'c'], 'a = { b = 1, d = 3 }\n'],
    ['takes the comma before the last', 'a = { b = 1, c = 2 }\n', ['a', 'c'], 'a = { b = 1 }\n'],
    ['does nothing for a key that is absent', 'a = 1\n', ['b'], 'a = 1\n'],
  ])('%s', (_, before, keys, after) => {
    expect(removeToml(before, keys)).toBe(after);
  });
});

/** A document made of tables, in one of the styles that people write. */
interface Model {
  readonly text: string;
  readonly object: TomlTable;
}

const NAMES = ['a', 'b', 'runc', 'io.containerd.grpc.v1.cri', 'with space', '', 'é', '__proto__', 'x-y_1'];
const name = fc.constantFrom(...NAMES);
const scalar = fc.oneof(
  fc.boolean(),
  fc.integer(),
  fc.string(),
  fc.constantFrom('/usr/bin/runc', "it's", 'a"b\\c', '# no comment', '\t', '\u007f'),
);
const style = fc.record({
  eol: fc.constantFrom('\n', '\r\n'),
  indent: fc.constantFrom('', '  ', '\t'),
  quote: fc.constantFrom('"', "'"),
  equals: fc.constantFrom(' = ', '=', '   =  '),
  comment: fc.constantFrom('', ' # note = [x]', '\t# é "'),
  blank: fc.boolean(),
  final: fc.boolean(),
});
type Tree = { readonly [key: string]: Tree | string | number | boolean };
const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.dictionary(name, fc.oneof({ maxDepth: 3, withCrossShrink: true }, scalar, tie('tree')), {
    maxKeys: 4,
  }),
}));
/** How a table below another one is written. */
const forms = fc.infiniteStream(fc.constantFrom('header', 'header', 'inline', 'dotted'));

const model: fc.Arbitrary<Model> = fc.tuple(tree, style, forms).map(([object, how, stream]) => {
  const out: string[] = [];
  const key = (text: string): string =>
    /^[\w-]+$/.test(text) && text !== '' && !/[^\x20-\x7e]/.test(text) ? text : how.quote + text + how.quote;
  const inline = (value: Tree | string | number | boolean): string =>
    typeof value === 'object'
      ? `{${Object.entries(value)
          .map(([k, v]) => ` ${key(k)}${how.equals}${inline(v)}`)
          .join(',')} }`
      : JSON.stringify(value).replace('\u007f', '\\u007f');
  const write = (table: Tree, path: readonly string[], depth: number): void => {
    const later: (() => void)[] = [];
    const pad = how.indent.repeat(Math.max(0, depth));
    const pair = (keys: readonly string[], value: Tree | string | number | boolean): void => {
      out.push(`${pad}${keys.map(key).join('.')}${how.equals}${inline(value)}${how.comment}`);
    };
    const dotted = (keys: readonly string[], value: Tree): void => {
      for (const [k, v] of Object.entries(value)) {
        if (typeof v === 'object' && Object.keys(v).length > 0) dotted([...keys, k], v);
        else pair([...keys, k], v);
      }
    };
    for (const [k, value] of Object.entries(table)) {
      const form = typeof value === 'object' ? stream.next().value : 'inline';
      if (typeof value === 'object' && form === 'header') {
        later.push(() => {
          if (how.blank) out.push('');
          if (how.comment !== '') out.push(`${pad}#${how.comment}`);
          out.push(`${pad}[${[...path, k].map(key).join('.')}]${how.comment}`);
          write(value, [...path, k], depth + 1);
        });
      } else if (typeof value === 'object' && form === 'dotted' && Object.keys(value).length > 0) dotted([k], value);
      else pair([k], value);
    }
    for (const each of later) each();
  };
  write(object, [], 0);
  return { text: out.join(how.eol) + (how.final && out.length > 0 ? how.eol : ''), object: object as TomlTable };
});

/** The object with one value set, or undefined where a scalar is in the way. */
function withValue(object: TomlTable, [first = '', ...rest]: readonly string[], value: unknown): TomlTable | undefined {
  const at = Object.hasOwn(object, first) ? object[first] : undefined;
  const isTable = typeof at === 'object' && at !== null;
  if (rest.length === 0 && isTable) return undefined;
  if (rest.length > 0 && at !== undefined && !isTable) return undefined;
  const below = rest.length === 0 ? value : withValue((at ?? {}) as TomlTable, rest, value);
  if (below === undefined) return undefined;
  const entries = Object.entries(object).filter(([key]) => key !== first);
  return Object.fromEntries([...entries, [first, below]]) as TomlTable;
}

/** Compares what prototypes would hide: `__proto__` is a key here. */
function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  return Object.entries(value)
    .map(([key, below]) => [key, sorted(below)])
    .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
}

describe('any document', () => {
  it('is read as it was meant', () => {
    fc.assert(
      fc.property(model, ({ text, object }) => {
        expect(sorted(parseToml(text, 'x').toObject())).toEqual(sorted(object));
      }),
      { numRuns: 400 },
    );
  });

  it('is changed by one insertion or one replaced scalar, holds the value then, and does not change again', () => {
    fc.assert(
      fc.property(model, fc.array(name, { minLength: 1, maxLength: 4 }), scalar, ({ text, object }, keys, value) => {
        const expected = withValue(object, keys, value);
        if (expected === undefined) {
          expect(() => setToml(text, keys, value)).toThrow(expect.objectContaining({ code: 'E_INPUT' }));
          return;
        }
        const after = setToml(text, keys, value);
        expect(sorted(parseToml(after, 'x').toObject())).toEqual(sorted(expected));
        expect(setToml(after, keys, value)).toBe(after);
        const entry = parseToml(text, 'x').get(keys);
        const before = entry === undefined ? text : text.slice(0, entry.range[0]) + text.slice(entry.range[1]);
        let start = 0;
        while (start < before.length && before[start] === after[start]) start += 1;
        const tail = before.length - start;
        const isInsertion = tail === 0 || after.endsWith(before.slice(start));
        const isEmptyInline = /\{ *\}/.test(text);
        expect(isInsertion || isEmptyInline).toBe(true);
        expect(after.split('\n').every((line) => line.endsWith('\r')) || !after.includes('\r\n\n')).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('loses a removed key and nothing else', () => {
    fc.assert(
      fc.property(model, name, name, ({ text, object }, first, second) => {
        const table = Object.hasOwn(object, first) ? object[first] : undefined;
        const keys = typeof table === 'object' ? [first, second] : [first];
        const after = removeToml(text, keys);
        const isThere = parseToml(text, 'x').get(keys);
        if (isThere === undefined) expect(after).toBe(text);
        const holder = keys.length === 1 ? object : (table as TomlTable);
        const found = Object.hasOwn(holder, keys.at(-1) ?? '') ? holder[keys.at(-1) ?? ''] : undefined;
        if (found === undefined || typeof found === 'object') return;
        expect(parseToml(after, 'x').get(keys)).toBeUndefined();
        const back = withValue(parseToml(after, 'x').toObject(), keys, found);
        expect(sorted(back)).toEqual(sorted(object));
      }),
      { numRuns: 1000 },
    );
  });
});
