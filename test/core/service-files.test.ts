import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseEnvironmentFile } from '../../src/core/environment-file.ts';
import { expandVariables, splitExecLine } from '../../src/core/exec-line.ts';
import { tracedText } from '../../src/core/traced.ts';
import { parseUnitFile } from '../../src/core/unit-file.ts';

/** Any text that can be an argument: no NUL, no half characters. */
const argument = fc
  .string({ unit: 'binary', maxLength: 12 })
  .filter((text) => !text.includes('\0') && !/[\ufffd\ufeff]/.test(text));
const odd = fc.string({ unit: fc.constantFrom(...' \t\\"\'$%{};#=ab\n'.split('')), maxLength: 12 });
const anyArgument = fc.oneof(argument, odd);
const none = () => undefined;

/** As systemd.service(5) says it: quotes, C escapes, `%%`, `$$`. */
function written(text: string): string {
  const escaped = text
    .replace(/[\\"]/g, '\\$&')
    .replaceAll('%', '%%')
    .replaceAll('$', '$$$$')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r');
  return `"${escaped}"`;
}

const blanks = fc.constantFrom(' ', '  ', '\t', ' \\\n   ', ' \\\n# a comment\n  ');

describe('a command line written by the rules of systemd.service(5)', () => {
  it('is read as the same words', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(blanks, anyArgument), { maxLength: 6 }), (args) => {
        const text = `[Service]\nExecStart=/bin/x${args.map(([blank, arg]) => blank + written(arg)).join('')}\n`;
        const [assignment] = parseUnitFile(text, '/u').assignments;
        const line = splitExecLine(assignment?.value ?? tracedText('/u', '', 0, 0), none);
        expect(line.fault).toBeUndefined();
        const { words } = expandVariables(line.commands[0]?.words ?? [], new Map());
        expect(words.map((word) => word.text)).toEqual(['/bin/x', ...args.map(([, arg]) => arg)]);
      }),
    );
  });

  it('says of each character where it is written', () => {
    fc.assert(
      fc.property(fc.array(anyArgument, { minLength: 1, maxLength: 4 }), (args) => {
        const text = `[Service]\nExecStart=/bin/x ${args.map(written).join(' \\\n ')}\n`;
        const [assignment] = parseUnitFile(text, '/u').assignments;
        const words = splitExecLine(assignment?.value ?? tracedText('/u', '', 0, 0), none).commands[0]?.words ?? [];
        for (const { text: word, from } of words) {
          expect(from).toHaveLength(word.length);
          from.forEach(({ start, end }, at) => {
            const raw = text.slice(start, end);
            const char = word.charAt(at);
            expect([char, `\\${char}`, `${char}${char}`, '\\n', '\\r']).toContain(raw);
          });
        }
      }),
    );
  });
});

describe('an environment file in double quotes', () => {
  it('is read as the same values', () => {
    fc.assert(
      fc.property(fc.array(anyArgument, { maxLength: 5 }), (values) => {
        const lines = values.map((value, at) => `V${at}="${value.replace(/["\\`$]/g, '\\$&')}" # not a comment`);
        const { entries, problems } = parseEnvironmentFile(lines.join('\n'), '/e');
        expect(entries.map(({ name, value }) => [name, value.text])).toEqual(
          values.map((value, at) => [`V${at}`, `${value}# not a comment`]),
        );
        expect(problems).toEqual([]);
      }),
    );
  });
});

describe('any text at all', () => {
  const anything = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom(...'[]=\\\n\r\0"\'#; \tAS$%'.split('')), maxLength: 60 }),
  );

  it('is read without an exception, with origins that lie in it and in order of lines', () => {
    fc.assert(
      fc.property(anything, (text) => {
        const { assignments, problems } = parseUnitFile(text, '/u');
        for (const { value, start, end } of assignments) {
          expect(value.from).toHaveLength(value.text.length);
          for (const origin of value.from) expect(origin.start >= start && origin.end <= end).toBe(true);
          splitExecLine(value, none);
        }
        const lines = assignments.map(({ firstLine }) => firstLine);
        expect(lines).toEqual(lines.toSorted((a, b) => a - b));
        for (const { line } of problems) expect(line).toBeGreaterThan(0);
        for (const { value } of parseEnvironmentFile(text, '/e').entries)
          expect(value.from).toHaveLength(value.text.length);
      }),
    );
  });
});

describe('lines that systemd does not take', () => {
  it.each([
    ['A=1\n[Service]', 1, 'unit-outside-section'],
    ['[Service]\nnonsense', 2, 'unit-no-assignment'],
    ['[Service]\n\\\n# x\n =1', 2, 'unit-no-assignment'],
    ['[Service]\r\nA=1\r\n[oops', 3, 'unit-section-header'],
    ['[Service]\nA=\ufffd', 2, 'unit-not-utf8'],
  ])('are problems with their line: %j', (text, line, code) => {
    expect(parseUnitFile(text, '/u').problems).toEqual([expect.objectContaining({ line, code })]);
  });

  it.each([
    ['export A=1', 1, 'environment-name', '"export" is for shells'],
    ['\n\nA', 3, 'environment-no-assignment', 'has no "="'],
    ['A=1\r\nB="x', 2, 'environment-open-quote', 'not closed'],
    ['# x\\\nA=1', 1, 'environment-comment-backslash', 'before 254'],
  ])('of environment files are problems with their line: %j', (text, line, code, words) => {
    const message = expect.stringContaining(words);
    expect(parseEnvironmentFile(text, '/e').problems).toEqual([expect.objectContaining({ line, code, message })]);
  });
});
