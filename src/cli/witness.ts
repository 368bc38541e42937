import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { readIfThere } from '../host/files.ts';

const PAUSE_MS = 3;

/**
 * A bystander in slicectl's process group. A signal to the whole group (from the terminal, `kill %1`, timeout(1)) ends it
 * too; one to slicectl alone does not. Node has no siginfo, which would tell the two apart.
 */
export class Witness {
  #child: ChildProcess = standing();

  /** Whether the signal that has just come went to the whole group. SIGQUIT, which leaves core files, it does not see. */
  async sawIt(): Promise<boolean> {
    const child = this.#child;
    let calm = 0;
    // A group's signals are queued one after another: two looks in which nothing happens to it, and it was left out.
    while (calm < 2) {
      const state = stateOf(child);
      if (state === 'struck') {
        if (this.#child === child) this.#child = standing();
        return true;
      }
      calm = state === 'calm' ? calm + 1 : 0;
      await pause(PAUSE_MS);
    }
    return false;
  }

  stop(): void {
    this.#child.stdin?.destroy();
  }
}

function standing(): ChildProcess {
  const child = spawn('/bin/sh', ['-c', "trap '' QUIT; exec cat"], { stdio: ['pipe', 'ignore', 'ignore'] });
  // Where it cannot start, or is gone, every signal counts as one to slicectl alone.
  child.on('error', () => undefined);
  child.stdin?.on('error', () => undefined);
  return child;
}

/** `busy` while it starts or is about to end. */
function stateOf(child: ChildProcess): 'calm' | 'busy' | 'struck' {
  if (child.pid === undefined) return 'calm';
  if (child.signalCode !== null) return 'struck';
  if (child.exitCode !== null) return 'calm';
  const status = readIfThere(`/proc/${child.pid}/status`) ?? '';
  const state = /^State:\s*(\w)/m.exec(status)?.[1];
  const isPending = /^(?:SigPnd|ShdPnd):\s*0*[1-9a-f]/m.test(status);
  if (isPending || state === 'Z') return 'struck';
  return state === 'S' || state === 'T' ? 'calm' : 'busy';
}
