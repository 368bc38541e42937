import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { docker } from '../../../src/drivers/docker/docker.ts';
import { readDocker } from '../../../src/drivers/docker/read.ts';
import { statusOf } from '../../../src/drivers/docker/status.ts';
import type { DriverHost, RuntimeStatus } from '../../../src/drivers/model.ts';
import { still, useTree } from '../trees.ts';
import { dockerd, FILE, fakeHost, startEngine, UNIT, UNIT_PATH } from './engine.ts';

const files = useTree();
const socketPath = (): string => join(files.root, 'run/docker.sock');

async function rows(host: DriverHost, timeoutMs?: number): Promise<readonly RuntimeStatus[]> {
  return (await readDocker(host, timeoutMs === undefined ? {} : { timeoutMs })).map(statusOf);
}

const codes = (row: RuntimeStatus | undefined) => row?.findings.map(({ code }) => code);
const driverFile = (driver: string) => `{\n  "exec-opts": ["native.cgroupdriver=${driver}"]\n}\n`;

describe('a host without Docker', () => {
  it('has none, though a daemon.json may lie there', async () => {
    files.put(FILE, driverFile('systemd'));
    expect(await rows(fakeHost(files))).toEqual([]);
    expect(await docker.read(still(files.tree))).toEqual([]);
  });
});

describe('a daemon that runs', () => {
  it('says its driver itself, and its file says the next one', async () => {
    files.put(UNIT_PATH, UNIT);
    files.put(FILE, driverFile('systemd'));
    await startEngine(socketPath());
    const [row] = await rows(fakeHost(files, { processes: [dockerd(socketPath())] }));
    expect(row).toMatchObject({
      instance: '',
      unit: 'docker.service',
      running: { driver: 'cgroupfs', how: 'api', text: `GET /info on ${socketPath()}` },
      configured: { driver: 'systemd', source: { kind: 'file', path: FILE, line: 2 } },
    });
    expect(codes(row)).toContain('docker-driver-pending');
  });

  it('is not waited for longer than its time, and the reason is said', async () => {
    files.put(UNIT_PATH, UNIT);
    const engine = await startEngine(socketPath());
    engine.silent = true;
    const process = dockerd(socketPath(), '--exec-opt', 'native.cgroupdriver=systemd');
    const [row] = await rows(fakeHost(files, { processes: [process] }), 50);
    expect(row?.running).toMatchObject({ driver: 'systemd', how: 'command-line' });
    expect(row?.findings).toContainEqual(
      expect.objectContaining({
        code: 'docker-no-answer',
        message: `Docker on ${socketPath()} does not answer within 0.05 s`,
      }),
    );
  });

  it('whose socket is gone has that said', async () => {
    files.put(UNIT_PATH, UNIT);
    const [row] = await rows(fakeHost(files, { processes: [dockerd(socketPath())] }));
    expect(row?.running).toBeUndefined();
    expect(row?.findings.map(({ message }) => message)).toContain(`Docker on ${socketPath()} is not there`);
  });

  it('and was upgraded has the version of its next start', async () => {
    files.put(UNIT_PATH, UNIT);
    files.put('/var/lib/dpkg/status', 'Package: docker.io\nStatus: install ok installed\nVersion: 26.1.5+dfsg1-9\n');
    await startEngine(socketPath(), { ServerVersion: '20.10.24+dfsg1' });
    const [row] = await rows(fakeHost(files, { processes: [dockerd(socketPath())], assumed: {} }));
    expect(row?.version).toBe('26.1.5+dfsg1');
    expect(row?.findings).toContainEqual(expect.objectContaining({ code: 'docker-upgraded' }));
  });

  it('has containers that live-restore left in the other layout', async () => {
    files.put(UNIT_PATH, UNIT);
    files.put(FILE, driverFile('systemd'));
    const id = '1'.padStart(64, 'c');
    await startEngine(socketPath(), { CgroupDriver: 'systemd' }, [{ name: 'web' }, { name: 'db' }]);
    const processes = [
      dockerd(socketPath()),
      { pid: 5000, argv: ['nginx'], cgroup: `/docker/${id}` },
      { pid: 5001, argv: ['postgres'], cgroup: `/system.slice/docker-${'2'.padStart(64, 'c')}.scope` },
    ];
    const [row] = await rows(fakeHost(files, { processes }));
    expect(row?.findings).toEqual([
      expect.objectContaining({
        code: 'docker-mixed-layout',
        message: 'containers still run in cgroups of the other driver: web',
      }),
    ]);
  });

  it('in a container of this host is not one of this host', async () => {
    const process = { pid: 900, argv: ['dockerd'], cgroup: '/system.slice/docker-abc.scope', inside: '\t1' };
    expect(await rows(fakeHost(files, { processes: [process] }))).toEqual([]);
  });

  it('that systemd has not reloaded is told', async () => {
    files.put(UNIT_PATH, UNIT);
    const [row] = await rows(fakeHost(files, { loaded: { needDaemonReload: true } }));
    expect(codes(row)).toContain('need-daemon-reload');
  });
});

describe('a daemon that does not run', () => {
  it('is not asked, since that would start it by its socket', async () => {
    files.put(UNIT_PATH, UNIT);
    const engine = await startEngine(socketPath());
    files.put('/usr/lib/systemd/system/docker.socket', `[Socket]\nListenStream=${socketPath()}\n`);
    const [row] = await rows(fakeHost(files));
    expect(row?.running).toBeUndefined();
    expect(engine.asked).toEqual([]);
  });

  it('and failed is an error with the way back', async () => {
    files.put(UNIT_PATH, UNIT);
    const [row] = await rows(fakeHost(files, { loaded: { activeState: 'failed', result: 'start-limit-hit' } }));
    expect(row?.findings).toContainEqual(
      expect.objectContaining({
        code: 'docker-failed',
        severity: 'error',
        hint: expect.stringContaining('reset-failed'),
      }),
    );
  });
});

describe('the default', () => {
  const byDefault = async (host: Parameters<typeof fakeHost>[1]) => {
    files.put(UNIT_PATH, UNIT);
    const [row] = await rows(fakeHost(files, host));
    return [row?.configured.driver, row?.configured.source.text];
  };
  it('is systemd on cgroup v2 with systemd', async () => {
    expect(await byDefault({})).toEqual(['systemd', "Docker's default on cgroup v2 with systemd"]);
  });
  it('is cgroupfs on cgroup v1', async () => {
    expect(await byDefault({ v1: true })).toEqual(['cgroupfs', "Docker's default on cgroup v1"]);
  });
  it('is cgroupfs without systemd', async () => {
    expect(await byDefault({ systemd: false })).toEqual(['cgroupfs', "Docker's default without systemd"]);
  });
  it('is cgroupfs before 20.10', async () => {
    expect(await byDefault({ assumed: { docker: '19.03.15' } })).toEqual(['cgroupfs', "Docker's default before 20.10"]);
  });
});

describe('where the driver is written', () => {
  it('can be the options of a file of variables, with its line', async () => {
    files.put(UNIT_PATH, UNIT);
    files.put('/etc/default/docker', '# options\nDOCKER_OPTS="--exec-opt native.cgroupdriver=cgroupfs"\n');
    const [row] = await rows(fakeHost(files));
    expect(row?.configured).toMatchObject({
      driver: 'cgroupfs',
      source: {
        path: '/etc/default/docker',
        line: 2,
        text: '--exec-opt in DOCKER_OPTS in EnvironmentFile= /etc/default/docker',
      },
    });
  });

  it('can be a place that the unit does not read', async () => {
    files.put(UNIT_PATH, UNIT.replace('EnvironmentFile=-/etc/default/docker\n', ''));
    files.put('/etc/default/docker', 'DOCKER_OPTS="--exec-opt native.cgroupdriver=cgroupfs"\n');
    const [row] = await rows(fakeHost(files));
    expect(row?.configured.driver).toBe('systemd');
    expect(row?.configured.shadowed).toEqual([
      expect.objectContaining({ path: '/etc/default/docker', line: 1, value: 'cgroupfs' }),
    ]);
    expect(codes(row)).toEqual(['docker-unread-file']);
  });

  it('can be another file, by --config-file in a drop-in', async () => {
    files.put(UNIT_PATH, UNIT);
    files.put(
      `/etc/systemd/system/docker.service.d/x.conf`,
      '[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd --config-file=/srv/d.json\n',
    );
    files.put('/srv/d.json', driverFile('cgroupfs'));
    files.put(FILE, driverFile('systemd'));
    const [row] = await rows(fakeHost(files));
    expect(row?.configured).toMatchObject({ driver: 'cgroupfs', source: { path: '/srv/d.json' } });
    expect(row?.configured.shadowed).toEqual([expect.objectContaining({ path: FILE, value: 'systemd' })]);
  });

  it('is never what DOCKER_CONFIG names', async () => {
    files.put(UNIT_PATH, UNIT.replace('Type=notify', 'Environment=DOCKER_CONFIG=/srv'));
    files.put('/srv/daemon.json', driverFile('cgroupfs'));
    const [row] = await rows(fakeHost(files));
    expect(row?.configured).toMatchObject({ driver: 'systemd', source: { kind: 'default' } });
  });
});

describe('other daemons', () => {
  const rootless = {
    pid: 800,
    uid: 1000,
    cgroup: '/user.slice/user-1000.slice/user@1000.service/app.slice/docker.service',
  };

  it('can be the rootless one of the user who asks, with files of the home', async () => {
    const home = '/home/alice';
    files.put('/etc/passwd', `alice:x:1000:1000::${home}:/bin/sh\n`);
    files.put(`${home}/.config/systemd/user/docker.service`, '[Service]\nExecStart=/usr/bin/dockerd-rootless.sh\n');
    files.put(`${home}/.config/docker/daemon.json`, driverFile('cgroupfs'));
    const [row] = await rows(fakeHost(files, { uid: 1000, env: { HOME: home } }));
    expect(row).toMatchObject({
      instance: 'rootless alice',
      configured: { driver: 'none', source: { path: `${home}/.config/docker/daemon.json` } },
    });
  });

  it('can be the rootless one of another user, which root sees', async () => {
    files.put('/etc/passwd', 'alice:x:1000:1000::/home/alice:/bin/sh\n');
    const process = { ...rootless, argv: ['dockerd', '--rootless', `--host=unix://${socketPath()}`] };
    await startEngine(socketPath(), { CgroupDriver: 'systemd' });
    const [row] = await rows(fakeHost(files, { processes: [process] }));
    expect(row).toMatchObject({ instance: 'rootless alice', unit: undefined, running: { driver: 'systemd' } });
  });

  it('can be that of a snap, whose file is its own', async () => {
    const path = '/var/snap/docker/current/config/daemon.json';
    files.put(
      '/etc/systemd/system/snap.docker.dockerd.service',
      '[Service]\nExecStart=/usr/bin/snap run docker.dockerd\n',
    );
    files.put(path, driverFile('cgroupfs'));
    files.put(FILE, driverFile('systemd'));
    files.put('/snap/docker/current/meta/snap.yaml', 'name: docker\nversion: 28.4.0\n');
    const [row] = await rows(fakeHost(files));
    expect(row).toMatchObject({
      instance: 'snap',
      version: '28.4.0',
      configured: { driver: 'cgroupfs', source: { path } },
    });
  });

  it('can answer on the socket of this one, which the folder of the data shows', async () => {
    files.put(UNIT_PATH, UNIT);
    await startEngine(socketPath(), { DockerRootDir: '/srv/other' });
    const second = { pid: 701, argv: ['dockerd', '--data-root=/srv/other', `-Hunix://${socketPath()}`], cgroup: '/' };
    const [first, other] = await rows(fakeHost(files, { processes: [dockerd(socketPath()), second] }));
    expect(first?.running).toBeUndefined();
    expect(codes(first)).toContain('docker-other-daemon');
    expect(other).toMatchObject({ instance: 'process 701', running: { driver: 'cgroupfs' } });
  });
});

describe('a tree in which nothing runs', () => {
  it('has the version of its packages, or that which is assumed', async () => {
    files.put(UNIT_PATH, UNIT);
    files.put('/usr/lib/systemd/systemd');
    const [row] = await rows(still(files.tree, { docker: '19.03' }));
    expect(row).toMatchObject({ version: '19.03', running: undefined, configured: { driver: 'cgroupfs' } });
    files.put(
      '/var/lib/dpkg/status',
      'Package: docker-ce\nStatus: install ok installed\nVersion: 5:24.0.7-1~debian.12\n',
    );
    const [known] = await rows(still(files.tree));
    expect(known).toMatchObject({
      version: '24.0.7',
      configured: { driver: 'systemd', source: { text: "Docker's default, if this boots with cgroup v2" } },
    });
  });
});
