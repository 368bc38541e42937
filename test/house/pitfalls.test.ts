import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const TEST = join(import.meta.dirname, '..');
const text = readFileSync(join(TEST, '../docs/pitfalls.md'), 'utf8');

const rows = text
  .split('\n')
  .filter((line) => /^\| C\d+ /.test(line))
  .map((line) => line.split(' | ').map((cell) => cell.replace(/^\| | ?\|$/g, '').trim()))
  .map(([number = '', , remedy = '', shown = '']) => ({ number, remedy, shown }));

it('every pitfall from C1 to C50 has its row, in order', () => {
  expect(rows.map(({ number }) => number)).toEqual(Array.from({ length: 50 }, (_, at) => `C${at + 1}`));
});

it.each(rows)('the test that $number cites has that sentence, or the row says why none is needed', ({
  remedy,
  shown,
}) => {
  const [, file, sentence] = /^`([\w/.-]+)`: (.+)$/.exec(shown) ?? [];
  if (file === undefined || sentence === undefined) {
    expect(shown).toBe('');
    expect(remedy).toMatch(/^Does not apply: \S/);
    return;
  }
  const titles =
    readFileSync(join(TEST, file), 'utf8').match(/\b(?:it|describe|describeWithBus)(?:\.\w+)*\([\s\S]*?=>/g) ?? [];
  expect(titles.some((title) => title.includes(sentence))).toBe(true);
});
