import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseKernelList } from '../../src/core/cpu-list.ts';
import { type IndexSet, printIndexSet } from '../../src/core/cpuset.ts';
import { SlicectlError } from '../../src/core/errors.ts';
import { readLayout } from '../../src/host/cgroups.ts';
import { HOST } from '../../src/host/paths.ts';
import { readTopology } from '../../src/host/topology.ts';

const mount = readLayout(HOST).v1.get('cpuset')?.mount;
const { possible, online } = readTopology(HOST);
const last = possible.at(-1) ?? 0;
const group = `${mount}/slicectl-test-cpu-list-${process.pid}`;

const reason =
  process.getuid?.() !== 0
    ? 'only root makes groups of cpuset'
    : mount === undefined
      ? 'cpuset of v1, which takes and shows a list of any group, is not mounted'
      : possible.length === online.length
        ? undefined
        : 'cpuset refuses CPUs that are offline';

/** What the kernel makes of the text: the set as it shows it, or the error. */
function kernel(text: string): string {
  try {
    // An empty write does not reach the kernel.
    writeFileSync(`${group}/cpuset.cpus`, text === '' ? '\n' : text);
    return readFileSync(`${group}/cpuset.cpus`, 'utf8').trim();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unknown';
  }
}

function ours(parse: () => IndexSet): string {
  try {
    return printIndexSet(parse());
  } catch (error) {
    if (error instanceof SlicectlError) return String(error.data.errno);
    throw error;
  }
}

describe.skipIf(reason !== undefined)(`CPU lists and this machine's kernel${reason ? ` (${reason})` : ''}`, () => {
  beforeAll(() => mkdirSync(group));
  afterAll(() => rmdirSync(group));

  it('agree on every text', () => {
    const tokens = [
      '0',
      '1',
      '00',
      '2',
      '9',
      '-',
      '-',
      ':',
      '/',
      ':1/2',
      'N',
      'all',
      'ALL',
      ',',
      ' ',
      '\t',
      '\n',
      'x',
      '+',
      '4294967295',
      '4294967296',
    ];
    const texts = fc.array(fc.constantFrom(...tokens), { maxLength: 7 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(texts, (text) => {
        // cpuset takes blanks off both ends before it reads (cpuset_write_resmask).
        expect([text, kernel(text)]).toEqual([text, ours(() => parseKernelList(text.trim(), 'cpus', last))]);
      }),
      { numRuns: 3000 },
    );
  });
});
