import { quote } from '../../core/errors.ts';
import { isAtLeast } from '../../core/program-version.ts';
import type { Finding } from '../model.ts';
import type { KubeletFacts } from './facts.ts';
import { booleanOf, placesOf, type Setting, settingOf, textOf } from './settings.ts';

/** What is wrong or strange with fields about cgroups, whatever the driver is. */
export function lint(facts: KubeletFacts): readonly Finding[] {
  return [...misspelled(facts), ...names(facts), ...allocatable(facts), ...reservations(facts), ...cgroupV1(facts)];
}

function at({ source }: Setting): Pick<Finding, 'path' | 'line' | 'column'> {
  const { path, line, column } = source;
  return { ...(path && { path }), ...(line && { line }), ...(column && { column }) };
}

/** Keys that look like the driver's and are none: the kubelet's decoder minds case, and only warns in its log. */
function misspelled({ settings }: KubeletFacts): Finding[] {
  return settings.layers.flatMap(({ file, path }) => {
    const { value } = file.documents[0] ?? {};
    const keys = typeof value === 'object' && value !== null ? Object.keys(value) : [];
    const wrong = keys.filter((key) => key !== 'cgroupDriver' && /^cgroup[-_]?driver$/i.test(key));
    return wrong.map((key) => {
      const { line, column } = file.get([key]) ?? { line: 1, column: 1 };
      const message = `${quote(key)} is no key of a kubelet and sets nothing`;
      return {
        severity: 'warning',
        code: 'kubelet-unknown-key',
        message,
        hint: 'write cgroupDriver',
        path,
        line,
        column,
      } as const;
    });
  });
}

/** Fields that hold a name in the form of cgroupfs, which the systemd driver turns into a slice. */
const CONVERTED = ['systemReservedCgroup', 'kubeReservedCgroup', 'cgroupRoot'];

function names({ settings }: KubeletFacts): Finding[] {
  const doubled = CONVERTED.flatMap((field): Finding[] => {
    const setting = settingOf(settings, field);
    if (typeof setting?.value !== 'string' || !setting.value.endsWith('.slice')) return [];
    const plain = setting.value.slice(0, -'.slice'.length);
    return [
      {
        severity: 'warning',
        code: 'kubelet-doubled-slice',
        message: `${field} is ${quote(setting.value)}, of which older kubelets with the systemd driver make ${quote(`${setting.value}.slice`)}`,
        hint: `write ${plain}, which every kubelet takes for ${plain}.slice (kubernetes#72853, #92175)`,
        ...at(setting),
      },
    ];
  });
  const relative = ['systemReservedCgroup', 'kubeReservedCgroup'].flatMap((field): Finding[] => {
    const setting = settingOf(settings, field);
    if (typeof setting?.value !== 'string' || setting.value.startsWith('/')) return [];
    const message = `${field} is ${quote(setting.value)}, which is not absolute`;
    return [{ severity: 'warning', code: 'kubelet-relative-cgroup', message, hint: 'begin it with /', ...at(setting) }];
  });
  return [...doubled, ...relative];
}

/** pkg/kubelet/apis/config/validation/validation.go: what a kubelet refuses to start with. */
function allocatable({ settings }: KubeletFacts): Finding[] {
  const found: Finding[] = [];
  // Here an empty flag counts: it is an empty list.
  const [enforced] = placesOf(settings, 'enforceNodeAllocatable');
  const kinds = enforced === undefined ? ['pods'] : listOf(enforced.value);
  const refuse = (message: string, hint: string, setting: Setting | undefined): void => {
    found.push({ severity: 'error', code: 'kubelet-refuses', message, hint, ...(setting && at(setting)) });
  };
  const perQos = settingOf(settings, 'cgroupsPerQOS');
  if (booleanOf(settings, 'cgroupsPerQOS') === false && kinds.some((kind) => kind !== 'none' && kind !== '')) {
    const message = `the kubelet does not start with cgroupsPerQOS false while enforceNodeAllocatable has ${quote(kinds.join(', '))}`;
    refuse(message, 'remove cgroupsPerQOS, or set enforceNodeAllocatable to an empty list', perQos);
  }
  for (const [kind, field] of [
    ['system-reserved', 'systemReservedCgroup'],
    ['kube-reserved', 'kubeReservedCgroup'],
  ] as const) {
    const isEnforced = kinds.some((each) => each === kind || each === `${kind}-compressible`);
    if (!isEnforced || settingOf(settings, field) !== undefined) continue;
    refuse(
      `the kubelet does not start with ${kind} in enforceNodeAllocatable and no ${field}`,
      `set ${field}`,
      enforced,
    );
  }
  const cpus = settingOf(settings, 'reservedSystemCPUs');
  const cgroup = settingOf(settings, 'systemReservedCgroup') ?? settingOf(settings, 'kubeReservedCgroup');
  if (cpus !== undefined && cgroup !== undefined) {
    const message =
      'the kubelet does not start with reservedSystemCPUs beside systemReservedCgroup or kubeReservedCgroup';
    refuse(message, 'keep one of them', cpus);
  }
  return found;
}

function listOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.map(String);
  return typeof value === 'string' ? value.split(',') : [];
}

/** The static CPU manager wants a CPU or a part of one left for the system (pkg/kubelet/cm/cpumanager/policy_static.go). */
function reservations({ settings }: KubeletFacts): Finding[] {
  const policy = settingOf(settings, 'cpuManagerPolicy');
  if (policy?.value !== 'static' || settingOf(settings, 'reservedSystemCPUs') !== undefined) return [];
  const hasCpu = ['systemReserved', 'kubeReserved'].some((field) =>
    placesOf(settings, field).some(({ value }) => reservesCpu(value)),
  );
  if (hasCpu) return [];
  const message = 'the kubelet does not start with cpuManagerPolicy static and no CPU reserved for the system';
  const hint = 'set reservedSystemCPUs, or cpu in systemReserved or kubeReserved';
  return [{ severity: 'error', code: 'kubelet-refuses', message, hint, ...at(policy) }];
}

function reservesCpu(value: unknown): boolean {
  if (typeof value === 'string') return /(^|,)\s*cpu=(?!0+m?(,|$))/.test(value);
  if (typeof value !== 'object' || value === null || !('cpu' in value)) return false;
  return !/^0+(\.0*)?m?$/.test(String(value.cpu));
}

/** KEP-5573: refused by default from 1.35 on. */
function cgroupV1({ settings, version, isV1 }: KubeletFacts): Finding[] {
  if (!isV1 || version === undefined || !isAtLeast(version, '1.35')) return [];
  if (booleanOf(settings, 'failCgroupV1') === false) return [];
  return [
    {
      severity: 'error',
      code: 'kubelet-cgroup-v1',
      message: `a kubelet ${version} does not start on cgroup v1`,
      hint: 'boot with cgroup v2; failCgroupV1: false puts it off',
    },
  ];
}

/** The driver's value where it is none that a kubelet knows. */
export function wrongValue({ settings }: KubeletFacts): Finding | undefined {
  const setting = settingOf(settings, 'cgroupDriver');
  const value = setting?.value;
  if (setting === undefined || typeof value !== 'string' || value === 'systemd' || value === 'cgroupfs')
    return undefined;
  const isQuoted = /^(['"]).*\1$/.test(value);
  return {
    severity: 'error',
    code: 'kubelet-wrong-value',
    message: `${setting.source.text} is ${quote(value)}, and the kubelet takes everything but systemd for cgroupfs`,
    hint: isQuoted
      ? 'remove the quotes, which reach the kubelet as they are (minikube#6544)'
      : 'write systemd or cgroupfs',
    ...at(setting),
  };
}

/** Whether the kubelet's own word for the driver is the text of a driver. */
export function ownDriver(facts: Pick<KubeletFacts, 'settings'>): 'systemd' | 'cgroupfs' {
  return textOf(facts.settings, 'cgroupDriver') === 'systemd' ? 'systemd' : 'cgroupfs';
}
