import type { Runtime } from '../model.ts';
import { dockerChecks } from './checks.ts';
import type { DockerFacts } from './facts.ts';
import { impactOfJobs } from './impact.ts';
import { planDocker } from './plan.ts';
import { readDocker } from './read.ts';
import { statusOf } from './status.ts';
import { validateDocker } from './validate.ts';

/** Docker Engine: rootful, from a snap, and rootless. */
export const docker: Runtime<DockerFacts> = {
  name: 'docker',
  read: (host) => readDocker(host),
  status: (facts) => [statusOf(facts)],
  plan: planDocker,
  impact: impactOfJobs,
  validate: (facts, plan) => validateDocker(facts, plan),
  checks: () => dockerChecks(),
};
