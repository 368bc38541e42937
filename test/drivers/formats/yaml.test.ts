import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseYaml } from '../../../src/drivers/formats/yaml.ts';

const PATH = '/etc/x.yaml';

const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    return `${(error as { code?: string }).code}: ${(error as Error).message}`;
  }
  return 'no error';
};

describe('reading YAML', () => {
  it('gives a value with the line and column of its key and the range of the value', () => {
    const text = '# c\r\na:\r\n  b: "x"  # y\r\n';
    const found = parseYaml(text, PATH).get(['a', 'b']);
    expect(found).toEqual({ value: 'x', line: 3, column: 3, range: [14, 17] });
    expect(text.slice(...(found?.range ?? []))).toBe('"x"');
  });

  it('reads JSON', () => {
    const found = parseYaml('{\n  "kind": "K",\n  "cgroupDriver":"systemd"\n}', PATH).get(['cgroupDriver']);
    expect(found).toMatchObject({ value: 'systemd', line: 3, column: 3 });
  });

  it('passes over a commented key', () => {
    expect(parseYaml('#a: 1\na: 2\n', PATH).get(['a'])).toMatchObject({ value: 2, line: 2 });
  });

  it('counts lines and columns without a byte order mark', () => {
    expect(parseYaml('a: 1', PATH).get(['a'])).toMatchObject({ line: 1, column: 1 });
  });

  it('takes the last of a repeated key and names each that repeats', () => {
    const file = parseYaml('a: 1\nb:\n  c: 1\n  c: 2\na: 3\n', PATH);
    expect(file.get(['a'])).toMatchObject({ value: 3, line: 5 });
    expect(file.get(['b', 'c'])).toMatchObject({ value: 2, line: 4 });
    expect(file.documents[0]?.duplicateKeys()).toEqual([
      { keys: ['b', 'c'], line: 4, column: 3 },
      { keys: ['a'], line: 5, column: 1 },
    ]);
    expect(file.documents[0]?.value).toEqual({ a: 3, b: { c: 2 } });
  });

  it('follows aliases and merge keys, which a key of its own beats', () => {
    const text = 'base: &b\n  p: 1\n  q: 2\nuse:\n  <<: *b\n  q: 3\nsame: *b\n';
    const file = parseYaml(text, PATH);
    expect(file.get(['use', 'p'])).toMatchObject({ value: 1, line: 2 });
    expect(file.get(['use', 'q'])).toMatchObject({ value: 3, line: 6 });
    expect(file.get(['same', 'q'])).toMatchObject({ value: 2 });
  });

  it.each(['a: &a\n  <<: *a\n  b: 1\n', 'a: &a [*a]\n'])('refuses %j, which holds itself', (text) => {
    expect(codeOf(() => parseYaml(text, PATH))).toMatch(/^E_SYNTAX: \/etc\/x.yaml:\d:\d+: the alias \*a is part of/);
  });

  it('takes yes and on for true, as the parser of Kubernetes does', () => {
    expect(parseYaml('a: yes\nb: off\nc: "on"\n', PATH).documents[0]?.value).toEqual({ a: true, b: false, c: 'on' });
  });

  it('gives every document of a file, and reads the first', () => {
    const file = parseYaml('---\na: 1\n---\n# none\n---\na: 2\n...\n', PATH);
    expect(file.documents.map(({ value }) => value)).toEqual([{ a: 1 }, null, { a: 2 }]);
    expect(file.get(['a'])?.value).toBe(1);
    expect(file.documents[2]).toMatchObject({ line: 6, column: 1 });
  });

  it.each(['', '# only a comment\n', '---\n', '\n\n'])('takes %j for one empty document', (text) => {
    const file = parseYaml(text, PATH);
    expect(file.documents.map(({ value }) => value)).toEqual([null]);
    expect(file.get(['a'])).toBeUndefined();
  });

  it('names a template in the line of the fault', () => {
    expect(() => parseYaml('a: {{ b }}\nc: d\n{% if e %}\nf: g\n', PATH)).toThrow(
      expect.objectContaining({ code: 'E_SYNTAX', hint: expect.stringMatching(/template/) }),
    );
  });

  it.each([
    ['a: b: c\n', 'E_SYNTAX: /etc/x.yaml:1:4: '],
    ['a: 1\n\tb: 2\n', 'E_SYNTAX: /etc/x.yaml:2:1: '],
    ['a: 1\nb: "x\n', 'E_SYNTAX: /etc/x.yaml:3:1: '],
    ['a: 1\nb: *c\n', 'E_SYNTAX: /etc/x.yaml:2:4: the alias *c names no anchor'],
    ['{"a": 1\n', 'E_SYNTAX: /etc/x.yaml:2:1: '],
  ])('says where %j goes wrong', (text, start) => {
    expect(codeOf(() => parseYaml(text, PATH))).toContain(start);
  });

  it('refuses aliases that blow up', () => {
    const bomb = ['a: &a [x, x, x, x, x, x, x, x, x, x]'];
    for (const [one, two] of ['ab', 'bc', 'cd', 'de', 'ef']) {
      bomb.push(`${two}: &${two} [${Array(10).fill(`*${one}`).join(', ')}]`);
    }
    expect(codeOf(() => parseYaml(bomb.join('\n'), PATH).documents[0]?.value)).toMatch(/^E_SYNTAX: .*alias/);
  });

  it('has no other error than E_SYNTAX for whatever text there is', () => {
    const text = fc.string({ unit: fc.constantFrom(...'ab: -\n\t"\'{}[],&*!|>#?%@`\r<~0') });
    fc.assert(
      fc.property(fc.oneof(text, fc.string()), (input) => {
        const result = codeOf(() => {
          const file = parseYaml(input, PATH);
          for (const document of file.documents) document.duplicateKeys();
          file.get(['a', 'b']);
        });
        expect(result).toMatch(/^(no error|E_SYNTAX: )/);
      }),
      { numRuns: 500 },
    );
  });
});
