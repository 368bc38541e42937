import { intersection, parseIndexSet } from '../../../src/core/cpuset.ts';
import { catalogue } from '../catalogue.ts';
import { chosen } from '../chosen.ts';
import { LabMachine } from '../lab-machine.ts';
import { MASKS_PROGRAM, type Mask, parseMasks, parseSeen, SEEN_PROGRAM, type Seen } from './masks.ts';

/** Machines with 8 CPUs as 2 packages and nodes × 2 cores × 2 threads; SLICECTL_LAB names others than these. */
export const NUMA_MACHINES = catalogue
  .filter(({ layout, kernelArguments }) => layout === 'numa' && kernelArguments.length === 0)
  .filter(({ name, onRequest }) => chosen?.includes(name) ?? !onRequest)
  .map(({ name, systemd }) => ({ name, systemd }));

/** Those on which a reservation is undone: the other systemd, and those that SLICECTL_LAB names. */
export const UNDO_MACHINES = catalogue
  .filter(({ layout, kernelArguments }) => layout === 'numa' && kernelArguments.length === 0)
  .filter(({ name, systemd }) => chosen?.includes(name) ?? systemd === 262)
  .map(({ name, systemd }) => ({ name, systemd }));

/** The same with `isolcpus=6-7` on the kernel command line: that of systemd 257, and those that SLICECTL_LAB names. */
export const ISOLCPUS_MACHINES = catalogue
  .filter(({ kernelArguments }) => kernelArguments.includes('isolcpus=6-7'))
  .filter(({ name, systemd }) => chosen?.includes(name) ?? systemd === 257)
  .map(({ name, systemd }) => ({ name, systemd }));

/**
 * Where a busy loop runs: a slice by its name gets a service of its own (`-.slice` is the root slice, any other one is
 * made by that), `login` is a session of alice's, `user` a unit of her user manager, the others are containers of Docker.
 */
export type Where = 'login' | 'user' | 'docker-systemd' | 'docker-cgroupfs' | `${string}.slice`;

/** All places where work can be that reservations have to think of. */
export const EVERYWHERE: readonly Where[] = [
  'system.slice',
  'user.slice',
  'login',
  'user',
  '-.slice',
  'machine.slice',
  'docker-systemd',
  'docker-cgroupfs',
];

/** Busy loops that were started: processes called `busy`. */
export interface Busy {
  readonly where: Where;
  /** What systemd or Docker knows it by: `busy-system.service`; for `user`, in alice's manager. */
  readonly name: string;
  /** Where the kernel says that they are. */
  readonly cgroup: string;
  readonly pids: readonly number[];
}

/** The cpuset files of a group; undefined where it has none. */
export interface CpusetFiles {
  readonly asked: string | undefined;
  readonly effective: string | undefined;
  readonly partition: string | undefined;
}

/** One machine for the tests of one file. A test that needs it as it was made ends it and opens another one. */
export class CpuLab extends LabMachine {
  protected override readonly patience = { looks: 150, everyMs: 200 };

  static async open(name: string, suffix: string): Promise<CpuLab> {
    const lab = new CpuLab(await LabMachine.make(name, suffix));
    await lab.out('cat >/usr/local/bin/busy; chmod 755 /usr/local/bin/busy', { input: BUSY_PROGRAM });
    return lab;
  }

  /** What is in the cpuset files of `/system.slice`, `/`, …, without the newline. */
  async cpuset(group: string): Promise<CpusetFiles> {
    const names = ['cpuset.cpus', 'cpuset.cpus.effective', 'cpuset.cpus.partition'];
    const text = await this.out(
      `cd /sys/fs/cgroup'${group}' && for name in ${names.join(' ')}; do if [ -e $name ]; then echo "=$(cat $name)"; else echo; fi; done`,
    );
    const [asked, effective, partition] = text.split('\n').map((line) => (line === '' ? undefined : line.slice(1)));
    return { asked, effective, partition };
  }

  /** Every thread of the machine but those of this look. */
  async masks(): Promise<readonly Mask[]> {
    return parseMasks(await this.#perl(MASKS_PROGRAM));
  }

  /** The threads that may run on any of the CPUs (`6-7`). */
  async whoMayRunOn(cpus: string): Promise<readonly Mask[]> {
    const asked = parseIndexSet(cpus, 'cpus');
    return (await this.masks()).filter(({ allowed }) => intersection(allowed, asked).length > 0);
  }

  /** The user threads that ran within so many seconds of the machine's clock, and on which CPUs they were found. */
  async seenRunning(seconds: number): Promise<readonly Seen[]> {
    return parseSeen(await this.#perl(SEEN_PROGRAM, String(seconds)));
  }

  /** The share of each CPU's time that tasks had (user, nice, system) in a window; by CPU number, 0 to 1. */
  async busyShares(seconds: number): Promise<readonly number[]> {
    const stat = `grep '^cpu[0-9]' /proc/stat`;
    const text = await this.out(`${stat}; echo --; sleep ${seconds}; ${stat}`);
    const [before = [], after = []] = text.split('--\n').map(tasksTimes);
    return after.map(({ tasks, all }, cpu) => {
      const first = before[cpu] ?? { tasks: 0, all: 0 };
      return all === first.all ? 0 : (tasks - first.tasks) / (all - first.all);
    });
  }

  /** Starts busy loops at a place and waits until they run. Twice at one place needs a name of its own. */
  async busy(where: Where, { loops = 1, name = unitName(where), flat = false }: BusyOptions = {}): Promise<Busy> {
    const start = await this.#start(where, name, `${name} ${loops}${flat ? ' flat' : ''}`);
    // One script, since each takes a machine at work some seconds.
    const text = await this.out(`${start}
      for left in $(seq 300); do
        pids=$(pgrep -f '[/]busy ${name} ')
        [ $(echo "$pids" | grep -c .) -ne ${loops} ] || break
        sleep 1
      done
      sed -n 's/^0:://p' /proc/$(echo "$pids" | head -1)/cgroup; echo "$pids"`);
    const [cgroup = '', ...lines] = text.split('\n');
    const pids = lines.map(Number);
    if (pids.length !== loops) throw new Error(`of ${loops} busy loops at ${where} run: ${pids.join(' ')}`);
    return { where, name, cgroup, pids };
  }

  /** Ends every busy loop, with its unit or container. */
  async calm(): Promise<void> {
    await this.out(`docker rm --force $(docker ps --all --quiet --filter name=busy) >/dev/null 2>&1
      systemctl stop 'busy*.service' 2>/dev/null
      pkill -KILL -x busy
      while pgrep -x busy >/dev/null; do sleep 0.1; done
      systemctl reset-failed 'busy*.service' 2>/dev/null; true`);
  }

  /**
   * Docker on this driver, with an image called busybox. Containers that run go on, those of the other driver too.
   */
  async docker(driver: 'systemd' | 'cgroupfs'): Promise<void> {
    const settings = { 'exec-opts': [`native.cgroupdriver=${driver}`], 'live-restore': true };
    await this.write('/etc/docker/daemon.json', JSON.stringify(settings));
    await this.out(
      `systemctl reset-failed docker.service 2>/dev/null; systemctl start docker.socket && systemctl restart docker.service
      docker image inspect busybox >/dev/null 2>&1 || docker import /usr/local/share/lab/busybox.tar busybox`,
      { timeoutMs: 600_000 },
    );
  }

  #perl(program: string, ...argv: string[]): Promise<string> {
    return this.out(`perl - ${argv.join(' ')}`, { input: program });
  }

  /** What starts the loops, as root. */
  async #start(where: Where, name: string, argv: string): Promise<string> {
    const service = (slice: string, command: string) =>
      `systemd-run --quiet --collect --slice=${slice} --unit=${name} ${command} || exit`;
    if (where === 'docker-systemd' || where === 'docker-cgroupfs') {
      const driver = where === 'docker-systemd' ? 'systemd' : 'cgroupfs';
      const now = (await this.sh(`docker info --format '{{.CgroupDriver}}'`)).stdout.trim();
      if (now !== driver) await this.docker(driver);
      // The quotes keep this script from being found as a loop.
      return `docker run --detach --network none --name ${name} --volume /usr/local/bin/busy:/busy busybox '/'busy ${argv} >/dev/null || exit`;
    }
    if (where === 'user') {
      await this.out(`systemd-run --user --quiet --collect --unit=${name} busy ${argv}`, { user: 'alice' });
      return '';
    }
    // A session of root's would keep su from getting one of its own.
    if (where === 'login') return service('system.slice', `su --login alice -c 'exec busy ${argv}'`);
    return service(where, `busy ${argv}`);
  }
}

export interface BusyOptions {
  /** How many loops; 1 unless told. */
  readonly loops?: number;
  /** Begins with `busy`. */
  readonly name?: string;
  /**
   * Whether they never sleep. Eight such loops make an emulated machine very slow, since it has two CPUs of the host;
   * others run a hundredth of the time, and start a program each time, so that new tasks are placed too.
   */
  readonly flat?: boolean;
}

/** Its name, how many loops, and `flat` for those that never sleep. Time is the machine's, which the host may delay. */
const BUSY_PROGRAM = `#!/bin/sh
i=1
while [ $i -lt $2 ]; do "$0" "$1" 1 $3 & i=$((i + 1)); done
while [ "$3" = flat ]; do :; done
now() { read -r t _ </proc/uptime; t=\${t%.*}\${t#*.}; }
while :; do
  now; end=$((t + 2))
  while [ $t -lt $end ]; do now; done
  sleep 2
done
`;

/** Each place's own, since loops are found by it. */
const NAMES: { readonly [place in Where]?: string } = { user: 'busy-manager', '-.slice': 'busy-root' };
const unitName = (where: Where): string => NAMES[where] ?? `busy-${where.replace(/\.slice$/, '')}`;

/** Ticks by CPU number: those of tasks, and all. */
function tasksTimes(text: string): { tasks: number; all: number }[] {
  const times: { tasks: number; all: number }[] = [];
  for (const line of text.trim().split('\n')) {
    const [cpu = '', ...fields] = line.split(/\s+/);
    const ticks = fields.slice(0, 8).map(Number);
    const [user = 0, nice = 0, system = 0] = ticks;
    times[Number(cpu.slice(3))] = { tasks: user + nice + system, all: ticks.reduce((sum, each) => sum + each, 0) };
  }
  return times;
}
