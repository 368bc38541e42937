import { describe, expect, it } from 'vitest';
import { checkContainerd } from '../../../src/drivers/containerd/check.ts';
import { containerd } from '../../../src/drivers/containerd/containerd.ts';
import { driversIn, type Running } from '../../../src/drivers/containerd/running.ts';
import type { DriverHost } from '../../../src/drivers/model.ts';
import { HOST } from '../../../src/host/paths.ts';
import type { RootTree } from '../../../src/host/root-tree.ts';
import { hostOf, lines, MAIN, makeTree, put, request } from './support.ts';

const RUNC = '[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc';

/** A file with the switch, and a socket where nothing is. */
function config(tree: RootTree, value: boolean): string {
  return lines(
    'version = 2',
    'imports = ["conf.d/*.toml"]',
    '[grpc]',
    `  address = "${tree.root}/containerd.sock"`,
    `${RUNC}]`,
    '  runtime_type = "io.containerd.runc.v2"',
    `  ${RUNC}.options]`,
    `    SystemdCgroup = ${value}`,
  );
}

/** A host on which `containerd` is a script: its version, and what it does with `config dump`. */
function liveHost(dump: string): DriverHost {
  const tree = makeTree({});
  put(tree, MAIN, config(tree, false));
  const script = lines(
    '#!/bin/sh',
    'case "$*" in',
    '  --version) echo "containerd example.org/c v1.7.24~ds1 x";;',
    `  *) ${dump};;`,
    'esac',
  );
  put(tree, '/usr/bin/containerd', script, 0o755);
  return { ...hostOf(tree), live: { paths: HOST, system: undefined, user: undefined } };
}

async function refusals(host: DriverHost): Promise<readonly string[]> {
  const [facts] = await containerd.read(host);
  if (facts === undefined) throw new Error('containerd was not found');
  const plan = containerd.plan(facts, request('systemd'), []);
  expect(plan.files).toHaveLength(1);
  return ((await containerd.validate?.(facts, plan, host)) ?? []).map(({ reason }) => reason);
}

describe('the program', () => {
  it('gives its version, without what packagers add', async () => {
    const [facts] = await containerd.read(liveHost('cat "$2"'));
    expect(facts?.version).toBe('1.7.24');
  });

  it('is asked what it makes of the changed files', async () => {
    expect(await refusals(liveHost('cat "$2"'))).toEqual([]);
  });

  it('stops a plan that it reads otherwise', async () => {
    const host = liveHost('sed s/true/false/ "$2"');
    expect(await refusals(host)).toEqual([
      '"containerd config dump" gives the runtime runc cgroupfs with the changed files, not systemd',
    ]);
  });

  it('stops a plan that it does not take, with its own words and the real path', async () => {
    const host = liveHost('grep -q true "$2" || exec cat "$2"; echo "containerd: bad $2" >&2; exit 1');
    expect(await refusals(host)).toEqual([`containerd would not take its configuration as it would be: bad ${MAIN}`]);
  });

  it('gets copies that import each other, whatever their patterns', async () => {
    const host = liveHost('grep imports "$2" >> "$(dirname "$0")/../../seen"; cat "$2"');
    put(host.tree, '/etc/containerd/conf.d/a.toml', 'version = 2\n');
    expect(await refusals(host)).toEqual([]);
    const seen = host.tree.text('/seen')?.trim().split('\n').at(-1);
    expect(seen).toMatch(/^imports = \["\/.*slicectl-containerd-[^"]*\/etc\/containerd\/conf\.d\/a\.toml"\]$/);
  });

  it('is a finding where it merges the files otherwise than slicectl', async () => {
    const host = liveHost('sed s/false/true/ "$2"');
    const [facts] = await containerd.read(host);
    const findings = facts === undefined ? [] : containerd.status(facts).flatMap((row) => row.findings);
    expect(findings.map(({ code }) => code)).toContain('containerd-dump-differs');
  });

  it('is an error where it does not take its configuration', async () => {
    const host = liveHost('echo "containerd: no such thing" >&2; exit 1');
    const [facts] = await containerd.read(host);
    const [row] = facts === undefined ? [] : containerd.status(facts);
    expect(row?.configured.driver).toBeUndefined();
    expect(row?.findings[0]).toMatchObject({
      code: 'containerd-config-refused',
      message: 'containerd does not take its configuration: no such thing',
    });
  });
});

describe('what the CRI says', () => {
  it.each([
    ['1.7.24', { options: { SystemdCgroup: true }, runtimeType: 'io.containerd.runc.v2' }, 'systemd'],
    [
      '2.1.9',
      { options: { BinaryName: '', IoGid: 0, SystemdCgroup: false }, runtimeType: 'io.containerd.runc.v2' },
      'cgroupfs',
    ],
    ['no options', { options: null, runtimeType: 'io.containerd.runc.v2' }, 'cgroupfs'],
    ['another case', { options: { systemdcgroup: true }, runtimeType: 'io.containerd.runc.v2' }, 'systemd'],
    ['the old shim', { options: null, runtimeType: 'io.containerd.runtime.v1.linux' }, 'systemd'],
  ])('%s', (_, runtime, driver) => {
    const text = JSON.stringify({ containerd: { runtimes: { runc: runtime } }, systemdCgroup: true });
    expect(driversIn(text)).toEqual(new Map([['runc', driver]]));
  });

  it.each(['', '{}', 'null', '{"containerd":{"runtimes":null}}', '<html>'])('is nothing in %j', (text) => {
    expect(driversIn(text)).toBeUndefined();
  });
});

describe('the check', () => {
  const silent: Running = {
    socket: '/s',
    loaded: undefined,
    version: undefined,
    drivers: undefined,
    announced: undefined,
    failure: { reason: 'refused', message: '"/s" exists, but nothing listens on it', detail: '' },
    pods: [],
  };
  const patience = { deadlineMs: 3, pauseMs: 1 };

  it('waits until the CRI answers', async () => {
    const answers = [undefined, silent, { ...silent, drivers: new Map([['runc', 'systemd' as const]]) }];
    const look = async (): Promise<Running | undefined> => answers.shift();
    expect(await checkContainerd({ runc: 'systemd' }, look, patience)).toEqual({
      ok: true,
      found: 'by the CRI runc has systemd',
    });
  });

  it('fails for one runtime of several', async () => {
    const drivers = new Map([['runc', 'systemd' as const]]);
    const look = async (): Promise<Running> => ({ ...silent, drivers });
    expect(await checkContainerd({ runc: 'systemd', nvidia: 'systemd' }, look, patience)).toEqual({
      ok: false,
      found: 'by the CRI runc has systemd, nvidia has no driver',
    });
  });

  it('gives up at its deadline and says why', async () => {
    expect(await checkContainerd({ runc: 'systemd' }, async () => silent, patience)).toEqual({
      ok: false,
      found: 'the CRI of containerd does not tell its drivers: "/s" exists, but nothing listens on it',
    });
  });
});
