import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { durationText, measureText } from '../../../src/cli/render/cpus-measure.ts';
import { measureSvg } from '../../../src/cli/render/cpus-measure-svg.ts';
import { sample, sampleCpu } from './sample.ts';

const late = fc.array(fc.integer({ min: 0, max: 2 ** 36 }), { minLength: 1, maxLength: 50 });
const measurement = fc
  .tuple(fc.array(fc.tuple(fc.constantFrom(0, 7, 191, 8191), late), { minLength: 1 }), late)
  .map(([payload, system]) =>
    sample(
      [...new Map(payload).entries()]
        .map(([cpu, all]) => sampleCpu(cpu, 'payload', all))
        .concat(sampleCpu(5, 'system', system)),
    ),
  );

/** Elements that are opened and closed in pairs, with their attributes quoted: throws where they are not. */
function elementsOf(xml: string): { readonly name: string; readonly attributes: ReadonlyMap<string, string> }[] {
  const open: string[] = [];
  const found: { name: string; attributes: Map<string, string> }[] = [];
  const rest = xml.replaceAll(
    /<(\/?)([a-z]+)((?:\s+[a-zA-Z][a-zA-Z0-9:-]*="[^"<&]*")*)\s*(\/?)>/g,
    (_, end, name, text, empty) => {
      if (end) {
        if (open.pop() !== name) throw new Error(`</${name}> closes another element`);
      } else {
        found.push({
          name,
          attributes: new Map([...text.matchAll(/([a-zA-Z][a-zA-Z0-9:-]*)="([^"]*)"/g)].map((m) => [m[1], m[2]])),
        });
        if (!empty) open.push(name);
      }
      return '';
    },
  );
  if (open.length > 0) throw new Error(`${open.join(', ')} not closed`);
  if (/[<>]|&(?!(?:amp|lt|gt|quot);)/.test(rest)) throw new Error(`stray mark in ${rest}`);
  return found;
}

describe('a measurement as text', () => {
  it('fits into 80 columns, whatever was measured', () => {
    fc.assert(
      fc.property(measurement, measurement, fc.boolean(), (after, before, isCompared) => {
        const text = measureText(after, isCompared ? before : undefined);
        for (const line of text.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
      }),
    );
  });

  it('names both sets by role, and tells its floor and its limits', () => {
    const text = measureText(sample([sampleCpu(2, 'payload', [5000]), sampleCpu(0, 'system', [90_000])]));
    expect(text).toContain('payload.slice: payload CPUs 2, system CPUs 0');
    expect(text).toMatch(/^payload\s+2\s+1\s+5µs/m);
    expect(text).toContain('own floor');
    expect(text).toContain('What this cannot show:');
  });

  it('shows one wake-up beside a million', () => {
    const cpu = sampleCpu(2, 'payload', [5000]);
    const many = {
      ...cpu.late,
      count: 1_000_001,
      maxNs: 5e6,
      buckets: [
        [5000, 1_000_000],
        [5e6, 1],
      ] as const,
    };
    expect(measureText(sample([{ ...cpu, late: many }]))).toMatch(/5ms {2}# 1$/m);
  });

  it('puts before and after side by side', () => {
    const before = sample([sampleCpu(2, 'system', [7e6])], { reservation: undefined });
    const text = measureText(sample([sampleCpu(2, 'payload', [5000])]), before);
    expect(text).toMatch(/payload CPUs 2 before\s+payload CPUs 2 after/);
    expect(text).toMatch(/^payload before\s+1\s+7ms/m);
  });

  it.each([
    [0, '0ns'],
    [950, '950ns'],
    [12_345, '12.3µs'],
    [1e6, '1ms'],
    [1.25e9, '1.25s'],
  ])('writes %d ns as %s', (ns, text) => {
    expect(durationText(ns)).toBe(text);
  });
});

describe('a measurement as SVG', () => {
  it('is well formed, and all of it lies within its box', () => {
    fc.assert(
      fc.property(measurement, measurement, fc.boolean(), (after, before, isCompared) => {
        const svg = measureSvg(after, isCompared ? before : undefined);
        const [root, ...elements] = elementsOf(svg);
        expect(root?.name).toBe('svg');
        const [, , width = 0, height = 0] = root?.attributes.get('viewBox')?.split(' ').map(Number) ?? [];
        for (const { attributes } of elements) {
          for (const [key, most] of [
            ['x', width],
            ['x1', width],
            ['x2', width],
            ['y', height],
            ['y1', height],
            ['y2', height],
          ] as const) {
            const at = Number(attributes.get(key) ?? 0);
            expect(at).toBeGreaterThanOrEqual(0);
            expect(at).toBeLessThanOrEqual(most);
          }
        }
        expect(svg).not.toMatch(/NaN|Infinity|undefined/);
      }),
    );
  });

  it('has axes with units, roles, before and after, and colours for dark', () => {
    const before = sample([sampleCpu(2, 'system', [7e6]), sampleCpu(0, 'system', [8e6])]);
    const svg = measureSvg(sample([sampleCpu(2, 'payload', [5000]), sampleCpu(0, 'system', [1e6])]), before);
    for (const text of [
      'payload CPUs 2',
      'system CPUs 0',
      '>before<',
      '>after<',
      'µs',
      '%',
      'prefers-color-scheme: dark',
    ]) {
      expect(svg).toContain(text);
    }
  });

  it('escapes what came from a file', () => {
    const { machine } = sample([]);
    const svg = measureSvg(
      sample([sampleCpu(2, 'payload', [1])], { machine: { ...machine, kernel: '</svg>&"\u0007' } }),
    );
    expect(() => elementsOf(svg)).not.toThrow();
    expect(svg).not.toContain('\u0007');
  });
});
