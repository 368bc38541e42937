import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DAEMON_JSON, DOCKER_MACHINES, DriverLab, LAYOUT, spoken } from './support.ts';

const ALIGN = 'slicectl driver align --to systemd --yes';
const OLD = '{\n  "exec-opts": ["native.cgroupdriver=cgroupfs"]\n}\n';
const NEW = OLD.replace('=cgroupfs', '=systemd');

/** docker.service waits before each start while this file is there. */
const HOLD = '/run/hold-docker';
const GATE = `[Service]\nExecStartPre=/bin/sh -c 'while [ -e ${HOLD} ]; do sleep 0.05; done'\n`;

/** Milliseconds after its start at which slicectl is killed: in its reading, planning, writing, waiting. */
const MOMENTS = [500, 900, 1300, 1800, 2500];

describe.each(DOCKER_MACHINES)('slicectl killed while it changes Docker $docker, on $name', ({ name }) => {
  let lab: DriverLab;

  beforeAll(async () => {
    lab = await DriverLab.open(name, 'killed');
  });

  afterAll(() => lab.down());

  beforeEach(async () => {
    await lab.fresh();
    await lab.write('/etc/systemd/system/docker.service.d/gate.conf', GATE);
    await lab.out('systemctl daemon-reload');
    await lab.dockerWith(OLD);
    await lab.container('kept', '--restart always');
  });

  /** Kills slicectl when Docker is between its old start and its new one. */
  async function killInRestart(): Promise<void> {
    await lab.out(`touch ${HOLD}
      setsid ${ALIGN} >/tmp/align 2>&1 </dev/null & pid=$!
      for i in $(seq 600); do
        [ "$(systemctl show -P SubState docker.service)" = start-pre ] && break
        kill -0 $pid || { cat /tmp/align; exit 1; }
        sleep 0.05
      done
      kill -KILL $pid; rm ${HOLD}`);
    expect(await lab.read(DAEMON_JSON)).toBe(NEW);
    const status = await lab.slicectl(['driver', 'status']);
    expect(status.stdout).toMatch(/^interrupted: change \S+ .*slicectl undo \S+ .*slicectl resume/m);
  }

  async function expectOld(): Promise<void> {
    expect(await lab.read(DAEMON_JSON)).toBe(OLD);
    expect(await lab.dockerDriver()).toBe('cgroupfs');
    await lab.untilRuns('kept');
    expect(await lab.cgroupOf('kept')).toMatch(/^\/docker\//);
  }

  async function expectNew(): Promise<void> {
    expect(await lab.read(DAEMON_JSON)).toBe(NEW);
    expect(await lab.dockerDriver()).toBe('systemd');
    await lab.untilRuns('kept');
    expect(await lab.cgroupOf('kept')).toMatch(/^\/system\.slice\/docker-.*\.scope$/);
  }

  it('in the restart: nothing new is begun before that is settled, and undo gives the old state back', async () => {
    await killInRestart();
    const other = await lab.slicectl(['driver', 'align', '--to', 'cgroupfs', '--yes']);
    expect(other.code, spoken(other)).not.toBe(0);
    expect(spoken(other)).toMatch(/slicectl (undo|resume)/);
    await lab.done('undo', '--yes');
    await expectOld();
    expect((await lab.slicectl(['driver', 'status'])).stdout).not.toMatch(/interrupted/);
  });

  it('in the restart: resume finishes it, and it can still be taken back', async () => {
    await killInRestart();
    await lab.done('resume', '--yes');
    await expectNew();
    await lab.done('undo', '--yes');
    await expectOld();
  });

  it('at any moment: the old state or the new one is reached from there', async () => {
    for (const [number, ms] of MOMENTS.entries()) {
      await lab.out(`setsid ${ALIGN} >/tmp/align 2>&1 </dev/null & pid=$!; sleep ${ms / 1000}
        kill -KILL $pid 2>/dev/null; wait $pid; true`);
      expect([OLD, NEW]).toContain(await lab.read(DAEMON_JSON));
      const { changes } = JSON.parse((await lab.done('history', '--json')).stdout) as {
        changes: { state: string }[];
      };
      const state = changes.at(-1)?.state;
      if (state === 'interrupted' && number % 2 === 1) {
        await lab.done('resume', '--yes');
        await expectNew();
      }
      if (state === 'applied' || state === 'interrupted') await lab.done('undo', '--yes');
      await lab.until('systemctl is-active docker.service');
      await expectOld();
      expect(await lab.inEtcDocker(), `${ms} ms: nothing is left beside the file`).toBe('daemon.json');
    }
  });

  it('and a machine that reboots in the middle: it is told, and undone', async () => {
    await killInRestart();
    await lab.reboot();
    await lab.until('systemctl is-active docker.service');
    expect((await lab.slicectl(['driver', 'status'])).stdout).toMatch(/^interrupted: /m);
    await lab.done('undo', '--yes');
    await expectOld();
  });

  it('or not killed at all: a reboot later it is in force, and can be taken back', async () => {
    await lab.out(ALIGN);
    await lab.reboot();
    await lab.until('systemctl is-active docker.service');
    await expectNew();
    const id = await lab.container('later');
    expect(await lab.cgroupOf('later')).toBe(LAYOUT.systemd(id));
    await lab.out('docker rm --force later');
    await lab.done('undo', '--yes');
    await expectOld();
  });
});
