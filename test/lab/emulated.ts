import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Adapter } from './adapter.ts';
import { diskOf } from './image.ts';
import { machineFolder, scratchFolder } from './paths.ts';
import { capture, isAlive, quote, run, signalProcess, sleep } from './process.ts';
import { type Disks, qemuCommand } from './qemu.ts';
import type { MachineRecord } from './record.ts';
import { ensureWarm, warmFormats } from './warm.ts';

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
    const warm = await ensureWarm(spec, image, () => {});
    const overlay = async (disk: keyof Disks) => {
      const file = join(scratch, `${disk}.qcow2`);
      const backing = ['-b', warm.disks[disk], '-F', warmFormats[disk]];
      await run(['qemu-img', 'create', '-q', '-f', 'qcow2', ...backing, file]);
      return file;
    };
    const disks = { root: await overlay('root'), swap: await overlay('swap'), data: await overlay('data') };
    const formats = { root: 'qcow2', swap: 'qcow2', data: 'qcow2' } as const;
    const port = await freePort();
    const command = qemuCommand({ ...spec, ...diskOf(image), disks, formats, port });
    return { argv: [...command, '-monitor', 'none', '-incoming', `exec:cat '${warm.state}'`], env: process.env, port };
  },

  /** The saved clock stands where it was saved. */
  async awake(record, signal) {
    while (!signal.aborted) {
      const clock = [...ssh(record, 'root'), `date --set=@${Date.now() / 1000}`];
      if ((await capture(clock, { timeoutMs: 120_000 }).catch(() => undefined))?.code === 0) return;
      await sleep(500);
    }
  },

  connections: (record) =>
    ['root', 'alice'].map((user) => ({ argv: sshMaster(record, user), socket: controlSocket(record.name, user) })),

  stop(record) {
    if (record.host !== undefined) signalProcess(record.host, 'SIGKILL');
  },

  async clean(record) {
    rmSync(scratchFolder(record.name), { recursive: true, force: true });
  },

  ask: (record, script) => (record.host && isAlive(record.host) ? [...ssh(record, 'root'), script] : undefined),

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
