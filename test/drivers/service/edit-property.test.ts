import { rmSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Step } from '../../../src/change/plan.ts';
import { readServiceCommand } from '../../../src/drivers/service/command.ts';
import { changeFlag, removeFlag } from '../../../src/drivers/service/edit.ts';
import { findFlags } from '../../../src/drivers/service/flags.ts';
import { PlannedTree } from '../../../src/drivers/service/planned-tree.ts';
import { RootTree } from '../../../src/host/root-tree.ts';
import { makeTree } from '../../fixtures/service/tree.ts';

const UNIT = '/etc/systemd/system/docker.service';
const OPTIONS = '/etc/default/docker';

const blank = fc.constantFrom(' ', '  ', '\t', ' \\\n    ', '\\\n', ' \\\n# comment\n  ');
const other = fc.constantFrom(
  '-D',
  '-H fd://',
  '"a b"',
  "'$X y'",
  '$OPTIONS',
  '--label=x=%n',
  'x\\x41',
  '--log-opt "a=b c"',
  '\\;',
);
const flag = fc.constantFrom(
  '--exec-opt native.cgroupdriver=OLD',
  '--exec-opt=native.cgroupdriver=OLD',
  '--exec-opt "native.cgroupdriver=OLD"',
  "'--exec-opt=native.cgroupdriver=OLD'",
  '--exec-opt \\\n native.cgroupdriver=OLD',
);
const lineEnd = fc.constantFrom('\n', '\r\n');
const head = fc.constantFrom('', '# caf\u00e9\n', '[Unit]\nDescription=a \\\n b\n', '; x\n\n');
const tail = fc.constantFrom('', '\n', '\nRestart=always\n', '\n\n[Install]\nWantedBy=multi-user.target');

const unitText = fc
  .record({
    head,
    tail,
    before: fc.array(fc.tuple(blank, other), { maxLength: 4 }),
    after: fc.array(fc.tuple(blank, other), { maxLength: 4 }),
    gap: blank,
    flag,
    lineEnd,
  })
  .map((made) => {
    const words = (list: readonly (readonly [string, string])[]) => list.flat().join('');
    const command = `/usr/bin/dockerd${words(made.before)}${made.gap}${made.flag}${words(made.after)}`;
    const text = `${made.head}[Service]\nEnvironmentFile=${OPTIONS}\nExecStart=${command}${made.tail}`;
    return text.replaceAll('\n', made.lineEnd);
  });

const optionsText = fc
  .record({
    before: fc.array(other, { maxLength: 2 }),
    after: fc.array(other, { maxLength: 2 }),
    flag: fc.constantFrom('--exec-opt native.cgroupdriver=OLD', '--exec-opt=native.cgroupdriver=OLD'),
    quote: fc.constantFrom('', "'"),
  })
  .map(({ before, after, flag: use, quote }) => {
    const plain = [...before, use, ...after].filter((word) => !/['"\\]/.test(word));
    return `# x\nA=1\nOPTIONS=${quote}${plain.join(' ')}${quote}\nB=2`;
  });

function withTree<T>(files: Readonly<Record<string, string>>, work: (tree: RootTree) => T): T {
  const root = makeTree(files);
  try {
    return work(new RootTree(root));
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

function edited(tree: RootTree, edit: typeof removeFlag) {
  const command = readServiceCommand(tree, 'docker.service');
  const use = command && findFlags(command, ['--exec-opt'])[0];
  if (command === undefined || use === undefined) throw new Error('no flag');
  const steps: readonly Step[] = edit(tree, command, use);
  const [step] = steps;
  if (step?.kind !== 'file' || !step.after.exists) throw new Error('no file step');
  const after = readServiceCommand(new PlannedTree(tree, steps), 'docker.service');
  return {
    paths: steps.map((one) => one.kind === 'file' && one.path),
    text: Buffer.from(step.after.bytes).toString(),
    before: command.words.map(({ text }) => text),
    after: after?.words.map(({ text }) => text),
    use,
  };
}

describe.each([
  ['a unit', UNIT, unitText.map((text) => ({ [UNIT]: text.replace('OLD', 'systemd'), [OPTIONS]: 'OPTIONS=-D\n' }))],
  [
    'an environment file',
    OPTIONS,
    optionsText.map((text) => ({
      [UNIT]: `[Service]\nEnvironmentFile=${OPTIONS}\nExecStart=/usr/bin/dockerd $OPTIONS\n`,
      [OPTIONS]: text.replace('OLD', 'systemd'),
    })),
  ],
])('an edit of %s', (_, path, files) => {
  it('changes the bytes of the value and no others', () => {
    fc.assert(
      fc.property(files, (made) => {
        const result = withTree(made, (tree) =>
          edited(tree, (at, command, use) => changeFlag(at, command, use, 'native.cgroupdriver=cgroupfs')),
        );
        expect(result.paths).toEqual([path]);
        expect(result.text).toBe((made as Record<string, string>)[path]?.replace('=systemd', '=cgroupfs'));
      }),
      { numRuns: 40 },
    );
  });

  it('takes out the words of the option and no others', () => {
    fc.assert(
      fc.property(files, (made) => {
        const result = withTree(made, (tree) => edited(tree, removeFlag));
        expect(result.paths).toEqual([path]);
        expect(result.after).toEqual(result.before.filter((__, at) => !result.use.words.includes(at)));
      }),
      { numRuns: 40 },
    );
  });
});
