import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Outcome } from '../process.ts';
import { DAEMON_JSON, DOCKER_MACHINES, DriverLab, spoken } from './support.ts';

const ALIGN = 'driver align --to systemd --yes';
const CGROUPFS = '{"exec-opts": ["native.cgroupdriver=cgroupfs"]}\n';

/** What is in daemon.json, and what the one sentence about it must name. */
const BAD: readonly [what: string, text: string, named: RegExp][] = [
  ['a web page', '<!DOCTYPE html>\n<html><body>404 Not Found</body></html>\n', /daemon\.json:1/],
  ['two objects', '{"debug": true}\n{"exec-opts": ["native.cgroupdriver=cgroupfs"]}\n', /daemon\.json:2/],
  ['a comma too many', '{\n  "debug": true,\n}\n', /daemon\.json:[23]/],
  ['an array', '[]\n', /daemon\.json/],
  ['text for a switch', '{\n  "debug": "yes"\n}\n', /daemon\.json:2.*debug|debug.*daemon\.json:2/],
];

describe.each(DOCKER_MACHINES)('bad input on $name', ({ name, docker }) => {
  let lab: DriverLab;

  beforeAll(async () => {
    lab = await DriverLab.open(name, 'bad');
  });

  afterAll(() => lab.down());

  beforeEach(() => lab.fresh());

  it('a daemon.json that is none: each is told by file and line, and nothing is changed', async () => {
    for (const [what, text, named] of BAD) {
      await lab.write(DAEMON_JSON, text);
      const untouched = await lab.fingerprint();
      const status = await lab.slicectl(['driver', 'status']);
      expect(status.stdout, what).toMatch(named);
      // Docker 20.10 starts with two objects, and reads the first.
      const isFatal = what !== 'two objects' || docker !== '20.10';
      expect(status.code, spoken(status)).toBe(isFatal ? 3 : 0);
      const ended = await lab.slicectl(ALIGN.split(' '));
      expect(ended.code, spoken(ended)).toBe(isFatal ? 2 : 0);
      if (isFatal) {
        expect(spoken(ended)).toMatch(named);
        expectOneSentence(ended);
      }
      expect(await lab.fingerprint(), what).toBe(untouched);
    }
    expect(await lab.dockerDriver()).toBe('systemd');
  });

  it('exec-opts that is there twice: is told with its line, and nothing is changed', async () => {
    const text = '{"exec-opts": ["native.cgroupdriver=systemd"],\n "exec-opts": ["native.cgroupdriver=cgroupfs"]}\n';
    await lab.dockerWith(text);
    expect(await lab.dockerDriver()).toBe('cgroupfs');
    const status = await lab.slicectl(['driver', 'status']);
    expect(status.stdout).toMatch(/^warning: Docker: .*exec-opts.*daemon\.json:[12]/m);
    const refused = await lab.slicectl(ALIGN.split(' '));
    expect(refused.code).toBe(2);
    expect(spoken(refused)).toContain('daemon.json:2:15: "exec-opts" is here and in line 1 too');
    expect(await lab.read(DAEMON_JSON)).toBe(text);
    expect(await lab.dockerDriver()).toBe('cgroupfs');
  });

  it('an immutable daemon.json: is told, and nothing is changed', async () => {
    await lab.dockerWith(CGROUPFS);
    const can = (await lab.sh(`chattr +i ${DAEMON_JSON}`)).code === 0;
    if (!can) await lab.out(`mount --bind ${DAEMON_JSON} ${DAEMON_JSON} && mount -o remount,ro,bind ${DAEMON_JSON}`);
    try {
      const pid = await lab.mainPid();
      const refused = await lab.slicectl(ALIGN.split(' '));
      expect([1, 4], spoken(refused)).toContain(refused.code);
      expect(refused.stderr + refused.stdout).toMatch(/daemon\.json/);
      expectOneSentence(refused);
      expect(await lab.read(DAEMON_JSON)).toBe(CGROUPFS);
      expect(await lab.inEtcDocker()).toBe('daemon.json');
      expect(await lab.mainPid()).toBe(pid);
      expect(await lab.dockerDriver()).toBe('cgroupfs');
    } finally {
      await lab.out(can ? `chattr -i ${DAEMON_JSON}` : `umount ${DAEMON_JSON}`);
    }
  });

  it('no privilege: alice sees the state and changes nothing', async () => {
    await lab.dockerWith(CGROUPFS);
    const status = await lab.slicectl(['driver', 'status'], { user: 'alice' });
    expect(status.code, spoken(status)).toBe(3);
    expect(status.stdout).toMatch(/^docker .*cgroupfs/m);
    const untouched = await lab.fingerprint();
    const refused = await lab.slicectl(ALIGN.split(' '), { user: 'alice' });
    expect(refused.code, spoken(refused)).toBe(4);
    expect(spoken(refused)).toMatch(/docker\.sock may not be used by this user|as root/);
    expectOneSentence(refused);
    expect(await lab.fingerprint()).toBe(untouched);
  });

  it('an unreadable daemon.json: alice is told so', async () => {
    await lab.dockerWith(CGROUPFS);
    await lab.out(`chmod 600 ${DAEMON_JSON}`);
    const status = await lab.slicectl(['driver', 'status'], { user: 'alice' });
    expect(status.code, spoken(status)).toBe(3);
    expect(status.stdout).toMatch(/daemon\.json.*cannot be read|daemon\.json.*EACCES|daemon\.json.*not readable/);
  });

  it('a Docker that does not answer: is told within some seconds, and nothing is changed', async () => {
    await lab.dockerWith(CGROUPFS);
    const pid = await lab.mainPid();
    await lab.out(`kill -STOP ${pid}`);
    try {
      const refused = await lab.slicectl(ALIGN.split(' '));
      expect(refused.code, spoken(refused)).toBe(4);
      expect(spoken(refused)).toMatch(/^refused: Docker .*(no answer|not answer)/m);
      expect(await lab.read(DAEMON_JSON)).toBe(CGROUPFS);
    } finally {
      await lab.out(`kill -CONT ${pid}`);
    }
    expect(await lab.mainPid()).toBe(pid);
  });

  it('a full disk: the file is the old one, Docker runs, and no scrap is left', async () => {
    await lab.out('mkdir -p /etc/docker && mount -t tmpfs -o size=8k full /etc/docker');
    try {
      await lab.dockerWith(CGROUPFS);
      await lab.out('dd if=/dev/zero of=/etc/docker/filler bs=4k count=9 2>/dev/null; true');
      const refused = await lab.slicectl(ALIGN.split(' '));
      expect(refused.code, spoken(refused)).not.toBe(0);
      expect(refused.stderr + refused.stdout).toMatch(/ENOSPC|no space|full/i);
      expect(await lab.read(DAEMON_JSON)).toBe(CGROUPFS);
      expect(await lab.inEtcDocker()).toBe('daemon.json\nfiller');
      expect(await lab.dockerDriver()).toBe('cgroupfs');
    } finally {
      await lab.out('umount /etc/docker');
    }
  });
});

/** What goes wrong is one line on stderr, and no stack trace anywhere. */
function expectOneSentence(ended: Outcome): void {
  const lines = ended.stderr.split('\n').filter((line) => line.startsWith('slicectl:'));
  expect(lines, spoken(ended)).toHaveLength(1);
  expect(spoken(ended)).not.toMatch(/^\s+at /m);
}
