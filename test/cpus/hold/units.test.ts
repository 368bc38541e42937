import { describe, expect, it } from 'vitest';
import { unitAction } from '../../../src/cpus/hold/units.ts';
import { ReservedHost } from '../reserved-host.ts';

const PARAMETERS = { unit: 'job.scope', name: 'AllowedCPUs', before: '', after: '0-3', all: '0-7' };

describe('the CPUs of a unit', () => {
  it('are no matter any more when it has ended since the plan, nor when a boot came between', async () => {
    await using host = await ReservedHost.open();
    const action = unitAction({ paths: host.paths, tree: host.tree, link: host.system });
    await expect(action.assertAsPlanned(PARAMETERS)).resolves.toBeUndefined();
    const facts = await action.facts(PARAMETERS);
    await expect(action.carryOut(PARAMETERS, facts)).resolves.toBeUndefined();
    await expect(action.takeBack(PARAMETERS, facts)).resolves.toBeUndefined();
  });
});
