import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HOST, type HostPaths } from '../../src/host/paths.ts';
import { findProcesses, readProcess } from '../../src/host/processes.ts';

let paths: HostPaths;
beforeEach(() => {
  const root = mkdtempSync(join(tmpdir(), 'slicectl-proc-'));
  paths = { ...HOST, proc: root };
});
afterEach(() => rmSync(paths.proc, { recursive: true, force: true }));

interface Made {
  readonly exe?: string;
  readonly argv?: readonly string[];
  readonly state?: string;
  readonly cgroup?: string;
  readonly environ?: string;
}

function make(
  pid: number,
  { exe, argv = [], state = 'S', cgroup = '0::/system.slice/a.service\n', environ }: Made,
): void {
  const folder = `${paths.proc}/${pid}`;
  mkdirSync(folder);
  const rest = Array.from({ length: 17 }, () => '0').join(' ');
  writeFileSync(`${folder}/stat`, `${pid} (a) b (c) ${state} 1 ${rest} 4711 0 0\n`);
  writeFileSync(`${folder}/cmdline`, argv.map((word) => `${word}\0`).join(''));
  writeFileSync(`${folder}/status`, 'Name:\ta\nUid:\t1000\t0\t0\t0\n');
  writeFileSync(`${folder}/cgroup`, cgroup);
  if (environ !== undefined) writeFileSync(`${folder}/environ`, environ);
  if (exe !== undefined) symlinkSync(exe, `${folder}/exe`);
}

const pids = (...names: string[]) => findProcesses(paths, names).map(({ pid }) => pid);

describe('processes of a program', () => {
  it('are found by the file and by argv[0], in order of their pids', () => {
    make(30, { exe: '/usr/bin/dockerd', argv: ['dockerd'] });
    make(4, { exe: '/usr/bin/docker-real', argv: ['/usr/bin/dockerd', '-D'] });
    make(5, { exe: '/usr/bin/python3', argv: ['python3', '/usr/bin/dockerd'] });
    make(6, { argv: ['dockerd'] });
    expect(pids('dockerd')).toEqual([4, 6, 30]);
    expect(pids('python3', 'docker-real')).toEqual([4, 5]);
  });

  it('are found when an upgrade has replaced the file', () => {
    make(7, { exe: '/usr/bin/dockerd (deleted)', argv: ['x'] });
    expect(findProcesses(paths, ['dockerd'])).toMatchObject([{ exe: '/usr/bin/dockerd' }]);
  });

  it('are no threads of the kernel and no zombies', () => {
    make(2, {});
    make(8, { exe: '/usr/bin/dockerd', argv: ['dockerd'], state: 'Z' });
    expect(readProcess(paths, 2)).toBeUndefined();
    expect(readProcess(paths, 8)).toBeUndefined();
    expect(readProcess(paths, 9)).toBeUndefined();
    expect(pids('dockerd')).toEqual([]);
  });
});

describe('a process', () => {
  it('has its words, empty ones as well, its effective user and its start', () => {
    make(9, { exe: '/bin/x', argv: ['x', '', 'a b', ''] });
    expect(readProcess(paths, 9)).toMatchObject({
      pid: 9,
      parent: 1,
      argv: ['x', '', 'a b', ''],
      uid: 0,
      startTicks: 4711n,
    });
  });

  it.each([
    ['v2', '0::/system.slice/docker.service\n', '/system.slice/docker.service'],
    [
      'hybrid',
      '2:cpu:/\n1:name=systemd:/system.slice/a.service\n0::/system.slice/a.service\n',
      '/system.slice/a.service',
    ],
    ['v1', '2:cpu:/\n1:name=systemd:/system.slice/b.service\n', '/system.slice/b.service'],
    ['hybrid of an old systemd', '1:name=systemd:/c.service\n0::/\n', '/c.service'],
    ['neither', '2:cpu:/\n', undefined],
  ])('is in the group that systemd made: %s', (_, cgroup, expected) => {
    make(10, { exe: '/bin/x', argv: ['x'], cgroup });
    expect(readProcess(paths, 10)?.cgroup).toBe(expected);
  });

  it('has an environment, unless that may not be read', () => {
    make(11, { exe: '/bin/x', argv: ['x'], environ: 'A=1\0B=x=y\0C=\0' });
    make(12, { exe: '/bin/x', argv: ['x'] });
    expect([...(readProcess(paths, 11)?.environment() ?? [])]).toEqual([
      ['A', '1'],
      ['B', 'x=y'],
      ['C', ''],
    ]);
    expect(readProcess(paths, 12)?.environment()).toBeUndefined();
  });

  it('is read from this kernel as from a tree of files', () => {
    const own = readProcess(HOST, process.pid);
    expect(own?.exe).toBe(process.execPath);
    expect(own?.argv.length).toBeGreaterThan(0);
    expect(own?.startTicks).toBeGreaterThan(0n);
    expect(own?.environment()?.get('PATH')).toBe(process.env.PATH);
  });
});
