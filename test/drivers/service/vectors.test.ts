import { rmSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { readServiceCommand } from '../../../src/drivers/service/command.ts';
import { RootTree } from '../../../src/host/root-tree.ts';
import { OUTPUT_DROP_IN, SERVICE_CASES } from '../../fixtures/service/cases.ts';
import { argvOf, makeTree } from '../../fixtures/service/tree.ts';

describe('the command that systemd 257 started', () => {
  let root = '';
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it.each(SERVICE_CASES)('is read from the files of $name', ({ name, unit, files }) => {
    root = makeTree({ [OUTPUT_DROP_IN.path]: OUTPUT_DROP_IN.text, ...files });
    const command = readServiceCommand(new RootTree(root), unit);
    const argv = argvOf(name, 257);
    const errors = command?.problems.filter(({ severity }) => severity === 'error') ?? [];
    if (argv === null) expect(errors, JSON.stringify(command?.words.map(({ text }) => text))).not.toEqual([]);
    else {
      expect(command?.words.map(({ text }) => text)).toEqual(argv);
      expect(errors).toEqual([]);
    }
  });
});
