import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Plan } from '../../src/change/plan.ts';
import { addUp, type ProgressLine, parseProgress, progressText } from '../../src/change/progress.ts';
import { decode, encode, parseStored, storedText } from '../../src/change/stored.ts';

const PLAN: Plan = {
  title: 'a test',
  root: '/',
  steps: [
    {
      kind: 'file',
      path: '/etc/a',
      target: '/etc/a',
      before: { exists: false },
      after: { exists: true, bytes: new Uint8Array([0, 255, 10, 13]), mode: 0o600, uid: 1, gid: 2 },
      purpose: 'bytes that are no text',
    },
    {
      kind: 'action',
      action: 'turn',
      parameters: { name: 'irq', writes: [{ before: '', after: 1 }], isLate: false },
      does: 'turn irq',
      doesBack: 'turn irq back',
      subjects: ['the knob irq'],
      purpose: 'parameters of any form',
    },
  ],
  refusals: [],
  notes: [{ severity: 'impact', text: 'b', items: ['c'] }],
};

describe('plan.json', () => {
  it('gives back the plan that was stored, bytes and parameters of actions included', () => {
    const change = { id: '20260101-000000', at: '2026-01-01T00:00:00.000Z', uid: 0, plan: PLAN };
    expect(parseStored(storedText(change), 'plan.json')).toEqual(change);
  });

  it('has its form in it, and bytes as base64', () => {
    const stored = JSON.parse(storedText({ id: '20260101-000000', at: '', uid: 0, plan: PLAN }));
    expect(stored.version).toBe(1);
    expect(stored.plan.steps[0].after.bytes).toEqual({ $bytes: 'AP8KDQ==' });
  });

  it.each([
    ['{"version":2,"id":"x"}', 'newer slicectl'],
    ['{"version":1}', 'not the record of a change'],
    ['', 'not the record of a change'],
    ['null', 'not the record of a change'],
    ['{"version":1,"id":"x","plan":{"steps":1}}', 'not the record of a change'],
    ...['1', 'null', '{}', '{"kind":"zap","purpose":""}', '{"kind":"file","purpose":"","path":"/a","target":"/a"}'].map(
      (step): [string, string] => [
        `{"version":1,"id":"x","at":"","uid":0,"plan":{"title":"","root":"/","steps":[${step}],"refusals":[],"notes":[]}}`,
        'not the record of a change',
      ],
    ),
  ])('%j is refused in words', (text, words) => {
    expect(() => parseStored(text, '/j/plan.json')).toThrow(
      expect.objectContaining({ code: 'E_HISTORY', message: expect.stringContaining(words) }),
    );
  });

  it('gives back any value, bytes at any place in it included', () => {
    const leaf = fc.oneof(fc.string(), fc.boolean(), fc.integer(), fc.uint8Array());
    const value = fc.oneof(leaf, fc.array(leaf), fc.array(fc.array(leaf)));
    fc.assert(
      fc.property(value, (any) => {
        expect(decode(JSON.parse(JSON.stringify(encode(any))))).toEqual(any);
      }),
    );
  });
});

const at = '2026-01-01T00:00:00.000Z';
const LINES: readonly ProgressLine[] = [
  { at, event: 'started', what: 'apply' },
  { at, event: 'begin', step: 0, facts: { folders: ['/etc/new'] } },
  { at, event: 'done', step: 0 },
  { at, event: 'begin', step: 1, facts: { activeState: 'active' } },
];

describe('progress.jsonl', () => {
  const text = LINES.map((line) => `\n${progressText(line)}\n`).join('');

  it('says which steps were begun and done, through the room that is kept for more lines', () => {
    const { begun, done, ended, isUndoing } = addUp(parseProgress(`${text}${'\n'.repeat(4000)}`));
    expect([...begun]).toEqual([
      [0, { folders: ['/etc/new'] }],
      [1, { activeState: 'active' }],
    ]);
    expect([...done]).toEqual([0]);
    expect({ ended, isUndoing }).toEqual({ ended: undefined, isUndoing: false });
  });

  it('is torn anywhere by a power loss and counts all whole lines before that', () => {
    fc.assert(
      fc.property(fc.nat(text.length), (end) => {
        const read = parseProgress(text.slice(0, end));
        expect(read).toEqual(LINES.slice(0, read.length));
        const whole = text
          .slice(0, end)
          .split('\n')
          .filter((line) => line.endsWith('}'));
        expect(read.length).toBeGreaterThanOrEqual(whole.length - 1);
      }),
    );
  });

  it.each([
    '{"event":"begin","step":0,"facts":{}}',
    '{"at":"","event":"begin","step":0}',
    '{"at":"","event":"done","step":"0"}',
    '{"at":"","event":"ended"}',
    '{"at":"","event":"ended","state":"well","problems":[]}',
  ])('does not count %s, which no slicectl wrote', (line) => {
    expect(parseProgress(`${line}\n`)).toEqual([]);
  });

  it('keeps the facts of the first beginning when a step is begun again', () => {
    const again: ProgressLine = { at, event: 'begin', step: 1, facts: { activeState: 'inactive' } };
    expect(addUp([...LINES, again]).begun.get(1)).toEqual({ activeState: 'active' });
  });

  it('is not over while an undo of an applied change is under way', () => {
    const applied: ProgressLine = { at, event: 'ended', state: 'applied', problems: [] };
    expect(addUp([...LINES, applied]).ended?.state).toBe('applied');
    expect(addUp([...LINES, applied, { at, event: 'undoing' }])).toMatchObject({ ended: undefined, isUndoing: true });
  });
});
