import type { Step } from './plan.ts';

/**
 * What a step does, in a few words: `write /etc/docker/daemon.json`, `restart docker.service`. A check says its purpose,
 * which is a claim: `check that Docker reports systemd`.
 */
export function describeStep(step: Step): string {
  switch (step.kind) {
    case 'file':
      return `${fileVerb(step.before.exists, step.after.exists)} ${step.path}`;
    case 'reload':
      return step.manager === 'user' ? "reload the user's systemd" : 'reload systemd';
    case 'unit':
      return `${step.verb} ${step.unit}`;
    case 'reset-failed':
      return `reset the failed state of ${step.unit}`;
    case 'action':
      return step.does;
    case 'check':
      return `check that ${step.purpose}`;
  }
}

function fileVerb(before: boolean, after: boolean): string {
  if (!after) return 'remove';
  return before ? 'write' : 'create';
}
