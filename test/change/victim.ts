import process from 'node:process';
import { apply } from '../../src/change/apply.ts';
import { removeFileStep } from '../../src/change/file-step.ts';
import type { Plan, Step } from '../../src/change/plan.ts';
import { resume, undo } from '../../src/change/undo.ts';
import { SlicectlError } from '../../src/core/errors.ts';
import { DISK, type Disk } from '../../src/host/disk.ts';
import { job, ModelHost, RELOAD, runsWith, turn } from './ground.ts';

// A program of the tests: `victim.js ROOT apply|undo|resume [N]` ends itself by SIGKILL at the Nth call that
// alters the disk or asks a manager for something, half way through a write. Prints what came out as JSON.
const [root = '', action = '', killAt = '0'] = process.argv.slice(2);
const host = new ModelHost(root);
let calls = 0;

function die(): never {
  process.kill(process.pid, 'SIGKILL');
  for (;;);
}

function isLast(): boolean {
  calls += 1;
  return calls === Number(killAt);
}

const disk = new Proxy(DISK, {
  get(real, name: keyof Disk) {
    return (...args: never[]) => {
      if (isLast()) {
        const [fd, bytes, offset, length, position] = args as unknown as [number, Uint8Array, number, number, number];
        if (name === 'writeSync') real.writeSync(fd, bytes, offset, Math.floor(length / 2), position);
        die();
      }
      return (real[name] as (...all: never[]) => unknown)(...args);
    };
  },
});
host.onCall = () => {
  if (isLast()) die();
};

function plan(): Plan {
  const [first] = host.file('/etc/docker.conf', 'live-restore\n');
  if (first?.kind !== 'file' || !first.after.exists) throw new Error('no file step');
  const after = { ...first.after, bytes: Buffer.from('systemd\n') };
  const second: Step = { ...first, before: first.after, after };
  return host.plan(
    job('stop', 'kubelet'),
    first,
    job('reload', 'docker'),
    second,
    host.file('/etc/link.conf', 'new real\n'.repeat(500)),
    host.file('/etc/made/for/it.conf', 'new\n'),
    removeFileStep(host.tree, '/etc/gone.conf', 'not needed any more'),
    host.file('/etc/kubelet.conf', 'new\n'),
    RELOAD,
    turn('irq', 'all', 'few'),
    turn('cpus', 'all', 'few'),
    job('restart', 'docker', ['docker.socket']),
    runsWith('docker', 'systemd\n', 'cgroupfs\n'),
    job('start', 'kubelet'),
    runsWith('kubelet', 'new\n', 'old\n'),
  );
}

async function act(): Promise<unknown> {
  const context = host.context(disk);
  if (action === 'apply') return apply(plan(), context);
  return action === 'undo' ? undo(undefined, context) : resume(undefined, context);
}

try {
  process.stdout.write(JSON.stringify({ result: await act(), calls }));
} catch (error) {
  if (!(error instanceof SlicectlError)) throw error;
  process.stdout.write(JSON.stringify({ code: error.code, message: error.message, calls }));
}
