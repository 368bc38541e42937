import type { MachineSpec } from './catalogue.ts';

/** The machine that QEMU emulates: the same for the boot that is saved and for those that start from it. */

export interface Disks {
  readonly root: string;
  readonly swap: string;
  readonly data: string;
}

export interface QemuOptions extends Pick<MachineSpec, 'suite' | 'layout'> {
  readonly name: string;
  readonly kernel: string;
  readonly initrd: string;
  readonly kernelArguments: readonly string[];
  readonly disks: Disks;
  /** How the files hold the disks. */
  readonly formats: { readonly [Disk in keyof Disks]: 'raw' | 'qcow2' };
  /** The port on 127.0.0.1 that leads to the guest's sshd. */
  readonly port?: number;
}

/** The console is the process's output. The command ends with the process that starts it. */
export function qemuCommand(options: QemuOptions): string[] {
  const { cpu, smp, nodes } = layouts[options.layout ?? 'alike'];
  const { name, suite, kernel, initrd, kernelArguments, disks, formats, port } = options;
  // Linux 7.2 on CPUs that run at once was seen to panic under QEMU 7.2, now and then and on a busy host: with
  // "Oops: int3", as if a CPU ran code that another one had patched back already, and in the timers of an idle CPU.
  const thread = suite === 'forky' ? 'single' : 'multi';
  const drive = (disk: keyof Disks) => [
    '-drive',
    `file=${disks[disk]},format=${formats[disk]},if=virtio,cache=unsafe,discard=unmap`,
  ];
  const forward = port === undefined ? '' : `,hostfwd=tcp:127.0.0.1:${port}-:22`;
  return [
    ...['setpriv', '--pdeathsig', 'KILL', '--', 'qemu-system-x86_64', '-name', name, '-nodefaults', '-no-user-config'],
    // KVM is never asked for: where it exists and does not work, guests hang. cx16 crashes newer kernels under TCG.
    ...['-machine', 'q35', '-accel', `tcg,thread=${thread}`, '-cpu', cpu, '-smp', smp, '-m', '2048', ...nodes],
    ...['-kernel', kernel, '-initrd', initrd, '-append', kernelLine(kernelArguments)],
    ...[...drive('root'), ...drive('swap'), ...drive('data')],
    ...['-netdev', `user,id=net,restrict=on${forward}`, '-device', 'virtio-net-pci,netdev=net'],
    ...['-device', 'virtio-rng-pci', '-display', 'none', '-serial', 'stdio'],
  ];
}

const halfOf = (node: number): string[] => [
  ...['-object', `memory-backend-ram,id=memory${node},size=1G`],
  ...['-numa', `node,nodeid=${node},cpus=${node * 4}-${node * 4 + 3},memdev=memory${node}`],
];

const layouts = {
  alike: { cpu: 'max,cx16=off', smp: '4', nodes: [] },
  // Of the AMD that QEMU emulates by itself Linux would see no cache that two CPUs share: topoext is not emulated.
  numa: {
    cpu: 'max,cx16=off,vendor=GenuineIntel,l3-cache=on',
    smp: '8,sockets=2,cores=2,threads=2',
    nodes: [halfOf(0), halfOf(1)].flat(),
  },
} as const;

const kernelLine = (more: readonly string[]): string =>
  ['root=/dev/vda rw console=ttyS0 earlyprintk=ttyS0 quiet net.ifnames=0 mitigations=off', ...more].join(' ');
