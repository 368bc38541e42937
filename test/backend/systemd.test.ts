import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Variant } from 'dbus-next';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { GroupRequest, ServiceRequest } from '../../src/backend/backend.ts';
import { SystemdBackend } from '../../src/backend/systemd.ts';
import { SystemdLink } from '../../src/backend/systemd-link.ts';
import { limits } from '../../src/core/limits.ts';
import type { HostPaths } from '../../src/host/paths.ts';
import { type Daemon, describeWithBus, startDaemon } from '../fake/daemon.ts';
import { FakeSystemd, type StartCall } from '../fake/systemd.ts';

const MACHINE = { memory: 1n << 34n, tasks: 4_194_304n, pageSize: 4096n };
const PID = 4242;

const REQUEST: GroupRequest = {
  limits: [],
  slice: undefined,
  sliceInherit: false,
  unit: 'a.scope',
  description: 'a job',
  bestEffort: false,
};

const SERVICE: ServiceRequest = {
  ...REQUEST,
  unit: 'a.service',
  file: '/bin/true',
  argv: ['true'],
  cwd: '/',
  env: [],
  uid: undefined,
  gid: undefined,
  nice: undefined,
  output: undefined,
  expandEnvironment: false,
  isAwaited: true,
};

describeWithBus('the systemd backend', () => {
  let daemon: Daemon;
  let fake: FakeSystemd;
  let root: string;
  let paths: HostPaths;
  let backend: SystemdBackend;
  let isBack: Promise<void> | undefined;

  beforeEach(async () => {
    isBack = undefined;
    daemon = await startDaemon();
    fake = await FakeSystemd.start(daemon.path);
    root = mkdtempSync(join(tmpdir(), 'slicectl-host-'));
    paths = { proc: `${root}/proc`, sys: `${root}/sys`, etc: `${root}/etc`, run: `${root}/run` };
    mkdirSync(`${paths.proc}/1/ns`, { recursive: true });
    symlinkSync('1', `${paths.proc}/self`);
    symlinkSync('pid:[1]', `${paths.proc}/self/ns/pid`);
    writeFileSync(`${paths.proc}/self/stat`, `1 (node) S ${'0 '.repeat(50)}`);
    writeFileSync(`${paths.proc}/self/cgroup`, '0::/\n');
    writeFileSync(`${paths.proc}/self/mountinfo`, `30 1 0:26 / ${root}/cgroup rw - cgroup2 cgroup2 rw\n`);
    mkdirSync(`${paths.proc}/${PID}`);
    writeFileSync(`${paths.proc}/${PID}/cgroup`, '0::/\n');
    fake.behaviour.onStart = (moment, start) => (moment === 'made' ? attach(start) : undefined);
    backend = await open();
  });
  afterEach(async () => {
    await isBack;
    backend.close();
    fake.disconnect();
    await daemon.stop();
    rmSync(root, { recursive: true, force: true });
  });

  async function open(): Promise<SystemdBackend> {
    const environment = { env: { DBUS_SESSION_BUS_ADDRESS: `unix:path=${daemon.path}` }, uid: 1000 };
    const link = new SystemdLink('user', environment, { patienceMs: 5000, jobTimeoutMs: 2000, callTimeoutMs: 2500 });
    return SystemdBackend.open(link, paths);
  }

  /** What systemd does with PIDs: the process is in the scope from now on. */
  function attach({ unit, auxiliary, properties }: StartCall): undefined {
    if (!properties.has('PIDs')) return;
    writeFileSync(`${paths.proc}/${PID}/cgroup`, `0::/app.slice/${auxiliary[0]}/${unit}\n`);
  }

  const place = async (request: Partial<GroupRequest> = {}) =>
    backend.place(await backend.plan({ ...REQUEST, ...request }), PID);

  it.each(['before', 'after'] as const)('has placed a job when JobRemoved comes %s the reply', async (order) => {
    fake.behaviour.jobRemoved = order;
    const group = await place();
    expect(group.contains(PID)).toBe(true);
    expect([...fake.units.keys()]).toEqual(['a.scope', expect.stringMatching(/^app-slicectl_.*\.slice$/)]);
  });

  it("starts units with the job mode that throws nobody's job away", async () => {
    await place();
    await backend.services.makeSlice(await backend.services.plan(SERVICE)).catch(ignoreMissingGroup);
    expect(fake.callsOf('StartTransientUnit').map(({ body }) => body[1])).toEqual(['fail', 'fail']);
  });

  it('takes a job for placed whose end is never reported, if the process is where it belongs', async () => {
    fake.behaviour.jobRemoved = 'never';
    expect((await place()).unit).toBe('a.scope');
  });

  it('ends with E_TIMEOUT where the end is never reported and the process is elsewhere, and takes its slice back', async () => {
    fake.behaviour.jobRemoved = 'never';
    fake.behaviour.onStart = () => undefined;
    await expect(place()).rejects.toMatchObject({ code: 'E_TIMEOUT', message: expect.stringContaining('"a.scope"') });
    expect(fake.callsOf('StopUnit').map(({ body }) => body[0])).toEqual([expect.stringMatching(/^app-slicectl_/)]);
  });

  it('ends with E_TIMEOUT where systemd never answers', async () => {
    fake.behaviour.silent.add('StartTransientUnit');
    await expect(place()).rejects.toMatchObject({ code: 'E_TIMEOUT' });
  });

  it('cannot be opened where the manager never answers, which is E_TIMEOUT', async () => {
    fake.behaviour.silent.add('Get');
    await expect(open()).rejects.toMatchObject({ code: 'E_TIMEOUT' });
  });

  it('gives a failed job as E_JOB_FAILED and takes its slice back', async () => {
    fake.behaviour.jobResult = 'failed';
    await expect(place()).rejects.toMatchObject({ code: 'E_JOB_FAILED', data: { unit: 'a.scope', result: 'failed' } });
    expect([...fake.units.keys()].filter((unit) => unit.endsWith('.slice'))).toEqual([]);
  });

  it('refuses done without the process in the group', async () => {
    fake.behaviour.onStart = () => undefined;
    await expect(place()).rejects.toMatchObject({ code: 'E_GATE' });
  });

  it("gives an older version's refusal of a property in its own words", async () => {
    fake.behaviour.unknownProperties.add('MemoryMax');
    const refusal = { code: 'E_BUS', message: expect.stringContaining('Cannot set property MemoryMax') };
    await expect(place({ limits: limits({ MemoryMax: '64M' }, MACHINE) })).rejects.toMatchObject(refusal);
    expect([...fake.units.keys()]).toEqual([]);
  });

  it('asks an old systemd for nothing that it does not know', async () => {
    fake.behaviour.version = '250.3';
    backend.close();
    backend = await open();
    await expect(place({ limits: limits({ OOMPolicy: 'kill' }, MACHINE) })).rejects.toMatchObject({
      code: 'E_CONTROLLER',
      message: expect.stringContaining('systemd 250 does not know OOMPolicy for scopes, which came with 253'),
    });
    await place();
    const names = fake
      .callsOf('StartTransientUnit')
      .flatMap(({ body }) => (body[2] as [string][]).map(([name]) => name));
    expect(names).not.toContain('OOMPolicy');
  });

  it('clears a failed unit of the same name once and takes the name', async () => {
    fake.units.set('a.scope', { properties: new Map(), activeState: 'failed', refs: 0 });
    expect((await place()).unit).toBe('a.scope');
    expect(fake.callsOf('ResetFailedUnit').map(({ body }) => body)).toEqual([['a.scope']]);
    expect(fake.callsOf('StartTransientUnit')).toHaveLength(2);
  });

  it('never touches a unit of the same name that runs', async () => {
    fake.units.set('a.scope', { properties: new Map(), activeState: 'active', refs: 0 });
    await expect(place()).rejects.toMatchObject({ code: 'E_UNIT_EXISTS', hint: expect.stringContaining('--unit') });
    expect(fake.callsOf('ResetFailedUnit')).toEqual([]);
    expect(fake.callsOf('StopUnit').map(({ body }) => body[0])).not.toContain('a.scope');
    expect(fake.units.get('a.scope')?.activeState).toBe('active');
  });

  it('finds the scope that was made when the connection ended before the answer', async () => {
    drop('made');
    expect((await place()).contains(PID)).toBe(true);
    expect(fake.callsOf('StartTransientUnit')).toHaveLength(1);
  });

  it('sends the call again when the connection ended before the scope was made', async () => {
    drop('asked');
    expect((await place()).contains(PID)).toBe(true);
    expect(fake.callsOf('StartTransientUnit')).toHaveLength(2);
    expect(fake.units.has('a.scope')).toBe(true);
  });

  it('finds slice and service that were made when the connection ended before the answers', async () => {
    const plan = await backend.services.plan(SERVICE);
    drop('made');
    await backend.services.makeSlice(plan).catch(ignoreMissingGroup);
    drop('made');
    await backend.services.start(plan).catch(ignoreMissingGroup);
    const started = fake.callsOf('StartTransientUnit').map(({ body }) => body[0]);
    expect(started).toEqual([expect.stringMatching(/^app-slicectl_.*\.slice$/), 'a.service']);
  });

  it('does not take for its own a service of that name that was there before', async () => {
    const foreign = new Map([
      ['Slice', new Variant('s', 'app.slice')],
      ['Description', new Variant('s', 'a job')],
    ]);
    fake.units.set('a.service', { properties: foreign, activeState: 'active', refs: 0 });
    const plan = await backend.services.plan(SERVICE);
    drop('asked');
    await expect(backend.services.start(plan)).rejects.toMatchObject({ code: 'E_UNIT_EXISTS' });
    expect(fake.callsOf('StopUnit')).toEqual([]);
  });

  it('gives AccessDenied as E_PRIVILEGE with the way out', async () => {
    fake.behaviour.denied.add('StartTransientUnit');
    await expect(place()).rejects.toMatchObject({
      code: 'E_PRIVILEGE',
      hint: 'run as root, or use your own user manager',
    });
  });

  it('keeps the result of a job whose slice cannot be taken back since the bus is gone', async () => {
    const group = await place();
    writeFileSync(`${paths.proc}/${PID}/cgroup`, '0::/\n');
    await daemon.kill();
    await expect(group.remove()).resolves.toBe(true);
  });

  it('says timeout of a scope whose unit went with the bus after its RuntimeMaxSec, and unknown before', async () => {
    const short = await place({ limits: limits({ RuntimeMaxSec: '1ms' }, MACHINE) });
    const long = await place({ unit: 'b.scope', limits: limits({ RuntimeMaxSec: '1h' }, MACHINE) });
    fake.units.delete('a.scope');
    fake.units.delete('b.scope');
    expect([await short.ending(), await long.ending()]).toEqual(['timeout', 'unknown']);
  });

  it('refers to its scope again after a restart of the manager, as often as it takes, and lets it go at the end', async () => {
    const group = await place({ limits: limits({ RuntimeMaxSec: '1h' }, MACHINE) });
    const unit = fake.units.get('a.scope');
    if (unit === undefined) throw new Error('no scope');
    unit.refs = 1;
    unit.properties.set('Result', new Variant('s', 'timeout'));
    expect(await group.ending()).toBe('timeout');
    expect(unit.refs).toBe(0);
  });

  it('sends quota and period that a newer systemd would round as they will be, and no property that is a silent no-op', async () => {
    await place({ limits: limits({ CPUQuota: '33.33%', TasksMax: '5' }, MACHINE) });
    const [call] = fake.callsOf('StartTransientUnit');
    const slice = (call?.body[3] as [string, [string, { value: unknown }][]][])[0]?.[1] ?? [];
    const sent = new Map(slice.map(([name, { value }]) => [name, value]));
    expect(sent.get('TasksMax')).toBe(5n);
    const names = [...sent.keys(), ...(call?.body[2] as [string][]).map(([name]) => name)];
    for (const gone of ['CPUShares', 'MemoryLimit', 'BlockIOWeight', 'StartupCPUShares'])
      expect(names).not.toContain(gone);
  });

  /** The manager re-executes at this moment of the next call; what it made by then it keeps. */
  function drop(at: 'asked' | 'made'): void {
    fake.behaviour.onStart = (moment, start) => {
      if (moment === 'made') attach(start);
      if (moment !== at) return undefined;
      fake.behaviour.onStart = (later, again) => (later === 'made' ? attach(again) : undefined);
      fake.disconnect();
      const own = fake;
      isBack = sleep(30).then(() => own.connect());
      return false;
    };
  }
});

/** The fake has no cgroups: what comes after the start is not of interest. */
function ignoreMissingGroup(error: unknown): void {
  if (!(error instanceof Error) || !/ControlGroup|ExecMainPID|Unknown property/.test(error.message)) throw error;
}
