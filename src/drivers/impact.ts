import type { PlanNote, Step } from '../change/plan.ts';
import { SlicectlError } from '../core/errors.ts';
import type { DriverHost } from './model.ts';
import { readers } from './runtimes.ts';

/** What stops with the units that these steps stop or restart, as things are now. A runtime that cannot be read is told of. */
export async function impactOfJobs(host: DriverHost, steps: readonly Step[]): Promise<readonly PlanNote[]> {
  const isDisturbing = steps.some((step) => step.kind === 'unit' && (step.verb === 'stop' || step.verb === 'restart'));
  if (!isDisturbing || host.live === undefined) return [];
  const found = await Promise.all(
    readers
      .filter(({ knowsImpact }) => knowsImpact)
      .map(async (reader): Promise<readonly PlanNote[]> => {
        try {
          return (await reader.read(host)).flatMap((instance) => instance.impact?.(steps) ?? []);
        } catch (error) {
          if (!(error instanceof SlicectlError)) throw error;
          return [{ severity: 'warning', text: `what stops in ${reader.name} is not known: ${error.message}` }];
        }
      }),
  );
  return found.flat();
}
