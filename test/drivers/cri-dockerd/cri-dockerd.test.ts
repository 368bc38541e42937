import { describe, expect, it } from 'vitest';
import { type CriDockerdFacts, criDockerd } from '../../../src/drivers/cri-dockerd/cri-dockerd.ts';
import type { ObservedDriver, RuntimeStatus } from '../../../src/drivers/model.ts';
import { request, still, useTree } from '../trees.ts';

const files = useTree();

const docker = (driver: ObservedDriver | undefined): RuntimeStatus => ({
  runtime: 'docker',
  instance: '',
  version: '28.5.2',
  unit: 'docker.service',
  running: undefined,
  configured: { driver, source: { kind: 'default', text: '' }, shadowed: [] },
  findings: [],
});
const facts = (some: Partial<CriDockerdFacts>): CriDockerdFacts => ({
  unit: 'cri-docker.service',
  version: '0.4.0',
  socket: '/run/cri-dockerd.sock',
  isActive: true,
  observed: undefined,
  docker: docker('systemd'),
  problems: [],
  ...some,
});

it('is not there on a host without it', async () => {
  expect(await criDockerd.read(still(files.tree))).toEqual([]);
});

it('is found by its unit, listens where that says, and needs a Docker', async () => {
  files.put(
    '/etc/systemd/system/cri-docker.service',
    '[Service]\nExecStart=/usr/bin/cri-dockerd --container-runtime-endpoint unix:///run/cri/docker.sock\n',
  );
  const [found] = await criDockerd.read(still(files.tree));
  expect(found?.socket).toBe(`${files.root}/run/cri/docker.sock`);
  expect(found && criDockerd.status(found)).toMatchObject([
    { follows: 'docker', findings: [{ severity: 'error', code: 'cri-dockerd-without-docker' }] },
  ]);
});

it("has Docker's driver", () => {
  expect(criDockerd.status(facts({ docker: docker('cgroupfs') }))).toMatchObject([
    { configured: { driver: 'cgroupfs', source: { text: "Docker's driver" } }, follows: 'docker', findings: [] },
  ]);
});

it('before 0.4.0 does not tell the kubelet, which is told', () => {
  expect(criDockerd.status(facts({ version: '0.3.25' }))[0]?.findings).toMatchObject([
    { severity: 'info', code: 'cri-dockerd-no-runtime-config' },
  ]);
});

describe('a plan', () => {
  const stepsAfter = (some: Partial<CriDockerdFacts>) => criDockerd.plan(facts(some), request('systemd'), []).after;
  const observed = { driver: 'cgroupfs', how: 'cri', text: '' } as const;

  it('is nothing where Docker and it have the driver', () => {
    expect(stepsAfter({ observed: { ...observed, driver: 'systemd' } })).toEqual([]);
  });

  it('is a restart after Docker, since it keeps the driver of its own start, and a check', () => {
    expect(stepsAfter({ docker: docker('cgroupfs'), observed })).toMatchObject([
      { kind: 'unit', unit: 'cri-docker.service', verb: 'restart' },
      {
        kind: 'check',
        check: 'cri-dockerd-driver',
        expect: { driver: 'systemd' },
        expectBefore: { driver: 'cgroupfs' },
      },
    ]);
  });

  it('is a restart where it alone is behind', () => {
    expect(stepsAfter({ observed })).toHaveLength(2);
  });

  it('has no check where it tells nothing, and no restart where it does not run', () => {
    expect(stepsAfter({ docker: docker('cgroupfs') })).toMatchObject([{ kind: 'unit' }]);
    expect(stepsAfter({ docker: docker('cgroupfs'), isActive: false })).toEqual([]);
  });
});
