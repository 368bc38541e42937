import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { dockerChecks } from '../../../src/drivers/docker/checks.ts';
import { docker } from '../../../src/drivers/docker/docker.ts';
import { validateDocker } from '../../../src/drivers/docker/validate.ts';
import { request, still, useTree } from '../trees.ts';
import { FILE, startEngine, UNIT, UNIT_PATH } from './engine.ts';

const files = useTree();
const socketPath = (): string => join(files.root, 'run/docker.sock');
const checks = dockerChecks({ patienceMs: 40, pauseMs: 1 });

async function run(name: string, expect: Readonly<Record<string, string>>) {
  const check = checks[name];
  if (check === undefined) throw new Error(`there is no check ${name}`);
  return check({ socket: socketPath(), ...expect }, '/');
}

describe('the check of the driver', () => {
  it('asks the daemon', async () => {
    await startEngine(socketPath(), { CgroupDriver: 'systemd' });
    const found = `Docker on ${socketPath()} reports the driver systemd`;
    expect(await run('docker-driver', { driver: 'systemd' })).toEqual({ ok: true, found });
    expect(await run('docker-driver', { driver: 'cgroupfs' })).toEqual({ ok: false, found });
  });

  it('waits for a daemon that is not there yet', async () => {
    const patient = dockerChecks({ patienceMs: 60_000, pauseMs: 1 })['docker-driver'];
    const result = patient?.({ driver: 'systemd', socket: socketPath() }, '/');
    await startEngine(socketPath(), { CgroupDriver: 'systemd' });
    expect(await result).toMatchObject({ ok: true });
  });

  it('says what is the matter with a daemon that does not come', async () => {
    expect(await run('docker-driver', { driver: 'systemd' })).toEqual({
      ok: false,
      found: `Docker on ${socketPath()} is not there`,
    });
  });

  it('takes no other server for Docker', async () => {
    await startEngine(socketPath(), { ID: undefined, CgroupDriver: 'systemd' });
    expect(await run('docker-driver', { driver: 'systemd' })).toMatchObject({
      found: `Docker on ${socketPath()} does not answer as Docker does`,
    });
  });
});

describe('the check of live-restore', () => {
  it('waits until the daemon has read its file', async () => {
    const engine = await startEngine(socketPath());
    expect(await run('docker-live-restore', { enabled: 'true' })).toEqual({ ok: false, found: 'live-restore is off' });
    engine.info = { ...engine.info, LiveRestoreEnabled: true };
    expect(await run('docker-live-restore', { enabled: 'true' })).toEqual({ ok: true, found: 'live-restore is on' });
  });
});

describe('the check of the containers', () => {
  it('names those that do not run', async () => {
    await startEngine(socketPath(), {}, [{ name: 'web' }, { name: 'db', running: false }]);
    expect(await run('docker-containers', { running: 'web' })).toEqual({ ok: true, found: '1 of 1 containers run' });
    expect(await run('docker-containers', { running: 'web db' })).toEqual({
      ok: false,
      found: '1 of 2 containers run; not db',
    });
  });
});

describe('what dockerd --validate is asked', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'slicectl-dockerd-'));
    files.put(UNIT_PATH, UNIT);
    files.put(FILE, '{"icc": false}');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** A stand-in that notes what it is given and says this. */
  function program(says: string, status: number): string {
    const path = join(folder, 'dockerd');
    writeFileSync(
      path,
      `#!/bin/sh\necho "$@" >${folder}/words\ncat "$3" >${folder}/file\necho "${says}" >&2\nexit ${status}\n`,
    );
    chmodSync(path, 0o755);
    return path;
  }

  async function validate(path: string, version = '28.5') {
    const [facts] = await docker.read(still(files.tree, { docker: version }));
    if (facts === undefined) throw new Error('no Docker was found');
    const plan = docker.plan(facts, request('systemd'), []);
    expect(plan.files).toHaveLength(1);
    return validateDocker({ ...facts, program: path }, plan);
  }

  it('is the file as it would be, with the options of the unit', async () => {
    expect(await validate(program('configuration OK', 0))).toEqual([]);
    expect(readFileSync(join(folder, 'file'), 'utf8')).toBe(
      '{"icc": false, "exec-opts": ["native.cgroupdriver=systemd"]}',
    );
    expect(readFileSync(join(folder, 'words'), 'utf8')).toMatch(
      /^--validate --config-file \S+ -H fd:\/\/ --containerd=\/run\/containerd\/containerd.sock\n$/,
    );
  });

  it('can be refused, in one sentence', async () => {
    const says = 'unable to configure the Docker daemon with file \\"$3\\": it is wrong';
    const [refusal] = await validate(program(says.replaceAll('\\"', ''), 1));
    expect(refusal?.reason).toBe('dockerd --validate refuses the new configuration: it is wrong');
  });

  it('is not asked of a version that has no --validate, nor taken for an answer where it cannot be run', async () => {
    expect(await validate(program('unknown flag', 1), '20.10')).toEqual([]);
    expect(await validate(join(folder, 'absent'))).toEqual([]);
  });

  it('is not believed where it only misses docker-proxy', async () => {
    const says = 'invalid userland-proxy-path: userland-proxy is enabled, but userland-proxy-path is not set';
    expect(await validate(program(says, 1))).toEqual([]);
  });
});
