import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { baseOf, type MachineSpec } from './catalogue.ts';
import { diskOf } from './image.ts';
import { withLock } from './lock.ts';
import { run, sleep } from './process.ts';
import { type Disks, qemuCommand } from './qemu.ts';

/** What lab-ready.service writes on the console when the boot is over and alice's user manager runs. */
const readyLine = 'slicectl-lab-ready';

/** A machine that has booted, saved: its disks, and the state of memory and devices. */
export interface Warm {
  readonly disks: Disks;
  readonly state: string;
}

const formats = { root: 'qcow2', swap: 'raw', data: 'raw' } as const;
export const warmFormats = formats;

const warmOf = (folder: string): Warm => ({
  disks: { root: join(folder, 'root.qcow2'), swap: join(folder, 'swap.raw'), data: join(folder, 'data.raw') },
  state: join(folder, 'state'),
});

/**
 * An emulated boot takes a minute or more, so each machine boots once, is saved when it is ready, and starts from
 * there ever after. The name carries what the state depends on beside the image.
 */
export async function ensureWarm(spec: MachineSpec, image: string, say: (line: string) => void): Promise<Warm> {
  const { kernel, initrd } = diskOf(image);
  const base = baseOf(spec.name);
  const command = (disks: Disks) => qemuCommand({ ...spec, name: base, kernel, initrd, disks, formats });
  const version = await run(['qemu-system-x86_64', '--version']);
  const recipe = JSON.stringify([version, command({ root: '', swap: '', data: '' })]);
  const folder = join(image, `warm-${base}-${createHash('sha256').update(recipe).digest('hex').slice(0, 16)}`);
  if (existsSync(folder)) return warmOf(folder);
  return withLock(join(image, `warm-${base}.lock`), async () => {
    if (existsSync(folder)) return warmOf(folder);
    const started = Date.now();
    say(`booting ${base} for the first time (once; some minutes)`);
    for (const old of readdirSync(image).filter((name) => name.startsWith(`warm-${base}-`))) {
      rmSync(join(image, old), { recursive: true, force: true });
    }
    const partial = `${folder}.partial`;
    mkdirSync(partial, { mode: 0o700 });
    const { disks, state } = warmOf(partial);
    await makeDisks(image, disks);
    // A socket's path has 107 bytes at most (unix(7)), which names of machines and hashes exceed in the cache.
    const own = mkdtempSync(join(tmpdir(), 'slicectl-lab-'));
    try {
      await save(command(disks), join(own, 'monitor'), state);
    } finally {
      rmSync(own, { recursive: true });
    }
    renameSync(partial, folder);
    say(`saved ${base} after ${Math.round((Date.now() - started) / 1000)} s`);
    return warmOf(folder);
  });
}

async function makeDisks(image: string, { root, swap, data }: Disks): Promise<void> {
  await run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', diskOf(image).disk, '-F', 'raw', root]);
  await run(['truncate', '--size=512M', swap]);
  await run(['mkswap', swap]);
  await run(['truncate', '--size=1G', data]);
  await run(['mkfs.ext4', '-q', '-F', data]);
}

async function save(command: readonly string[], monitor: string, state: string): Promise<void> {
  const [file = '', ...rest] = [...command, '-monitor', `unix:${monitor},server=on,wait=off`];
  const qemu = spawn(file, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
  try {
    await untilReady(qemu);
    await sleep(2000);
    // The monitor takes the next line when the last one is done.
    await tell(monitor, `migrate "exec:cat >'${state}'"\nquit\n`, qemu);
    if (!existsSync(state) || statSync(state).size < 10_000_000) throw new Error('lab: QEMU did not save the machine');
  } finally {
    qemu.kill('SIGKILL');
  }
}

function untilReady(qemu: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let console = '';
    const failed = (why: string) => reject(new Error(`lab: the machine ${why}\n${console.slice(-3000)}`));
    const timer = setTimeout(() => failed('did not boot within ten minutes'), 600_000);
    for (const stream of [qemu.stdout, qemu.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        console += chunk.toString('latin1');
        if (!console.includes(readyLine)) return;
        clearTimeout(timer);
        resolve();
      });
    }
    qemu.once('error', reject);
    qemu.once('close', () => failed('ended in its boot'));
  });
}

/** Sends lines to QEMU's monitor, the last of which ends it. */
async function tell(monitor: string, lines: string, qemu: ChildProcess): Promise<void> {
  const ended = new Promise<void>((resolve) => qemu.once('close', () => resolve()));
  const socket = connect(monitor, () => socket.write(lines));
  socket.on('error', () => {});
  socket.resume();
  await ended;
}
