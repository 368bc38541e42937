import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { fileStep } from '../../../src/change/file-step.ts';
import type { Step } from '../../../src/change/plan.ts';
import { docker } from '../../../src/drivers/docker/docker.ts';
import { withDriver } from '../../../src/drivers/docker/plan-files.ts';
import type { AlignRequest, DriverHost, RuntimePlan } from '../../../src/drivers/model.ts';
import { request, still, textAfter, useTree } from '../trees.ts';
import { dockerd, type FakeContainer, FILE, fakeHost, startEngine, UNIT, UNIT_PATH } from './engine.ts';

const files = useTree();
const socketPath = (): string => join(files.root, 'run/docker.sock');
const SOCKET_UNIT = '/usr/lib/systemd/system/docker.socket';

beforeEach(() => {
  files.put(UNIT_PATH, UNIT);
  files.put(SOCKET_UNIT, '[Socket]\nListenStream=/run/docker.sock\n');
});

async function plan(host: DriverHost, asked: AlignRequest = request('systemd')): Promise<RuntimePlan> {
  const [facts] = await docker.read(host);
  if (facts === undefined) throw new Error('no Docker was found');
  return docker.plan(facts, asked, []);
}

/** With a daemon that runs with cgroupfs, unless `info` says otherwise. */
async function planLive(
  asked: AlignRequest = request('systemd'),
  info: Readonly<Record<string, unknown>> = {},
  containers: readonly FakeContainer[] = [],
): Promise<RuntimePlan> {
  await startEngine(socketPath(), info, containers);
  return plan(fakeHost(files, { processes: [dockerd(socketPath())] }), asked);
}

const kinds = (steps: readonly Step[]) =>
  steps.map((step) => ('check' in step ? step.check : 'verb' in step ? step.verb : step.kind));
const refusals = ({ refusals }: RuntimePlan) => refusals.map(({ reason }) => reason);
const driverFile = (driver: string) => `{\n  "exec-opts": ["native.cgroupdriver=${driver}"]\n}\n`;

describe('the file', () => {
  it('is made where there is none', async () => {
    const { files: steps, refusals } = await planLive();
    expect(refusals).toEqual([]);
    expect(steps).toEqual([
      expect.objectContaining({
        kind: 'file',
        path: FILE,
        before: { exists: false },
        after: expect.objectContaining({ mode: 0o644 }),
      }),
    ]);
    expect(textAfter(files.tree, steps, FILE)).toBe(driverFile('systemd'));
  });

  it('keeps everything else to the byte: order, CRLF, mark, other options', async () => {
    const text = '\ufeff{ "debug":true,\r\n"exec-opts":\r\n["native.cgroupdriver=cgroupfs"], "data-root":"/srv"}';
    files.put(FILE, text);
    const { files: steps } = await planLive();
    expect(textAfter(files.tree, steps, FILE)).toBe(text.replace('cgroupfs', 'systemd'));
  });

  it('is written where its link leads', async () => {
    files.put('/srv/docker.json', '{}');
    files.link(FILE, '/srv/docker.json');
    const { files: steps } = await planLive();
    expect(steps).toEqual([expect.objectContaining({ path: FILE, target: '/srv/docker.json' })]);
  });

  it('needs no second change', async () => {
    files.put(FILE, '{"debug": true}');
    const engine = await startEngine(socketPath());
    const host = fakeHost(files, { processes: [dockerd(socketPath())] });
    files.apply((await plan(host)).files);
    engine.info = { ...engine.info, CgroupDriver: 'systemd' };
    expect(await plan(host)).toMatchObject({ files: [], after: [], refusals: [], notes: [] });
  });

  it('is that of --config-file', async () => {
    files.put(UNIT_PATH, UNIT.replace('$DOCKER_OPTS', '--config-file /srv/d.json'));
    files.put('/srv/d.json', '{}');
    const { files: steps } = await plan(fakeHost(files, { assumed: {} }), request('cgroupfs'));
    expect(steps).toEqual([expect.objectContaining({ path: '/srv/d.json' })]);
  });

  it('is not made where --config-file names one that is missing', async () => {
    files.put(UNIT_PATH, UNIT.replace('$DOCKER_OPTS', '--config-file /etc/docker/deamon.json'));
    files.put(FILE, '{}');
    const {
      files: steps,
      refusals: [refusal],
    } = await planLive();
    expect(steps).toEqual([]);
    expect(refusal).toMatchObject({ reason: expect.stringContaining('does not exist'), hint: `there is ${FILE}` });
  });

  it.each([
    [
      '<html>',
      '/etc/docker/daemon.json:1:1: Docker cannot read its configuration: it begins like an HTML page, not like JSON',
    ],
    ['{"a": 1,}', '/etc/docker/daemon.json:1:9: Docker cannot read its configuration: a comma before "}"'],
    ['{"graph": "/x"}', '/etc/docker/daemon.json:1: Docker 28.5 does not start: it knows no directive "graph"'],
    [
      '{"exec-opts": {"debug": true}}',
      '/etc/docker/daemon.json:1:15: Docker does not start: "exec-opts" must be a list of texts',
    ],
    [
      '{"exec-opts": "native.cgroupdriver=cgroupfs"}',
      '/etc/docker/daemon.json:1:15: Docker does not start: "exec-opts" must be a list of texts',
    ],
    [
      '{"exec-opts": ["a=b"],\n "exec-opts": []}',
      '/etc/docker/daemon.json:2:15: "exec-opts" is here and in line 1 too, and Docker reads the last one only',
    ],
    ['{"cgroup-parent": "/jobs"}', expect.stringContaining('its cgroup-parent must be a slice')],
  ])('is left alone with the fault of %s', async (text, reason) => {
    files.put(FILE, text);
    const made = await planLive();
    expect([made.files, made.after]).toEqual([[], []]);
    expect(refusals(made)).toEqual([reason]);
  });

  it('gets a value that Docker starts with in place of a misspelt one', async () => {
    files.put(FILE, driverFile('Systemd'));
    const { files: steps } = await plan(fakeHost(files));
    expect(textAfter(files.tree, steps, FILE)).toBe(driverFile('systemd'));
  });

  it('is written in a tree also for what would be the default, since nobody knows how it boots', async () => {
    files.put('/usr/lib/systemd/systemd');
    const { files: steps, after } = await plan(still(files.tree, { docker: '28.5' }));
    expect([steps.length, after]).toEqual([1, []]);
  });
});

describe('every entry for the driver', () => {
  it.each([
    [
      '{"exec-opts": ["native.cgroupdriver=a", "native.cgroupdriver=b"]}',
      ['native.cgroupdriver=systemd', 'native.cgroupdriver=systemd'],
    ],
    ['{"exec-opts": ["foo=bar"]}', ['foo=bar', 'native.cgroupdriver=systemd']],
    ['{"exec-opts": null}', ['native.cgroupdriver=systemd']],
    ['{"exec-opts": [" NATIVE.cgroupdriver = x"]}', ['native.cgroupdriver=systemd']],
    ['', ['native.cgroupdriver=systemd']],
  ])('of %j gets the same value', (text, options) => {
    expect(JSON.parse(withDriver(text, 'systemd'))['exec-opts']).toEqual(options);
    expect(withDriver(withDriver(text, 'systemd'), 'systemd')).toBe(withDriver(text, 'systemd'));
  });
});

describe('an option on the command line', () => {
  const options = (driver: string) => `DOCKER_OPTS="--exec-opt native.cgroupdriver=${driver} --debug"\n`;

  it('is changed where it is written, and the file is left alone', async () => {
    files.put('/etc/default/docker', options('cgroupfs'));
    files.put(FILE, '{"icc": false}');
    const { files: steps, reload } = await planLive();
    expect(steps.map((step) => step.kind === 'file' && step.path)).toEqual(['/etc/default/docker']);
    expect(textAfter(files.tree, steps, '/etc/default/docker')).toBe(options('systemd'));
    expect(reload).toBe(false);
  });

  it('of a vendor is changed in a drop-in, which systemd has to read', async () => {
    files.put(UNIT_PATH, UNIT.replace('$DOCKER_OPTS', '--exec-opt native.cgroupdriver=cgroupfs'));
    const { files: steps, reload } = await planLive();
    expect(steps).toEqual([expect.objectContaining({ path: '/etc/systemd/system/docker.service.d/90-slicectl.conf' })]);
    expect(reload).toBe(true);
  });

  it('that is there twice is changed twice in one step', async () => {
    files.put(
      '/etc/default/docker',
      'DOCKER_OPTS="--exec-opt native.cgroupdriver=cgroupfs --exec-opt=native.cgroupdriver=cgroupfs"\n',
    );
    const { files: steps } = await planLive();
    expect(steps).toHaveLength(1);
    expect(textAfter(files.tree, steps, '/etc/default/docker')).not.toContain('cgroupfs');
  });

  it('stays where the file has it too, and the file, with which Docker does not start, loses it', async () => {
    files.put('/etc/default/docker', options('systemd'));
    files.put(FILE, '{\n  "exec-opts": ["native.cgroupdriver=systemd"],\n  "icc": false\n}\n');
    const { files: steps, notes, refusals } = await plan(fakeHost(files, { loaded: { activeState: 'failed' } }));
    expect(refusals).toEqual([]);
    expect(textAfter(files.tree, steps, FILE)).toBe('{\n  "icc": false\n}\n');
    expect(notes[0]).toMatchObject({ severity: 'warning', text: expect.stringContaining('exec-opts leaves') });
  });

  it('and more than the driver in the file is for a human to decide', async () => {
    files.put('/etc/default/docker', options('systemd'));
    files.put(FILE, '{"exec-opts": ["foo=bar"]}');
    expect(refusals(await planLive())).toEqual([expect.stringContaining('holds more than the driver')]);
  });

  it('in a script is not edited', async () => {
    files.put(
      UNIT_PATH,
      "[Service]\nExecStart=/bin/sh -c 'exec /usr/bin/dockerd --exec-opt native.cgroupdriver=cgroupfs'\n",
    );
    expect(refusals(await planLive())).toEqual([expect.stringContaining('slicectl does not edit scripts')]);
  });
});

describe('the restart', () => {
  it('comes with its proof, for the way back too', async () => {
    const { after } = await planLive();
    expect(after).toEqual([
      expect.objectContaining({
        kind: 'unit',
        verb: 'restart',
        unit: 'docker.service',
        reset: ['docker.service', 'docker.socket'],
      }),
      expect.objectContaining({
        kind: 'check',
        check: 'docker-driver',
        expect: { driver: 'systemd', socket: socketPath() },
        expectBefore: { driver: 'cgroupfs', socket: socketPath() },
      }),
      expect.objectContaining({ check: 'docker-probe', expect: { driver: 'systemd', socket: socketPath() } }),
    ]);
  });

  it('is all that is left where the files are right already', async () => {
    files.put(FILE, driverFile('systemd'));
    const made = await planLive();
    expect([made.files, kinds(made.after)]).toEqual([[], ['restart', 'docker-driver', 'docker-probe']]);
  });

  it('is not made for a daemon that has the driver already', async () => {
    files.put(FILE, driverFile('cgroupfs'));
    const made = await planLive(request('systemd'), { CgroupDriver: 'systemd' });
    expect([made.files.length, made.after]).toEqual([1, []]);
  });

  it('is not made, nor anything written, for a default that is right; that it is written nowhere is said', async () => {
    const made = await planLive(request('systemd'), { CgroupDriver: 'systemd' });
    expect([made.files, made.after, made.refusals]).toEqual([[], [], []]);
    expect(made.notes).toEqual([
      expect.objectContaining({ severity: 'info', text: expect.stringContaining('by default') }),
    ]);
  });

  it('is not made for a daemon that was stopped, which is said', async () => {
    const made = await plan(fakeHost(files), request('cgroupfs'));
    expect([made.files.length, made.after]).toEqual([1, []]);
    expect(made.notes).toEqual([
      expect.objectContaining({ text: expect.stringContaining('is proved at its next start') }),
    ]);
  });

  it('is a start for a daemon that failed by the file that is mended', async () => {
    files.put(FILE, driverFile('Systemd'));
    const made = await plan(fakeHost(files, { loaded: { activeState: 'failed', result: 'start-limit-hit' } }));
    expect(kinds(made.after)).toEqual(['start', 'docker-driver']);
    expect(made.after[0]).toMatchObject({ reset: ['docker.service', 'docker.socket'] });
  });

  it('has systemd read its files first where they were changed before', async () => {
    await startEngine(socketPath());
    const host = fakeHost(files, { processes: [dockerd(socketPath())], loaded: { needDaemonReload: true } });
    expect((await plan(host)).reload).toBe(true);
  });

  it('is left to a human where no unit starts Docker', async () => {
    files.put(UNIT_PATH, '');
    await startEngine(socketPath());
    const process = { ...dockerd(socketPath()), cgroup: '/' };
    const made = await plan(fakeHost(files, { processes: [process], loaded: { mainPid: undefined } }));
    expect(made.after).toEqual([]);
  });

  it('of the systemd driver needs systemd', async () => {
    await startEngine(socketPath());
    const host = fakeHost(files, { processes: [dockerd(socketPath())], systemd: false });
    expect(refusals(await plan(host))).toEqual([
      'systemd does not run on this host, and Docker needs it for its systemd driver',
    ]);
  });
});

describe('running containers', () => {
  it('that their policy starts again are told, and awaited', async () => {
    const made = await planLive(request('systemd'), {}, [
      { name: 'web', restart: 'always' },
      { name: 'db', restart: 'unless-stopped' },
      { name: 'old', running: false },
    ]);
    expect(made.refusals).toEqual([]);
    expect(made.notes).toEqual([
      {
        severity: 'impact',
        text: expect.stringMatching(/^2 containers .* restart policy$/),
        items: ['web', 'db'],
      },
    ]);
    expect(made.after.at(-1)).toMatchObject({ check: 'docker-containers', expect: { running: 'web db' } });
  });

  it('that may stay down need a word of the administrator', async () => {
    const made = await planLive(request('systemd'), {}, [
      { name: 'job' },
      { name: 'once', autoRemove: true },
      { name: 'retry', restart: 'on-failure' },
    ]);
    expect(made.refusals).toEqual([
      expect.objectContaining({
        reason: '3 running containers would stop and not surely come back: job, once, retry',
        override: '--stop-containers',
      }),
    ]);
    expect(made.notes[0]?.items).toEqual([
      'job (no restart policy)',
      'once (--rm: it is removed)',
      'retry (on-failure: only if its exit status is not 0)',
    ]);
  });

  it('go on with live-restore', async () => {
    const made = await planLive(request('systemd'), { LiveRestoreEnabled: true }, [{ name: 'job' }]);
    expect(made.refusals).toEqual([]);
    expect(made.notes[0]).toMatchObject({ text: expect.stringContaining('go on by live-restore') });
    expect(made.after.at(-1)).toMatchObject({ check: 'docker-containers', expect: { running: 'job' } });
  });

  it('go on with live-restore that is switched on first, in the file and by a reload that is proved', async () => {
    files.put(FILE, '{"icc": false}');
    const made = await planLive({ ...request('systemd'), liveRestore: true }, {}, [{ name: 'job' }]);
    expect(made.refusals).toEqual([]);
    expect(textAfter(files.tree, made.files, FILE)).toBe(
      '{"icc": false, "exec-opts": ["native.cgroupdriver=systemd"], "live-restore": true}',
    );
    expect(kinds(made.after)).toEqual([
      'reload',
      'docker-live-restore',
      'restart',
      'docker-driver',
      'docker-probe',
      'docker-containers',
    ]);
  });

  it('are not looked for by an undo that switches live-restore off, where nobody starts them again', async () => {
    const own = [{ name: 'job' }, { name: 'web', restart: 'always' }];
    const made = await planLive({ ...request('systemd'), liveRestore: true }, {}, own);
    expect(made.after.at(-1)).toMatchObject({
      expect: { running: 'job web' },
      expectBefore: { running: 'web' },
    });
    expect(made.notes.at(-1)?.text).toMatch(/slicectl undo switches it off again/);
  });

  describe('under the jobs of an undo', () => {
    const job = (verb: 'stop' | 'restart'): Step => ({
      kind: 'unit',
      manager: 'system',
      unit: 'docker.service',
      verb,
      purpose: 'its files go back',
    });

    async function impacts(
      info: Readonly<Record<string, unknown>>,
      ...plans: readonly (readonly Step[])[]
    ): Promise<readonly (readonly string[])[]> {
      await startEngine(socketPath(), info, [{ name: 'job' }, { name: 'web', restart: 'always' }]);
      const [facts] = await docker.read(fakeHost(files, { processes: [dockerd(socketPath())] }));
      if (facts === undefined) throw new Error('no Docker was found');
      return plans.map((steps) =>
        (docker.impact?.(facts, steps) ?? []).map(({ text, items }) => `${text}: ${items?.join(' ')}`),
      );
    }

    it('stop by a restart, and come back by their policy', async () => {
      expect(await impacts({}, [job('restart')])).toEqual([
        [
          '1 container will stop, and be started again by its restart policy: web',
          '1 container will stop, and may stay down: job (no restart policy)',
        ],
      ]);
    });

    it('stay down where Docker stops', async () => {
      expect(await impacts({}, [job('stop')], [])).toEqual([
        ['2 containers will stop, and stay down until Docker is started: job web'],
        [],
      ]);
    });

    it('go on only by a live-restore that the files still have afterwards', async () => {
      files.put(FILE, '{"live-restore": true}');
      const off = fileStep(files.tree, FILE, new TextEncoder().encode('{}'), 'as before');
      const seen = await impacts({ LiveRestoreEnabled: true }, [job('restart')], [...off, job('restart')]);
      expect(seen).toEqual([
        ['2 containers go on by live-restore: job web'],
        [expect.stringContaining('be started again'), expect.stringContaining('may stay down')],
      ]);
    });
  });

  it('do not keep a swarm in place, which has no live-restore', async () => {
    const swarm = { Swarm: { LocalNodeState: 'active' } };
    const made = await planLive({ ...request('systemd'), liveRestore: true }, swarm, [
      { name: 'task', restart: 'always' },
    ]);
    expect(made.refusals.map(({ reason, override }) => [reason, override])).toEqual([
      [expect.stringContaining('in a swarm'), '--stop-containers'],
      ['Docker has no live-restore in a swarm', undefined],
    ]);
  });

  it('whose parent is no slice would not start again, running or not', async () => {
    const made = await planLive(request('systemd'), {}, [
      { name: 'runner', running: false, parent: '/actions_job' },
      { name: 'fine', running: false, parent: 'jobs.slice' },
    ]);
    expect(made.refusals).toEqual([
      expect.objectContaining({ reason: expect.stringContaining('no slice: runner'), override: '--stop-containers' }),
    ]);
  });

  it('of pods want a drained node', async () => {
    const labels = { 'io.kubernetes.pod.uid': 'x' };
    const made = await planLive(request('systemd'), {}, [{ name: 'k8s_a', labels, parent: '/kubepods/x' }]);
    expect(made.refusals).toEqual([expect.objectContaining({ override: '--drained' })]);
  });

  it('are not known of a daemon that does not answer, so that it is not restarted without a word', async () => {
    const made = await plan(fakeHost(files, { processes: [dockerd(socketPath())] }));
    expect(made.refusals).toEqual([
      {
        reason: expect.stringContaining('does not say which containers it has'),
        hint: `Docker on ${socketPath()} is not there`,
        override: '--stop-containers',
      },
    ]);
  });

  it('with GPUs are warned of', async () => {
    files.put(FILE, '{"runtimes": {"nvidia": {"path": "nvidia-container-runtime"}}}');
    expect((await planLive()).notes).toContainEqual(expect.objectContaining({ text: expect.stringContaining('GPUs') }));
  });
});

describe('rootless Docker', () => {
  const home = '/home/alice';
  const own = (env = { HOME: home }) => fakeHost(files, { uid: 1000, env, v1: false });
  beforeEach(() => {
    files.put(UNIT_PATH, '');
    files.put('/etc/passwd', `alice:x:1000:1000::${home}:/bin/sh\n`);
    files.put(`${home}/.config/systemd/user/docker.service`, '[Service]\nExecStart=/usr/bin/dockerd-rootless.sh\n');
  });

  it('has its file in the home, and its manager', async () => {
    files.put(`${home}/.config/docker/daemon.json`, driverFile('cgroupfs'));
    const made = await plan(own());
    expect(made).toMatchObject({ manager: 'user', refusals: [] });
    expect(made.files).toEqual([expect.objectContaining({ path: `${home}/.config/docker/daemon.json` })]);
  });

  it('cannot have cgroupfs', async () => {
    expect(refusals(await plan(own(), request('cgroupfs')))).toEqual([expect.stringContaining('no cgroupfs driver')]);
  });

  it('of another user is left to that user', async () => {
    await startEngine(socketPath());
    const process = {
      pid: 800,
      uid: 1001,
      argv: ['dockerd', '--rootless', '-H', `unix://${socketPath()}`],
      cgroup: '/user.slice/user-1001.slice/user@1001.service/docker.service',
    };
    const made = await plan(fakeHost(files, { processes: [process] }));
    expect([made.files, made.after, made.refusals]).toEqual([[], [], []]);
    expect(made.notes[0]?.text).toContain('only 1001 can change and restart it');
  });
});
