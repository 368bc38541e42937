export type Kind = 'container' | 'emulated';

export interface MachineSpec {
  readonly name: string;
  readonly kind: Kind;
  readonly suite: string;
  /** What is in it beside systemd: Docker, containerd and podman, or nothing. */
  readonly flavour?: 'docker';
  /** What `systemctl --version` must say first. */
  readonly systemd: number;
  /** Added to the kernel command line of an emulated machine. */
  readonly kernelArguments: readonly string[];
  /** How the CPUs of an emulated machine lie: four alike unless told. */
  readonly layout?: 'numa';
  /** Only for who asks for it by its name, and in no list of machines to try. */
  readonly onRequest?: true;
}

const container = (name: string, suite: string, systemd: number): MachineSpec => ({
  name,
  kind: 'container',
  suite,
  systemd,
  kernelArguments: [],
});

const emulated = (name: string, suite: string, systemd: number, ...kernelArguments: string[]): MachineSpec => ({
  name,
  kind: 'emulated',
  suite,
  systemd,
  kernelArguments,
});

const docker = (name: string, suite: string, systemd: number): MachineSpec => ({
  ...container(name, suite, systemd),
  flavour: 'docker',
});

/** Eight CPUs, and Docker that does not start at boot. */
const numa = (name: string, suite: string, systemd: number, ...kernelArguments: string[]): MachineSpec => ({
  ...emulated(name, suite, systemd, ...kernelArguments),
  flavour: 'docker',
  layout: 'numa',
});

const onRequest = (spec: MachineSpec): MachineSpec => ({ ...spec, onRequest: true });

export const catalogue: readonly MachineSpec[] = [
  container('systemd-252', 'bookworm', 252),
  container('systemd-257', 'trixie', 257),
  container('systemd-262', 'forky', 262),
  docker('docker-252', 'bookworm', 252),
  docker('docker-257', 'trixie', 257),
  docker('docker-262', 'forky', 262),
  emulated('v2-252', 'bookworm', 252, 'systemd.unified_cgroup_hierarchy=1'),
  emulated('v2-257', 'trixie', 257),
  emulated('v2-262', 'forky', 262),
  emulated('v1-252', 'bookworm', 252, 'systemd.unified_cgroup_hierarchy=0'),
  numa('numa-257', 'trixie', 257),
  onRequest(numa('numa-262', 'forky', 262)),
  onRequest(numa('numa-252', 'bookworm', 252)),
  onRequest(numa('numa-257-isolcpus', 'trixie', 257, 'isolcpus=6-7')),
  onRequest(numa('numa-262-isolcpus', 'forky', 262, 'isolcpus=6-7')),
];

/**
 * `NAME`, or `NAME.SUFFIX` for one more machine like NAME that runs beside it: what a test takes that needs a machine
 * for itself.
 */
export function specOf(name: string): MachineSpec {
  const base = baseOf(name);
  const spec = catalogue.find((each) => each.name === base);
  if (spec === undefined || !/^[a-z0-9-]+(\.[a-z0-9-]+)?$/.test(name)) {
    throw new Error(`lab: no machine is called ${name}; there are ${catalogue.map((each) => each.name).join(', ')}`);
  }
  return { ...spec, name };
}

export const baseOf = (name: string): string => name.replace(/\..*/, '');
