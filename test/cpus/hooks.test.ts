import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { buildProgram } from '../../src/cli/program.ts';

const HOOKS = resolve(import.meta.dirname, '../../contrib/hooks');

it('the drop-in for services reserves as root, for the service itself, with options that there are', () => {
  const text = readFileSync(resolve(HOOKS, 'while-unit.conf'), 'utf8');
  const words = /^ExecStartPost=\+slicectl cpus reserve (.*)$/m.exec(text)?.[1]?.split(' ') ?? [];
  const slice = /^Slice=(.*)$/m.exec(text)?.[1];
  expect(words).toContain('--yes');
  expect(words[words.indexOf('--while-unit') + 1]).toBe('%n');
  expect(words[words.indexOf('--for') + 1]).toBe(slice);
  const cpus = buildProgram(() => undefined).commands.find((command) => command.name() === 'cpus');
  const known = cpus?.commands.find((command) => command.name() === 'reserve')?.options.map(({ long }) => long);
  for (const option of words.filter((word) => word.startsWith('--'))) expect(known).toContain(option);
});
