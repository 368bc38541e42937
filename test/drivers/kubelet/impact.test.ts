import { describe, expect, it } from 'vitest';
import type { Step, UnitStep } from '../../../src/change/plan.ts';
import { kubelet } from '../../../src/drivers/kubelet/kubelet.ts';
import { NODE, readNode, running } from './node.ts';

const job = (unit: string, verb: UnitStep['verb']): Step => ({
  kind: 'unit',
  manager: 'system',
  unit,
  verb,
  purpose: 'as before',
});

describe('what a change means to pods', () => {
  const told = async (pods: readonly string[], ...steps: readonly Step[]) =>
    kubelet.impact?.({ ...(await readNode(NODE)), run: running('systemd', pods) }, steps);

  it('is told where the kubelet stops under them, with their names', async () => {
    const stop = job('kubelet.service', 'stop');
    expect(await told(['one', 'two'], stop, job('kubelet.service', 'start'))).toEqual([
      {
        severity: 'warning',
        text: expect.stringMatching(/^2 pods run .*drain the node first$/),
        items: ['one', 'two'],
      },
    ]);
    expect(await told(['one'], job('kubelet.service', 'restart'))).toMatchObject([
      { text: expect.stringMatching(/^a pod/) },
    ]);
  });

  it('is nothing without pods, and where another unit stops', async () => {
    expect(await told([], job('kubelet.service', 'stop'))).toEqual([]);
    expect(await told(['one'], job('docker.service', 'stop'))).toEqual([]);
  });
});
