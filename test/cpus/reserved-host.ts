import type { ActionStep, ActionTable } from '../../src/change/plan.ts';
import { indicesTo, parseIndexSet } from '../../src/core/cpuset.ts';
import { readCpuFacts } from '../../src/cpus/facts.ts';
import type { CpuHost } from '../../src/cpus/show.ts';
import { wantedFor } from '../../src/cpus/want.ts';
import { RootTree } from '../../src/host/root-tree.ts';
import { PrivateSystemd } from '../fake/private-systemd.ts';
import { FakeHost, GUEST_8 } from './fake-host.ts';
import { type FakeTask, taskFiles, threadLists } from './task-files.ts';

export const DB_RECORD = 'etc/slicectl/reservations/db.slice.conf';
export const DB_TEXT = '[Reservation]\nSlice=db.slice\nAllowedCPUs=6-7\n';

/** The groups of the host, which are its units too. */
const SYSTEM_GROUPS = ['init.scope', 'system.slice', 'user.slice'] as const;

/**
 * A host of 8 CPUs with systemd on a bus of its own. As it is made, nobody has divided its CPUs: `hold` brings all to what
 * the records say, as a reservation leaves it.
 */
export class ReservedHost implements CpuHost {
  readonly files = new FakeHost();
  readonly systemd: PrivateSystemd;
  readonly paths = this.files.paths;
  readonly tree = new RootTree(this.files.root);
  readonly program = ['/usr/bin/node', '/opt/slicectl/main.js'];
  /** Who asks. */
  readonly uid: number = 0;

  private constructor(systemd: PrivateSystemd) {
    this.systemd = systemd;
    this.files.machine(GUEST_8).write({
      'proc/self/mountinfo': `30 1 0:26 / ${this.files.root}/sys/fs/cgroup rw - cgroup2 cgroup2 rw\n`,
      'proc/cmdline': 'quiet\n',
      'proc/sys/kernel/osrelease': '6.12.107+deb13-amd64\n',
      'proc/interrupts': '  CPU0\n',
      'sys/fs/cgroup/cgroup.controllers': 'cpuset cpu memory pids\n',
      'sys/fs/cgroup/cgroup.subtree_control': 'cpuset cpu memory pids\n',
      'sys/fs/cgroup/cpuset.cpus.effective': '0-7\n',
    });
    for (const name of SYSTEM_GROUPS) this.group(name, '').unit(name, '');
    this.unit('-.slice', '');
  }

  static async open(): Promise<ReservedHost> {
    return new ReservedHost(await PrivateSystemd.open());
  }

  get system(): PrivateSystemd['link'] {
    return this.systemd.link;
  }

  /** What the kernel has of a group: '' for one that asks for nothing. */
  group(name: string, cpus: string): this {
    const folder = `sys/fs/cgroup/${name}`;
    this.files.write({
      [`${folder}/cpuset.cpus`]: `${cpus}\n`,
      [`${folder}/cpuset.cpus.effective`]: `${cpus || '0-7'}\n`,
      [`${folder}/cpuset.cpus.partition`]: 'member\n',
    });
    return this;
  }

  /** What systemd has of a top-level unit. */
  unit(name: string, cpus: string): this {
    this.systemd.unit(name, {
      Slice: name === '-.slice' ? '' : '-.slice',
      ControlGroup: name === '-.slice' ? '' : `/${name}`,
      AllowedCPUs: parseIndexSet(cpus, name),
      EffectiveCPUs: cpus === '' ? indicesTo(7) : parseIndexSet(cpus, name),
      AllowedMemoryNodes: [],
      Transient: false,
      FragmentPath: '',
      DropInPaths: [],
    });
    return this;
  }

  task(pid: number, task: FakeTask): this {
    const files = taskFiles(pid, pid, task);
    this.files.write({ ...files, ...threadLists(files) });
    return this;
  }

  /** db.slice with payload CPUs 6-7, and all as its reservation wants it. */
  async hold(): Promise<this> {
    this.files.write({ [DB_RECORD]: DB_TEXT });
    this.group('db.slice', '6-7').unit('db.slice', '6-7');
    for (const name of SYSTEM_GROUPS) this.group(name, '0-5').unit(name, '0-5');
    const { files } = wantedFor(...(await this.#factsAndRecords()));
    this.files.write(Object.fromEntries(files.map(({ path, text }) => [path.slice(1), text])));
    return this;
  }

  async #factsAndRecords(): Promise<Parameters<typeof wantedFor>> {
    const facts = await readCpuFacts(this);
    return [facts, facts.records];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.systemd[Symbol.asyncDispose]();
    this.files[Symbol.dispose]();
  }
}

/** Actions that do nothing but tell it: `cpus.unit system.slice`. One fails where `told` throws. */
export function stubActions(names: readonly string[], told: (what: string) => void): ActionTable {
  return Object.fromEntries(
    names.map((name) => [
      name,
      {
        assertAsPlanned: async () => undefined,
        facts: async () => ({}),
        carryOut: async (parameters: ActionStep['parameters']) => {
          told([name, parameters.unit].filter((word) => word !== undefined).join(' '));
          return undefined;
        },
        takeBack: async () => undefined,
      },
    ]),
  );
}
