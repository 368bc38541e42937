import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Adapter } from './adapter.ts';
import { diskOf } from './image.ts';
import { machineFolder, scratchFolder } from './paths.ts';
import { quote, run, signalProcess, sleep } from './process.ts';
import type { MachineRecord } from './record.ts';

/** What lab-ready.service writes on the console. */
const readyLine = 'slicectl-lab-ready';

/** A death by signal N becomes status 128+N, which ssh alone would report as 255. */
const statusProgram =
  '$p = fork; if (!$p) { exec { $ARGV[0] } @ARGV; print STDERR "$ARGV[0]: $!\\n"; exit($!{ENOENT} ? 127 : 126) } ' +
  'waitpid $p, 0; exit($? & 127 ? 128 + ($? & 127) : $? >> 8)';

export const emulated: Adapter = {
  bootTimeoutMs: 600_000,

  async start(spec, image) {
    const scratch = scratchFolder(spec.name);
    rmSync(scratch, { recursive: true, force: true });
    mkdirSync(scratch, { recursive: true, mode: 0o700 });
    const { disk, kernel, initrd } = diskOf(image);
    const [root, swap, data] = ['root.qcow2', 'swap.raw', 'data.raw'].map((file) => join(scratch, file)) as [
      string,
      string,
      string,
    ];
    await run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', disk, '-F', 'raw', root]);
    await run(['truncate', '--size=512M', swap]);
    await run(['mkswap', swap]);
    await run(['truncate', '--size=1G', data]);
    await run(['mkfs.ext4', '-q', '-F', data]);
    const port = await freePort();
    const drive = (file: string, format: string) =>
      `file=${file},format=${format},if=virtio,cache=unsafe,discard=unmap`;
    const kernelLine = ['root=/dev/vda rw console=ttyS0 quiet net.ifnames=0 mitigations=off', ...spec.kernelArguments];
    return {
      // KVM is not asked for: where it exists and does not work, guests hang. cx16 crashes newer kernels under TCG.
      argv: [
        ...[
          'setpriv',
          '--pdeathsig',
          'KILL',
          'qemu-system-x86_64',
          '-name',
          spec.name,
          '-nodefaults',
          '-no-user-config',
        ],
        ...['-machine', 'q35', '-accel', 'tcg,thread=multi', '-cpu', 'max,cx16=off', '-smp', '4', '-m', '2048'],
        ...['-kernel', kernel, '-initrd', initrd, '-append', kernelLine.join(' ')],
        ...['-drive', drive(root, 'qcow2'), '-drive', drive(swap, 'raw'), '-drive', drive(data, 'raw')],
        ...[
          '-netdev',
          `user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:${port}-:22`,
          '-device',
          'virtio-net-pci,netdev=net',
        ],
        ...['-device', 'virtio-rng-pci', '-display', 'none', '-monitor', 'none', '-serial', 'stdio'],
      ],
      env: process.env,
      port,
    };
  },

  async awake(_record, output, signal) {
    while (!output().includes(readyLine) && !signal.aborted) await sleep(200);
  },

  connections: (record) =>
    ['root', 'alice'].map((user) => ({ argv: sshMaster(record, user), socket: controlSocket(record.name, user) })),

  stop(record) {
    if (record.host !== undefined) signalProcess(record.host, 'SIGKILL');
  },

  async clean(record) {
    rmSync(scratchFolder(record.name), { recursive: true, force: true });
  },

  enter(record, user, script, argv) {
    const words = ['perl', '-MErrno', '-e', statusProgram, '--', 'sh', '-c', script, 'sh', ...argv];
    return [...ssh(record, user), `exec ${words.map(quote).join(' ')}`];
  },
};

const controlSocket = (name: string, user: string): string => join(machineFolder(name), `ssh-${user}`);

/** Runs one command line; through the standing connection of this user when there is one. */
function ssh(record: MachineRecord, user: string): string[] {
  const socket = controlSocket(record.name, user);
  return [
    ...sshBase(record),
    ...(existsSync(socket) ? ['-o', `ControlPath=${socket}`] : []),
    `${user}@127.0.0.1`,
    '--',
  ];
}

/** Holds a standing connection of this user until it is ended. */
const sshMaster = (record: MachineRecord, user: string): string[] => [
  ...['setpriv', '--pdeathsig', 'TERM', ...sshBase(record)],
  ...['-M', '-N', '-o', `ControlPath=${controlSocket(record.name, user)}`, `${user}@127.0.0.1`],
];

function sshBase(record: MachineRecord): string[] {
  const options = {
    BatchMode: 'yes',
    ConnectTimeout: '60',
    IdentitiesOnly: 'yes',
    LogLevel: 'ERROR',
    ServerAliveInterval: '30',
    ServerAliveCountMax: '20',
    StrictHostKeyChecking: 'no',
    UserKnownHostsFile: '/dev/null',
  };
  const words = Object.entries(options).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
  return ['ssh', '-F', 'none', '-p', String(record.port), '-i', diskOf(record.image).key, ...words];
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        typeof address === 'object' && address ? resolve(address.port) : reject(new Error('lab: no port')),
      );
    });
  });
}
