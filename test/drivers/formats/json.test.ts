import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJson, removeJson, setJson } from '../../../src/drivers/formats/json.ts';

const DRIVER = 'native.cgroupdriver=systemd';

describe('reading JSON', () => {
  const faults: readonly (readonly [text: string, message: string])[] = [
    ['', '/f:1:1: the file is empty'],
    ['<!DOCTYPE html>\n<html>', '/f:1:1: it begins like an HTML page, not like JSON'],
    ['{\n  "a": 1,\n}', '/f:3:1: a comma before "}"'],
    ['{"a": [1, 2, ]}', '/f:1:14: a comma before "]"'],
    ['{\n  "a": 1 // why\n}', '/f:2:10: a comment, which JSON does not have'],
    ['# why\n{}', '/f:1:1: it holds a comment with "#", which JSON does not have'],
    ["{'a': 1}", '/f:1:2: text is in single quotes'],
    ['{“a”: 1}', '/f:1:2: a typographic quotation mark'],
    ['{\n\u00a0"a": 1}', '/f:2:1: a non-breaking space (U+00A0)'],
    ['{\n  "a": 1\n  "b": 2\n}', '/f:3:3: a comma is missing before "b"'],
    ['{"a" 1}', '/f:1:6: a colon is missing before "1"'],
    ['{exec-opts: []}', '/f:1:2: the key "exec-opts" is not in double quotes'],
    ['{"a": True}', '/f:1:7: "True" is no value of JSON'],
    ['{"a": "b\n"}', '/f:1:7: the text "b" does not end on its line'],
    ['{"a": "C:\\Users"}', '/f:1:7: an escape in "C:\\\\Users" that JSON does not have'],
    ['{"a": 1', '/f:1:8: the file ends before its JSON does'],
    ['{\n}\n{\n}', '/f:3:1: a second JSON value begins here'],
    ['{}\nEOF\n', '/f:2:1: text follows the end of the JSON: "EOF"'],
    ['cat <<EOF\n{}', '/f:1:1: it begins like a shell script, not like JSON'],
  ];
  it.each(faults)('says of %j: %s', (text, message) => {
    expect(() => parseJson(text, '/f')).toThrow(expect.objectContaining({ code: 'E_SYNTAX', message }));
  });

  it('accepts what JSON.parse accepts, and nothing else', () => {
    const token = fc.constantFrom(
      ...[
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        '"a"',
        '"\\u00e9"',
        '"',
        '1',
        '-0.5e3',
        '01',
        'true',
        'null',
        'nul',
        ' ',
        '\n',
        '\v',
        '//',
        '\\',
      ],
    );
    const text = fc.oneof(
      fc.array(token, { maxLength: 12 }).map((tokens) => tokens.join('')),
      fc.jsonValue().map((value) => JSON.stringify(value, null, 1)),
    );
    fc.assert(
      fc.property(text, (json) => {
        const outcome = (read: () => unknown): unknown => {
          try {
            return [read()];
          } catch {
            return 'refused';
          }
        };
        expect(outcome(() => parseJson(json, '/f').value([]))).toEqual(outcome(() => JSON.parse(json)));
      }),
      { numRuns: 2000 },
    );
  });

  it('refuses what is nested too deeply instead of failing', () => {
    expect(() => parseJson('['.repeat(200_000), '/f')).toThrow(expect.objectContaining({ code: 'E_SYNTAX' }));
  });

  it('knows where keys are, and which of them are lost', () => {
    const document = parseJson('{\n  "a": 1,\n  "b": {"c": 1,\n "c": 2},\n  "a": 3\n}', '/f');
    expect(document.position(['b', 'c'])).toEqual({ line: 4, column: 2 });
    expect(document.value(['a'])).toBe(3);
    expect(document.duplicateKeys()).toEqual([
      { keys: ['a'], line: 2, column: 3 },
      { keys: ['b', 'c'], line: 3, column: 9 },
    ]);
    expect(document.all([], 'a').map(({ value }) => value)).toEqual([1, 3]);
  });

  it('reads only the first value where it is told so, and says where the rest begins', () => {
    const document = parseJson('{"a": 1}\n{"b": 2', '/f', { allowMore: true });
    expect(document.value([])).toEqual({ a: 1 });
    expect(document.more).toEqual({ line: 2, column: 1 });
  });
});

describe('editing JSON', () => {
  const additions: readonly (readonly [before: string, after: string])[] = [
    ['', `{\n  "exec-opts": ["${DRIVER}"]\n}\n`],
    ['\r\n', `{\r\n  "exec-opts": ["${DRIVER}"]\r\n}\r\n`],
    ['{}', `{\n  "exec-opts": ["${DRIVER}"]\n}`],
    ['{\n}\n', `{\n  "exec-opts": ["${DRIVER}"]\n}\n`],
    ['{"a":1}', `{"a":1,"exec-opts":["${DRIVER}"]}`],
    ['{ "a": 1 }\n', `{ "a": 1, "exec-opts": ["${DRIVER}"] }\n`],
    ['{\n\t"a" : 1\n}', `{\n\t"a" : 1,\n\t"exec-opts" : ["${DRIVER}"]\n}`],
    ['{ "a":1\n, "b":2 }', `{ "a":1\n, "b":2\n, "exec-opts":["${DRIVER}"] }`],
    [
      '{ "a": [],\n"b":\n{ "c": "d"},\n"e": 1\n}',
      `{ "a": [],\n"b":\n{ "c": "d"},\n"e": 1,\n"exec-opts": ["${DRIVER}"]\n}`,
    ],
    ['{\n    "a":        "b"\n}', `{\n    "a":        "b",\n    "exec-opts": ["${DRIVER}"]\n}`],
    [
      '{\r\n  "a": [\r\n    1\r\n  ]\r\n}',
      `{\r\n  "a": [\r\n    1\r\n  ],\r\n  "exec-opts": [\r\n    "${DRIVER}"\r\n  ]\r\n}`,
    ],
    ['{\n  "a": 1,\n\n  "b": 2 \n}', `{\n  "a": 1,\n\n  "b": 2,\n  "exec-opts": ["${DRIVER}"] \n}`],
  ];
  it.each(additions)('adds a key to %j as that file writes its own', (before, after) => {
    expect(setJson(before, ['exec-opts'], [DRIVER])).toBe(after);
  });

  const elements: readonly (readonly [before: string, after: string])[] = [
    ['{"a":[]}', '{"a":["x"]}'],
    ['{"a": ["y"]}', '{"a": ["y", "x"]}'],
    ['{"a": ["y","z"]}', '{"a": ["y","z","x"]}'],
    ['{\n  "a": [\n    "y"\n  ]\n}', '{\n  "a": [\n    "y",\n    "x"\n  ]\n}'],
    ['{"a": [ "y"\n      , "z" ]}', '{"a": [ "y"\n      , "z"\n      , "x" ]}'],
  ];
  it.each(elements)('adds an element to %j as that array has its own', (before, after) => {
    const list = parseJson(before, '/f').value(['a']) as unknown[];
    expect(setJson(before, ['a', list.length], 'x')).toBe(after);
  });

  it('replaces a value in its place, and the last one of a key that is there twice', () => {
    expect(setJson('{"a" :  [ "x" ,"y"], "b":1}', ['a', 1], 'z')).toBe('{"a" :  [ "x" ,"z"], "b":1}');
    expect(setJson('{"a": 1, "a": 2}', ['a'], 3)).toBe('{"a": 1, "a": 3}');
  });

  it('says so where the path leads into a value that holds nothing', () => {
    expect(() => setJson('{"a": "x"}', ['a', 'b'], 1)).toThrow('"a" is of type string and cannot hold "b"');
  });

  it('removes a key or an element with the comma that it needed', () => {
    expect(removeJson('{\n  "a": 1,\n  "b": 2,\n  "c": 3\n}\n', ['b'])).toBe('{\n  "a": 1,\n  "c": 3\n}\n');
    expect(removeJson('{\n  "a": 1,\n  "b": 2\n}\n', ['b'])).toBe('{\n  "a": 1\n}\n');
    expect(removeJson('{\n  "a": 1,\n  "b": 2\n}\n', ['a'])).toBe('{\n  "b": 2\n}\n');
    expect(removeJson('{"a": [ 1 ]}', ['a', 0])).toBe('{"a": []}');
    expect(removeJson('{"a": 1}', ['b'])).toBe('{"a": 1}');
  });

  const space = fc.constantFrom('', '', ' ', '\n', '\n  ', '\r\n\t', '\n\n');
  const key = fc.constantFrom('a', 'b', 'exec-opts', '__proto__', '"', 'é', '');
  const { json } = fc.letrec<{ json: string }>((tie) => ({
    json: fc.oneof(
      { maxDepth: 3, depthIdentifier: 'json' },
      fc.constantFrom('1', '-2.5e1', 'true', 'null', '"x"', '"\\u0041,{"'),
      fc.array(fc.tuple(space, tie('json'), space), { maxLength: 4, depthIdentifier: 'json' }).map(list('[', ']')),
      fc
        .array(
          fc.tuple(
            space,
            fc.tuple(key, space, space, tie('json')).map(([k, s, t, v]) => `${JSON.stringify(k)}${s}:${t}${v}`),
            space,
          ),
          { maxLength: 4, depthIdentifier: 'json' },
        )
        .map(list('{', '}')),
    ),
  }));
  const object = fc
    .tuple(space, fc.array(fc.tuple(key, space, json, space), { maxLength: 5 }), space)
    .map(
      ([lead, members, tail]) =>
        `${lead}{${members.map(([k, s, v, t]) => `${s}${JSON.stringify(k)}:${s}${v}${t}`).join(',')}}${tail}`,
    );

  it('changes one place only, gives what was meant, and changes nothing the second time', () => {
    fc.assert(
      fc.property(object, key, fc.constantFrom<unknown>(1, 'y', ['z'], { c: [] }), (text, name, value) => {
        const was = parseJson(text, '/f');
        const after = setJson(text, [name], value);
        const now = parseJson(after, '/f');
        expect(now.value([name])).toEqual(value);
        expect(setJson(after, [name], value)).toBe(after);
        const replaced = was.node([name])?.length ?? 0;
        expect(kept(text, after)).toBeGreaterThanOrEqual(
          text.trim() === '{}' ? 2 : text.length - replaced - emptySpace(text),
        );
        const others = (value: unknown): unknown[] => Object.entries(value as object).filter(([k]) => k !== name);
        expect(others(now.value([]))).toEqual(others(was.value([])));
        if (replaced === 0) expect(parseJson(removeJson(after, [name]), '/f').value([])).toEqual(was.value([]));
      }),
      { numRuns: 1000 },
    );
  });

  it('extends any array by one element', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(space, json, space), { maxLength: 4 }).map(list('[', ']')), (text) => {
        const was = parseJson(text, '/f').value([]) as unknown[];
        const after = setJson(text, [was.length], 'new');
        expect(JSON.parse(after)).toEqual([...was, 'new']);
        expect(JSON.parse(removeJson(after, [was.length]))).toEqual(was);
      }),
      { numRuns: 1000 },
    );
  });
});

function list(open: string, close: string) {
  return (members: readonly (readonly string[])[]): string =>
    `${open}${members.map((m) => m.join('')).join(',')}${close}`;
}

/** How many units at the beginning and the end are the same in both. */
function kept(before: string, after: string): number {
  let start = 0;
  while (start < before.length && before[start] === after[start]) start += 1;
  let end = 0;
  while (end < before.length - start && before.at(-1 - end) === after.at(-1 - end)) end += 1;
  return start + end;
}

/** White space inside an empty object may be written anew. */
function emptySpace(text: string): number {
  return /^\s*\{(\s*)\}\s*$/.exec(text)?.[1]?.length ?? 0;
}
