import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { childSlice, escapeUnitText, sliceLevels, sliceName, slicePath, unitName } from '../../src/core/unit-name.ts';
import { refusal, toolMissing } from './support.ts';

const ABSENT = toolMissing('systemd-escape');

/** One level of a slice, as systemd can hold it. */
const levels = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9:_.]{0,8}$/);

describe('a slice name', () => {
  it.each([
    '-.slice',
    'a.slice',
    'a-b.slice',
    'a-b-c.slice',
    'user-1000.slice',
    'a\\x2db.slice',
    'a.b:c_d.slice',
  ])('%j is taken as it stands', (name) => {
    expect(sliceName(name)).toBe(name);
  });

  it.each([
    ['foo', 'does not end in .slice', 'write "foo.slice"'],
    ['foo.scope', 'does not end in .slice', 'write "foo.scope.slice"'],
    ['', 'does not end in .slice', 'write ".slice"'],
    ['.slice', 'has no name', 'write a name such as build.slice'],
    ['a--b.slice', 'has an empty level', 'write a.slice or a-b.slice; a literal dash is \\x2d'],
    ['-a.slice', 'has an empty level', 'write a.slice or a-b.slice; a literal dash is \\x2d'],
    ['a-.slice', 'has an empty level', 'write a.slice or a-b.slice; a literal dash is \\x2d'],
    ['--.slice', 'has an empty level', 'write a.slice or a-b.slice; a literal dash is \\x2d'],
    ['a@b.slice', 'is a template', 'leave the @ out'],
    ['a/b.slice', 'is a path', 'write "a-b.slice"'],
    ['/a/b.slice', 'is a path', 'write "a-b.slice"'],
    ['a b.slice', 'has a character that unit names cannot have', 'write "a\\\\x20b.slice"'],
    [`${'a'.repeat(250)}.slice`, 'is longer than 255 bytes', 'write a shorter name'],
  ])('%j is refused', (name, reason, hint) => {
    const error = refusal(() => sliceName(name));
    expect(error).toMatchObject({ code: 'E_INPUT', hint });
    expect(error.message).toContain(`slice ${JSON.stringify(name)} ${reason}`);
  });

  it('of 255 bytes is the longest', () => {
    expect(sliceName(`${'a'.repeat(249)}.slice`)).toHaveLength(255);
  });

  // systemd.slice(5): foo-bar.slice is located within foo.slice, which is located in the root slice.
  it.each([
    ['-.slice', '', []],
    ['a.slice', '/a.slice', ['a.slice']],
    ['a-b-c.slice', '/a.slice/a-b.slice/a-b-c.slice', ['a.slice', 'a-b.slice', 'a-b-c.slice']],
    ['a\\x2db.slice', '/a\\x2db.slice', ['a\\x2db.slice']],
  ])('%j lies at %j', (name, path, above) => {
    expect(slicePath(name)).toBe(path);
    expect(sliceLevels(name)).toEqual(above);
  });

  it('made of any levels has one directory a level, and its name says them all', () => {
    fc.assert(
      fc.property(fc.array(levels, { minLength: 1, maxLength: 6 }), (parts) => {
        const name = sliceName(`${parts.join('-')}.slice`);
        const path = slicePath(name).split('/').slice(1);
        expect(path).toHaveLength(parts.length);
        expect(path.at(-1)).toBe(name);
        for (const [index, level] of path.entries()) expect(level).toBe(`${parts.slice(0, index + 1).join('-')}.slice`);
      }),
    );
  });
});

describe('a slice below another', () => {
  it.each([
    ['a.slice', 'b', 'a-b.slice'],
    ['-.slice', 'b', 'b.slice'],
    ['a-b.slice', 'c-d', 'a-b-c\\x2dd.slice'],
    ['a.slice', 'b\\x2dc', 'a-b\\x2dc.slice'],
    ['a.slice', 'x y', 'a-x\\x20y.slice'],
    ['a.slice', 'x/y', 'a-x\\x2fy.slice'],
    ['a.slice', 'u@1', 'a-u\\x401.slice'],
    ['a.slice', 'ü', 'a-\\xc3\\xbc.slice'],
  ])('%s with %j is %s', (parent, leaf, name) => {
    expect(childSlice(parent, leaf)).toBe(name);
  });

  it('is always one level deeper, whatever the text of its level', () => {
    fc.assert(
      fc.property(levels, fc.string({ minLength: 1, maxLength: 20 }), (parent, leaf) => {
        const name = childSlice(`${parent}.slice`, leaf);
        expect(sliceLevels(name)).toEqual([`${parent}.slice`, name]);
      }),
    );
  });

  it('needs a text for its level', () => {
    expect(refusal(() => childSlice('a.slice', '')).code).toBe('E_INPUT');
  });
});

describe('a unit name', () => {
  it.each([
    ['build', 'build.scope'],
    ['build.scope', 'build.scope'],
    ['build-1.2:x_y', 'build-1.2:x_y.scope'],
    ['a\\x20b', 'a\\x20b.scope'],
  ])('%j becomes %j', (text, name) => {
    expect(unitName(text, '.scope')).toBe(name);
  });

  it.each([
    ['build.service', 'has another suffix than .scope', 'write "build.scope"'],
    ['build.slice', 'has another suffix than .scope', 'write "build.scope"'],
    ['', 'is empty', 'write a name such as build42'],
    ['.scope', 'is empty', 'write a name such as build42'],
    ['a@b', 'is a template', 'leave the @ out'],
    ['a b', 'has a character that unit names cannot have', 'write "a\\\\x20b.scope"'],
    ['a b.scope', 'has a character that unit names cannot have', 'write "a\\\\x20b.scope"'],
    ['a/b', 'has a character that unit names cannot have', 'write "a-b.scope"'],
    ['naïve', 'has a character that unit names cannot have', 'write "na\\\\xc3\\\\xafve.scope"'],
    ['a\nb', 'has a character that unit names cannot have', 'write "a\\\\x0ab.scope"'],
    ['a'.repeat(250), 'is longer than 255 bytes', 'write a shorter name'],
  ])('%j is refused', (text, reason, hint) => {
    const error = refusal(() => unitName(text, '.scope'));
    expect(error).toMatchObject({ code: 'E_INPUT', hint });
    expect(error.message).toContain(reason);
  });
});

/** Answers of systemd-escape(1), systemd 252. */
const ESCAPED: readonly (readonly [text: string, escaped: string])[] = [
  ['plain', 'plain'],
  ['a-b', 'a\\x2db'],
  ['a/b', 'a-b'],
  ['.a', '\\x2ea'],
  ['a.b', 'a.b'],
  ['\\x', '\\x5cx'],
  ['a b/ü-.x', 'a\\x20b-\\xc3\\xbc\\x2d.x'],
  ['u@1:2_3', 'u\\x401:2_3'],
];

describe('escaping for unit names', () => {
  it.each(ESCAPED)('of %j gives %j', (text, escaped) => {
    expect(escapeUnitText(text)).toBe(escaped);
  });

  it.skipIf(ABSENT)(`is what systemd-escape on this host does${ABSENT ? `: ${ABSENT}` : ''}`, () => {
    const texts = fc.sample(
      fc.string({ minLength: 1, maxLength: 12, unit: 'binary' }).filter((text) => !text.includes('\0')),
      { numRuns: 200, seed: 42 },
    );
    for (const text of [...ESCAPED.map(([text]) => text), ...texts]) {
      const { stdout, stderr } = spawnSync('systemd-escape', ['--', text], { encoding: 'utf8' });
      expect({ text, escaped: stdout.trimEnd(), stderr }).toEqual({ text, escaped: escapeUnitText(text), stderr: '' });
    }
  });

  it('loses nothing: the bytes come back, and the result is a valid name', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 40, unit: 'binary' }), (text) => {
        const escaped = escapeUnitText(text);
        expect(unitName(escaped.slice(0, 200), '.service')).toBe(`${escaped.slice(0, 200)}.service`);
        const bytes = escaped.replace(/-|\\x([0-9a-f]{2})/g, (found, hex: string | undefined) =>
          found === '-' ? '/' : String.fromCharCode(Number.parseInt(hex ?? '', 16)),
        );
        expect(Buffer.from(bytes, 'latin1').toString('hex')).toBe(Buffer.from(text).toString('hex'));
      }),
    );
  });
});
