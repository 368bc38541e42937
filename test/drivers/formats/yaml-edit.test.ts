import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseYaml } from '../../../src/drivers/formats/yaml.ts';
import { setYaml } from '../../../src/drivers/formats/yaml-edit.ts';

const set = (text: string, value = 'systemd'): string => setYaml(text, ['cgroupDriver'], value);

describe('setting a value that is there', () => {
  it.each([
    ['cgroupDriver: cgroupfs\n', 'cgroupDriver: systemd\n'],
    ['cgroupDriver:   "cgroupfs"   # why\r\nx: 1\r\n', 'cgroupDriver:   "systemd"   # why\r\nx: 1\r\n'],
    ["cgroupDriver: 'cgroupfs'", "cgroupDriver: 'systemd'"],
    ['cgroupDriver:\n  cgroupfs\n', 'cgroupDriver:\n  systemd\n'],
    ['cgroupDriver:\nx: 1\n', 'cgroupDriver: systemd\nx: 1\n'],
    ['cgroupDriver:  # c\nx: 1\n', 'cgroupDriver: systemd  # c\nx: 1\n'],
    ['cgroupDriver: ~\n', 'cgroupDriver: systemd\n'],
    ['cgroupDriver: |-\n  cgroupfs\nx: 1\n', 'cgroupDriver: systemd\nx: 1\n'],
    ['cgroupDriver: >\n  cgroupfs', 'cgroupDriver: systemd'],
    ['cgroupDriver: [cgroupfs]\n', 'cgroupDriver: systemd\n'],
    ['cgroupDriver:\n- cgroupfs\nx: 1\n', 'cgroupDriver: systemd\nx: 1\n'],
    ['cgroupDriver:\n  a: b\n\nx: 1\n', 'cgroupDriver: systemd\n\nx: 1\n'],
    ['"cgroupDriver": cgroupfs\n', '"cgroupDriver": systemd\n'],
    ['{cgroupDriver: cgroupfs, x: 1}', '{cgroupDriver: systemd, x: 1}'],
    ['{x: 1, cgroupDriver: }', '{x: 1, cgroupDriver: systemd }'],
    ['x: &d cgroupfs\ncgroupDriver: *d\n', 'x: &d cgroupfs\ncgroupDriver: systemd\n'],
    ['cgroupDriver: a\ncgroupDriver: b\n', 'cgroupDriver: a\ncgroupDriver: systemd\n'],
    ['#cgroupDriver: "systemd"\ncgroupDriver: "cgroupfs"\n', '#cgroupDriver: "systemd"\ncgroupDriver: "systemd"\n'],
    ['---\ncgroupDriver: cgroupfs\n...\n', '---\ncgroupDriver: systemd\n...\n'],
    ['cgroupDriver: cgroupfs\n---\ncgroupDriver: x\n', 'cgroupDriver: systemd\n---\ncgroupDriver: x\n'],
    ['{\n\t"cgroupDriver" : "cgroupfs"\n}\n', '{\n\t"cgroupDriver" : "systemd"\n}\n'],
    ['\ufeffcgroupDriver: cgroupfs\n', '\ufeffcgroupDriver: systemd\n'],
  ])('%j', (before, after) => {
    expect(set(before)).toBe(after);
    expect(set(after)).toBe(after);
  });

  it('keeps a value of text that YAML takes for something else in quotes', () => {
    expect(setYaml('a: b\n', ['a'], 'on')).toBe('a: "on"\n');
    expect(setYaml('a: b\n', ['a'], '1.5')).toBe('a: "1.5"\n');
    expect(setYaml('a: "b"\n', ['a'], true)).toBe('a: true\n');
    expect(setYaml("a: 'b'\n", ['a'], "it's")).toBe("a: 'it''s'\n");
  });

  it('refuses to change an anchor that others use', () => {
    expect(() => set('cgroupDriver: &d cgroupfs\nx: *d\n')).toThrow(/1:1: .*without changing something else/);
  });
});

describe('setting a value that is not there', () => {
  it.each([
    ['', 'cgroupDriver: systemd\n'],
    ['# nothing\r\n', '# nothing\r\ncgroupDriver: systemd\r\n'],
    ['x: 1', 'x: 1\ncgroupDriver: systemd'],
    ['x: 1 # c\r\n', 'x: 1 # c\r\ncgroupDriver: systemd\r\n'],
    ['x:\n  - 1\n  # - 2\n\n# end\n', 'x:\n  - 1\n  # - 2\ncgroupDriver: systemd\n\n# end\n'],
    ['x:\n- 1\n', 'x:\n- 1\ncgroupDriver: systemd\n'],
    ['x: |\n  text\n\n', 'x: |\n  text\ncgroupDriver: systemd\n\n'],
    ['x:\n', 'x:\ncgroupDriver: systemd\n'],
    ['x: 1\n...\n', 'x: 1\ncgroupDriver: systemd\n...\n'],
    ['x: 1\n---\ny: 2\n', 'x: 1\ncgroupDriver: systemd\n---\ny: 2\n'],
    ['{ } # c\n', '{cgroupDriver: systemd} # c\n'],
    ['{x: 1}\n', '{x: 1, cgroupDriver: systemd}\n'],
    ['{\n  x: 1,\n  y: 2,\n}\n', '{\n  x: 1,\n  y: 2,\n  cgroupDriver: systemd,\n}\n'],
    ['{"x": 1, y: *a, z: &a 2}', undefined],
    [
      'apiVersion: v1\nauthentication: {}\nauthorization: {}\nclusterDNS:\n- 1.2.3.4\nkind: K\n',
      'apiVersion: v1\nauthentication: {}\nauthorization: {}\ncgroupDriver: systemd\nclusterDNS:\n- 1.2.3.4\nkind: K\n',
    ],
  ])('%j', (before, after) => {
    if (after === undefined) return expect(() => set(before)).toThrow(/names no anchor/);
    expect(set(before)).toBe(after);
    expect(set(after)).toBe(after);
  });

  it('goes after a related key', () => {
    const text = 'z: 1\ncgroupsPerQOS: true\na: 1\n';
    expect(setYaml(text, ['cgroupDriver'], 'systemd', { after: ['cgroupRoot', 'cgroupsPerQOS'] })).toBe(
      'z: 1\ncgroupsPerQOS: true\ncgroupDriver: systemd\na: 1\n',
    );
  });

  it('makes the mappings above it', () => {
    expect(setYaml('a:\n    b: 1\n', ['a', 'c', 'd'], 1)).toBe('a:\n    b: 1\n    c:\n      d: 1\n');
    expect(setYaml('{"a": 1}', ['b', 'c'], 'x')).toContain('"c": "x"');
  });

  it('goes into the document that is named', () => {
    const text = 'a: 1\n---\nb: 2\n';
    expect(setYaml(text, ['c'], 3, { document: 1 })).toBe('a: 1\n---\nb: 2\nc: 3\n');
  });

  it.each(['- a\n', 'text\n', '"text"', '<html>\n'])('refuses %j, which is no mapping', (text) => {
    expect(() => set(text)).toThrow(/cannot be changed/);
  });
});

/** A line or lines of a mapping: `key` with a value of one of many forms. */
const pair = (key: string) =>
  fc
    .tuple(
      fc.constantFrom(
        ' 1',
        ' plain text',
        ' "double # quoted"',
        "   'single'",
        '',
        ' {p: 1, q: [2]}',
        ' [1, 2]',
        '\n  inner: 1\n  # - deeper',
        '\n- one\n- two: 2\n  three: 3',
        ' |\n  literal: text\n\n  more',
        ' >-\n  folded\n  text',
        ' &anchor value',
        ' !!str 5',
        '\n\n  # comment\n  late: 1\n  list:\n    - 1\n\n    - 2',
      ),
      fc.constantFrom('', ' # after', '   '),
    )
    .map(([value, after]) => `${key}:${value}${/\n|^$/.test(value) ? '' : after}`);

const between = fc.constantFrom('', '\n', '# note\n', '  # indented note\n', '# cgroupDriver: none\n\n');

const document = fc
  .uniqueArray(fc.constantFrom('alpha', 'cgroupRoot', 'cgroupDriver', 'delta', '"quoted key"', 'zeta'), {
    minLength: 1,
  })
  .chain((keys) => fc.tuple(...keys.map((key) => fc.tuple(between, pair(key)))))
  .chain((pairs) =>
    fc
      .tuple(
        fc.constantFrom('', '---\n', '# head\n\n'),
        between,
        fc.boolean(),
        fc.boolean(),
        fc.constantFrom('\n', '\r\n'),
      )
      .map(([head, tail, isOpen, isMulti, eol]) => {
        const lines = `${head}${pairs.map(([gap, text]) => `${gap}${text}`).join('\n')}`;
        const rest = isMulti ? `\n${tail}---\nother: 1\n` : isOpen ? '' : `\n${tail}`;
        return `${lines}${rest}`.replaceAll('\n', eol);
      }),
  );

describe('any text', () => {
  it('gets the value, and every other byte stays', () => {
    fc.assert(
      fc.property(document, fc.constantFrom('systemd', 'cgroupfs', 'on', 'a b'), (text, value) => {
        const before = parseYaml(text, 'x');
        const old = before.get(['cgroupDriver']);
        const edited = set(text, value);
        const after = parseYaml(edited, 'x');
        expect(after.get(['cgroupDriver'])?.value).toBe(value);
        expect(after.documents.slice(1).map((d) => d.value)).toEqual(before.documents.slice(1).map((d) => d.value));
        const [from, to] = changed(text, edited);
        if (old === undefined) expect(from).toBe(to);
        else if (from !== to) {
          // Only the value went: the text that is gone lies in the value's range, which may be empty.
          expect(from).toBeGreaterThanOrEqual(Math.min(old.range[0], text.indexOf('cgroupDriver:') + 13));
          expect(to).toBeLessThanOrEqual(old.range[1]);
        }
        if (text.includes('\r\n')) expect(edited.replaceAll('\r\n', '')).not.toContain('\n');
        else expect(edited).not.toContain('\r');
        expect(edited.endsWith('\n')).toBe(text.endsWith('\n'));
        expect(set(edited, value)).toBe(edited);
      }),
      { numRuns: 400 },
    );
  });

  it('is edited or refused, never spoiled', () => {
    const odd = fc.string({
      unit: fc.constantFrom('a', 'b', ':', ' ', '-', '\n', '"', '{', '}', ',', '#', '&', '*', '|'),
    });
    fc.assert(
      fc.property(odd, (text) => {
        let edited: string;
        try {
          edited = setYaml(text, ['a'], 'value');
        } catch (error) {
          expect((error as { code?: string }).code).toBe('E_SYNTAX');
          return;
        }
        expect(parseYaml(edited, 'x').get(['a'])?.value).toBe('value');
      }),
      { numRuns: 400 },
    );
  });
});

/** The part of `a` that is not in `b`: between their common beginning and their common end. */
function changed(a: string, b: string): [from: number, to: number] {
  let from = 0;
  while (from < Math.min(a.length, b.length) && a[from] === b[from]) from += 1;
  let tail = 0;
  while (tail < Math.min(a.length, b.length) - from && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail += 1;
  return [from, a.length - tail];
}
