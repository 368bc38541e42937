import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SystemdLink } from '../../../src/backend/systemd-link.ts';
import { lookAtWhileUnits, whileFindings } from '../../../src/cpus/audit/while-units.ts';
import { recordPath, recordText } from '../../../src/cpus/record.ts';
import { RootTree } from '../../../src/host/root-tree.ts';
import { FakeHost } from '../fake-host.ts';
import { recordOf } from '../ground.ts';

const SERVICE = 'slicectl-while-vm.service';
const RECORD = recordOf('vm.slice', '6-7', { runtime: true, whileUnit: 'vm.scope' });

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost().write({ [recordPath(RECORD).slice(1)]: recordText(RECORD) });
});
afterEach(() => host[Symbol.dispose]());

interface FakeState {
  readonly activeState: string;
  readonly jobType?: string;
}

/** systemd with these units; as it answers, one that is not loaded is inactive. */
function linkTo(units: Readonly<Record<string, FakeState>>, systemState = 'running'): SystemdLink {
  const manager = {
    get: async () => systemState,
    listUnitsByNames: async (names: readonly string[]) =>
      names.map((name) => ({ name, jobType: '', ...(units[name] ?? { activeState: 'inactive' }) })),
  };
  return { persist: (ask: (at: unknown) => unknown) => ask({ manager }) } as unknown as SystemdLink;
}

async function kinds(units: Readonly<Record<string, FakeState>>, systemState?: string): Promise<readonly string[]> {
  const at = { system: linkTo(units, systemState), tree: new RootTree(host.root) };
  return whileFindings(await lookAtWhileUnits(at, [RECORD, recordOf('db.slice', '4-5')])).map(({ kind }) => kind);
}

const ACTIVE = { activeState: 'active' };

describe('a reservation that is to end with a unit', () => {
  it('is as it should be while that runs and is watched', async () => {
    expect(await kinds({ 'vm.scope': ACTIVE, [SERVICE]: ACTIVE })).toEqual([]);
  });

  it('is left over where the unit has ended and nobody released it', async () => {
    expect(await kinds({})).toEqual(['while-unit-ended']);
    expect(await kinds({ 'vm.scope': { activeState: 'failed' }, [SERVICE]: { activeState: 'failed' } })).toEqual([
      'while-unit-ended',
    ]);
  });

  it.each([
    ['its stop command runs', { activeState: 'deactivating' }],
    ['systemd is about to run its stop command', { activeState: 'active', jobType: 'stop' }],
  ])('is not left over while %s', async (_, service) => {
    expect(await kinds({ [SERVICE]: service })).toEqual([]);
  });

  it('is not left over where it was released while it was looked at', async () => {
    using gone = new FakeHost();
    expect(await lookAtWhileUnits({ system: linkTo({}), tree: new RootTree(gone.root) }, [RECORD])).toEqual([]);
  });

  it('is not left over where the machine shuts down', async () => {
    expect(await kinds({}, 'stopping')).toEqual([]);
  });

  it('would outlive a unit that nobody watches', async () => {
    expect(await kinds({ 'vm.scope': ACTIVE })).toEqual(['while-unit-unwatched']);
    expect(await kinds({ 'vm.scope': ACTIVE, [SERVICE]: { activeState: 'failed' } })).toEqual(['while-unit-unwatched']);
  });

  it('is not judged where systemd does not answer', async () => {
    expect(await lookAtWhileUnits({ system: undefined, tree: new RootTree(host.root) }, [RECORD])).toEqual([]);
  });

  it('says what is still reserved, why, and the way out', async () => {
    const look = { record: RECORD, unit: 'vm.scope', state: 'ended', watcher: 'stopped' } as const;
    expect(whileFindings([look])).toMatchObject([
      {
        severity: 'drift',
        subject: 'vm.slice',
        what: expect.stringContaining('payload CPUs 6-7 are still reserved'),
        cause: expect.stringContaining(SERVICE),
        cure: 'slicectl cpus release vm.slice',
        isFixable: true,
      },
    ]);
  });
});
