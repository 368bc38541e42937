import { expect, it } from 'vitest';
import { type PolicyOption, supportOf } from '../../../src/cpus/kubelet/options.ts';

const usable = (option: PolicyOption, version: string | undefined, gates: Record<string, boolean> = {}): boolean =>
  supportOf(option, version, (name) => gates[name]).isUsable;

// By the defaults of pkg/features/kube_features.go, and KEP-2625 and KEP-4540.
it.each<[PolicyOption, string, Record<string, boolean>, boolean]>([
  ['full-pcpus-only', '1.21.9', {}, false],
  ['full-pcpus-only', '1.22.0', {}, false],
  ['full-pcpus-only', '1.22.0', { CPUManagerPolicyOptions: true }, true],
  ['full-pcpus-only', '1.23.0', {}, true],
  ['full-pcpus-only', '1.32.0', { CPUManagerPolicyBetaOptions: false }, false],
  ['full-pcpus-only', '1.32.0', { AllBeta: false }, false],
  [
    'full-pcpus-only',
    '1.32.0',
    { AllBeta: false, CPUManagerPolicyOptions: true, CPUManagerPolicyBetaOptions: true },
    true,
  ],
  ['full-pcpus-only', '1.33.0', { CPUManagerPolicyBetaOptions: false }, true],
  ['strict-cpu-reservation', '1.31.4', { CPUManagerPolicyAlphaOptions: true }, false],
  ['strict-cpu-reservation', '1.32.0', {}, false],
  ['strict-cpu-reservation', '1.32.0', { CPUManagerPolicyAlphaOptions: true }, true],
  ['strict-cpu-reservation', '1.32.0', { AllAlpha: true }, true],
  ['strict-cpu-reservation', '1.32.0', { CPUManagerPolicyAlphaOptions: true, CPUManagerPolicyOptions: false }, false],
  ['strict-cpu-reservation', '1.33.2', {}, true],
  ['strict-cpu-reservation', '1.34.0', { CPUManagerPolicyBetaOptions: false }, false],
  ['strict-cpu-reservation', '1.35.0', { CPUManagerPolicyBetaOptions: false }, true],
])('%s of kubelet %s with %o: %s', (option, version, gates, expected) => {
  expect(usable(option, version, gates)).toBe(expected);
});

it('is not usable in a kubelet of an unknown version', () => {
  expect(supportOf('full-pcpus-only', undefined, () => undefined)).toMatchObject({
    isUsable: false,
    why: 'the version of the kubelet is not known',
  });
});
