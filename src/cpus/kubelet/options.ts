import { isAtLeast } from '../../core/program-version.ts';

/** Options of the static policy that make it agree with a reservation. */
export type PolicyOption = 'full-pcpus-only' | 'strict-cpu-reservation';

export interface OptionSupport {
  readonly isUsable: boolean;
  /** Why it is not: `kubelet 1.30.4 does not have it: it came with 1.32`; empty where it is usable. */
  readonly why: string;
  /** What would make it usable; empty where nothing has to. */
  readonly cure: string;
}

/**
 * From which release on: KEP-2625 (pkg/kubelet/cm/cpumanager/policy_options.go) for whole cores, KEP-4540 for the strict
 * reservation.
 */
const RELEASES: Readonly<
  Record<PolicyOption, { readonly alpha: string; readonly beta: string; readonly stable: string }>
> = {
  'full-pcpus-only': { alpha: '1.22', beta: '1.23', stable: '1.33' },
  'strict-cpu-reservation': { alpha: '1.32', beta: '1.33', stable: '1.35' },
};

const ALL = 'CPUManagerPolicyOptions';
const USABLE: OptionSupport = { isUsable: true, why: '', cure: '' };

/**
 * Whether a kubelet takes an option; it does not start with one that it does not. `gate` is a feature gate as it is set,
 * or undefined where only its default counts. Their defaults by release: pkg/features/kube_features.go.
 */
export function supportOf(
  option: PolicyOption,
  version: string | undefined,
  gate: (name: string) => boolean | undefined,
): OptionSupport {
  if (version === undefined) {
    return unusable('the version of the kubelet is not known', 'see that kubelet --version works');
  }
  const { alpha, beta, stable } = RELEASES[option];
  if (!isAtLeast(version, alpha)) {
    return unusable(`kubelet ${version} does not have it: it came with ${alpha}`, `bring the kubelet to ${beta}`);
  }
  const hasOptions = isAtLeast(version, '1.23') ? (gate('AllBeta') ?? true) : (gate('AllAlpha') ?? false);
  if (!isAtLeast(version, '1.33') && !(gate(ALL) ?? hasOptions)) return switchedOff(ALL);
  if (isAtLeast(version, stable) || !isAtLeast(version, '1.23')) return USABLE;
  const isBeta = isAtLeast(version, beta);
  const name = isBeta ? 'CPUManagerPolicyBetaOptions' : 'CPUManagerPolicyAlphaOptions';
  const isOn = gate(name) ?? (isBeta ? (gate('AllBeta') ?? true) : (gate('AllAlpha') ?? false));
  if (isOn) return USABLE;
  if (isBeta) return switchedOff(name);
  const why = `it is alpha in kubelet ${version}, whose feature gate ${name} is off`;
  return unusable(why, `bring the kubelet to ${beta}, or set featureGates: ${name}: true`);
}

function switchedOff(gate: string): OptionSupport {
  return unusable(`the feature gate ${gate} is off`, `remove ${gate} from featureGates`);
}

function unusable(why: string, cure: string): OptionSupport {
  return { isUsable: false, why, cure };
}
