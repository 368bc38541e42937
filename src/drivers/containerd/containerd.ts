import type { CheckTable } from '../../change/plan.ts';
import type { DriverHost, Runtime } from '../model.ts';
import { checkContainerd } from './check.ts';
import { type ContainerdFacts, readFacts } from './facts.ts';
import { planContainerd } from './plan.ts';
import { statusOf } from './status.ts';
import { validateContainerd } from './validate.ts';

/** The containerd of containerd.service. Those inside of k3s, RKE2 and MicroK8s belong to their distributions. */
export const containerd: Runtime<ContainerdFacts> = {
  name: 'containerd',
  read: async (host) => {
    const facts = await readFacts(host);
    return facts ? [facts] : [];
  },
  status: statusOf,
  plan: planContainerd,
  validate: (facts, plan) => validateContainerd(facts, plan),
  checks: (host: DriverHost): CheckTable => ({
    'containerd-driver': (expect) => checkContainerd(expect, async () => (await readFacts(host))?.running),
  }),
};
