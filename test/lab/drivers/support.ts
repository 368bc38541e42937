import { catalogue } from '../catalogue.ts';
import { chosen } from '../chosen.ts';
import { LabMachine } from '../lab-machine.ts';

export { spoken } from '../lab-machine.ts';

const DOCKER: Readonly<Record<string, string>> = { bookworm: '20.10', trixie: '26.1', forky: '28.5' };

/** The containers with Docker in them, all unless SLICECTL_LAB names some. */
export const DOCKER_MACHINES = catalogue
  .filter(({ kind, flavour }) => kind === 'container' && flavour === 'docker')
  .filter(({ name }) => chosen?.includes(name) ?? true)
  .map(({ name, suite }) => ({ name, suite, docker: DOCKER[suite] ?? '' }));

export const DAEMON_JSON = '/etc/docker/daemon.json';
export const DROP_IN = '/etc/systemd/system/docker.service.d/driver.conf';

/** A command line of Debian's unit with one more flag, as people write it in a drop-in. */
export const dropInWith = (flag: string): string =>
  `# our fleet's\n[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock $DOCKER_OPTS ${flag}\n`;

export const ON_CGROUPFS = '--exec-opt native.cgroupdriver=cgroupfs';

/** A machine with Docker for the tests of one file. */
export class DriverLab extends LabMachine {
  static async open(name: string, suffix: string): Promise<DriverLab> {
    const lab = new DriverLab(await LabMachine.make(name, suffix));
    await lab.out(`docker image inspect busybox >/dev/null 2>&1 || docker import /usr/local/share/lab/busybox.tar busybox
      [ -e ${PRISTINE} ] || tar --create --file ${PRISTINE} --directory / $(cd / && ls -d ${CHANGED.join(' ')} 2>/dev/null)`);
    return lab;
  }

  /** The file to the byte. */
  async read(path: string): Promise<string> {
    return (await this.sh(`cat '${path}'`)).stdout;
  }

  async exists(path: string): Promise<boolean> {
    return (await this.sh(`[ -e '${path}' ] || [ -L '${path}' ]`)).code === 0;
  }

  /**
   * Gives the machine the configuration it was built with, no containers, no journal and running daemons that read it.
   */
  async fresh(): Promise<void> {
    await this.out(`
      systemctl stop kubelet 2>/dev/null
      docker rm --force $(docker ps --all --quiet) >/dev/null 2>&1
      chattr -i ${DAEMON_JSON} 2>/dev/null
      rm -rf /var/lib/slicectl ${CHANGED.map((path) => `/${path}`).join(' ')}
      tar --extract --file ${PRISTINE} --directory /
      rm -rf /var/lib/kubelet /usr/lib/systemd/system/kubelet.service* /etc/systemd/system/*.wants/kubelet.service /etc/docker /etc/containers/containers.conf /etc/containers/containers.conf.d /home/alice/.config/containers/containers.conf
      systemctl daemon-reload
      ${RESTART}`);
  }

  /** What is in /etc/docker beside the key that Docker 20.10 makes there. */
  inEtcDocker(): Promise<string> {
    return this.out(`ls -A /etc/docker 2>/dev/null | grep -vx key.json; true`);
  }

  /** Restarts Docker on what its files say, however often it was started of late. */
  async restartDocker(): Promise<void> {
    await this.out(RESTART);
  }

  /** Writes daemon.json and starts Docker on it. */
  async dockerWith(daemonJson: string): Promise<void> {
    await this.out(`mkdir -p /etc/docker; cat >${DAEMON_JSON}; ${RESTART}`, { input: daemonJson });
  }

  /** What Docker says its driver is. */
  dockerDriver(): Promise<string> {
    return this.out(`docker info --format '{{.CgroupDriver}}' 2>/dev/null`);
  }

  /** Starts a container that ends at once when it is stopped, and gives its id. */
  container(name: string, ...options: string[]): Promise<string> {
    return this.out(
      `docker run --detach --network none --stop-signal KILL --name ${name} ${options.join(' ')} busybox sleep infinity`,
    );
  }

  /** The container's process. */
  async pidOf(name: string): Promise<string> {
    return this.out(`docker inspect --format '{{.State.Pid}}' ${name}`);
  }

  /** Where the kernel says that the container's process is. */
  async cgroupOf(name: string): Promise<string> {
    return this.groupOfPid(await this.pidOf(name));
  }

  groupOfPid(pid: string): Promise<string> {
    return this.out(`sed -n 's/^0:://p' /proc/${pid}/cgroup`);
  }

  async mainPid(unit = 'docker.service'): Promise<string> {
    return (await this.show(unit, 'MainPID')).MainPID ?? '';
  }

  untilRuns(name: string): Promise<void> {
    return this.until(`[ "$(docker inspect --format '{{.State.Running}}' ${name})" = true ]`);
  }

  /** Every file of the configuration with its bytes, mode, owner and time, and which processes the daemons are. */
  fingerprint(...more: string[]): Promise<string> {
    return this.out(`find /etc /usr/lib/systemd /var/lib/kubelet /home ${more.join(' ')} \\( -path '*/containers/storage' -prune \\) -o \\
        -printf '%p %y %m %U:%G %T@ %s %l\\n' 2>/dev/null | sort
      find /etc -type f -exec sha256sum {} + | sort
      find /var/lib/slicectl 2>/dev/null
      systemctl show docker.service docker.socket containerd.service -p MainPID -p ActiveState -p ActiveEnterTimestampMonotonic`);
  }
}

const RESTART = `systemctl reset-failed docker.service docker.socket
  systemctl start docker.socket && systemctl restart docker.service`;

/** What a scenario changes by hand or lets slicectl change, as Debian's packages have it. */
const CHANGED = ['etc/systemd/system', 'etc/default', 'etc/containerd'];
const PRISTINE = '/root/pristine.tar';

/** Where Docker puts a container with each driver. */
export const LAYOUT = {
  systemd: (id: string): string => `/system.slice/docker-${id}.scope`,
  cgroupfs: (id: string): string => `/docker/${id}`,
} as const;
