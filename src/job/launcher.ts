import type { Backend, BackendKind, Plan } from '../backend/backend.ts';
import { openBackend } from '../backend/choose.ts';
import type { Machine } from '../core/quantity.ts';
import { readMachine } from '../host/machine.ts';
import { HOST, type HostPaths } from '../host/paths.ts';
import { readSelf, type Self } from '../host/self.ts';
import { type LaunchOptions, type Launchpad, launch, planLaunch } from './launch.ts';
import type { Job } from './running.ts';
import type { DetachedService, ServiceOptions } from './service.ts';

export interface LauncherOptions {
  /** Default `auto`: systemd where it is booted and its bus answers, else plain cgroups. */
  readonly backend?: 'auto' | BackendKind;
  /** Which systemd manager: default `system` for root, `user` for everybody else. */
  readonly manager?: 'system' | 'user';
  /** Where the host's trees are; for tests. */
  readonly paths?: HostPaths;
}

/** Starts any number of jobs over one connection to systemd, or in one cgroup tree. */
export class Launcher {
  readonly #pad: Launchpad;

  private constructor(pad: Launchpad) {
    this.#pad = pad;
  }

  /** Chooses the backend and connects. Rejects with `E_NO_BUS`, `E_NO_CGROUP`, `E_OWNED` or `E_PRIVILEGE`. */
  static async open(options: LauncherOptions = {}): Promise<Launcher> {
    const paths = options.paths ?? HOST;
    const self: Self = readSelf();
    const manager = options.manager ?? (self.uid === 0 ? 'system' : 'user');
    const backend = await openBackend({ wanted: options.backend ?? 'auto', manager, paths, self });
    return new Launcher({ backend, paths, self, machine: readMachine(paths), left: new Set() });
  }

  get backend(): Pick<Backend, 'kind' | 'label'> {
    return { kind: this.#pad.backend.kind, label: this.#pad.backend.label };
  }

  /** What percentages in limits refer to. */
  get machine(): Machine {
    return this.#pad.machine;
  }

  /**
   * Starts a command under limits and resolves when it runs, with every limit read back from the kernel. Rejects with an
   * {@link SlicectlError}; then nothing of the command has run and nothing is left behind.
   */
  launch(command: string, args: readonly string[] = [], options: LaunchOptions = {}): Promise<Job> {
    return launch(this.#pad, command, args, options);
  }

  /** What {@link launch} would send and write; checks the same input and changes nothing. */
  plan(command: string, args: readonly string[] = [], options: LaunchOptions = {}): Promise<Plan> {
    return planLaunch(this.#pad, command, args, options);
  }

  /** Has systemd start the command as a transient service, and gives the job once it runs. */
  async launchService(command: string, args: readonly string[] = [], options: ServiceOptions = {}): Promise<Job> {
    const { launchService } = await import('./service.ts');
    return launchService(this.#pad, command, args, options);
  }

  /** As {@link launchService}, for a service that goes on when this process ends. */
  async startDetached(
    command: string,
    args: readonly string[] = [],
    options: ServiceOptions = {},
  ): Promise<DetachedService> {
    const { startDetached } = await import('./service.ts');
    return startDetached(this.#pad, command, args, options);
  }

  /** What {@link launchService}, or with `isAwaited` false {@link startDetached}, would send. */
  async planService(
    command: string,
    args: readonly string[] = [],
    options: ServiceOptions = {},
    isAwaited = true,
  ): Promise<Plan> {
    const { planService } = await import('./service.ts');
    return planService(this.#pad, command, args, options, isAwaited);
  }

  /**
   * Removes the empty groups of launchers that were killed, and of this launcher's jobs whose left processes have ended
   * since; the names of the former.
   */
  async sweep(): Promise<readonly string[]> {
    for (const group of this.#pad.left) if (await group.remove()) this.#pad.left.delete(group);
    return this.#pad.backend.sweep();
  }

  /** Ends the connection. Jobs that still run go on; await their results first. */
  close(): void {
    this.#pad.backend.close();
  }
}
