import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { describe, expect, it } from 'vitest';
import type { Backend, Group } from '../../src/backend/backend.ts';
import { openBackend } from '../../src/backend/choose.ts';
import { readMachine } from '../../src/host/machine.ts';
import { HOST } from '../../src/host/paths.ts';
import { readSelf } from '../../src/host/self.ts';
import { startGate } from '../../src/job/gate.ts';
import { launch } from '../../src/job/launch.ts';
import { bash, contentOf, groupsOf, MAIN, NO_JOBS, scratch, slicectl, until } from './run-support.ts';

interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** slicectl with a process group and no terminal of its own. */
function start(args: readonly string[]) {
  const child = spawn(process.execPath, [MAIN, ...args], { detached: true, stdio: 'ignore' });
  const ended = new Promise<Ending>((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
  return { pid: child.pid ?? 0, ended };
}

describe.skipIf(NO_JOBS)(`signals to slicectl run${NO_JOBS ? ` (${NO_JOBS})` : ''}`, () => {
  it.each([
    'TERM',
    'HUP',
    'USR1',
    'USR2',
    'INT',
    'QUIT',
  ])('SIG%s to slicectl alone reaches the job once', async (name) => {
    using folder = scratch();
    const job = `trap 'echo caught >> ${folder.file('log')}' ${name}; echo $$ > ${folder.file('pid')}
      while [ -d ${folder.path} ] && [ ! -e ${folder.file('stop')} ]; do sleep 0.05; done; exit 4`;
    const { pid, ended } = start(['run', '-q', 'sh', '-c', job]);
    await until('the job runs', () => contentOf(folder.file('pid')).endsWith('\n'));
    process.kill(pid, `SIG${name}`);
    await until('the job has caught it', () => contentOf(folder.file('log')).includes('caught'));
    writeFileSync(folder.file('stop'), '');
    expect(await ended).toEqual({ code: 4, signal: null });
    expect(readFileSync(folder.file('log'), 'utf8')).toBe('caught\n');
  });

  it('SIGTERM to the whole process group reaches the job once', async () => {
    using folder = scratch();
    const job = `trap 'echo caught >> ${folder.file('log')}' TERM; echo $$ > ${folder.file('pid')}
      while [ -d ${folder.path} ] && [ ! -s ${folder.file('log')} ]; do sleep 0.05; done; sleep 0.5; exit 4`;
    const { pid, ended } = start(['run', '-q', 'sh', '-c', job]);
    await until('the job runs', () => contentOf(folder.file('pid')).endsWith('\n'));
    process.kill(-pid, 'SIGTERM');
    expect(await ended).toEqual({ code: 4, signal: null });
    expect(readFileSync(folder.file('log'), 'utf8')).toBe('caught\n');
  });

  it.each([
    ['TERM', 143],
    ['KILL', 137],
    ['SEGV', 139],
    ['USR1', 138],
  ])('a job that SIG%s ends gives status %i and the cause', (name, status) => {
    const held = slicectl(['run', '--receipt', 'json', '--', 'sh', '-c', `ulimit -c 0; kill -${name} $$`]);
    expect(held.status).toBe(status);
    expect(JSON.parse(held.stderr)).toMatchObject({ status, exit: { code: null, signal: `SIG${name}` } });
    expect(JSON.parse(held.stderr).cause).toContain(`SIG${name}`);
  });

  it('a job that SIGINT ends makes slicectl end by SIGINT, which shells show as 130', () => {
    expect(slicectl(['run', '-q', '--', 'sh', '-c', 'kill -INT $$']).signal).toBe('SIGINT');
    expect(bash("$SLICECTL run -q -- sh -c 'kill -INT $$'; echo $?").stdout).toBe('130\n');
  });

  it('SIGKILL to slicectl leaves the job under its limits, and a sweep removes the group when it has ended', async () => {
    using folder = scratch();
    const job = `echo $$ > ${folder.file('pid')}; while [ -d ${folder.path} ] && [ ! -e ${folder.file('stop')} ]; do sleep 0.05; done`;
    const { pid, ended } = start(['run', '-q', '--tasks', '20', 'sh', '-c', job]);
    await until('the job runs', () => contentOf(folder.file('pid')).endsWith('\n'));
    const jobPid = contentOf(folder.file('pid')).trim();
    const groups = contentOf(`/proc/${jobPid}/cgroup`);
    process.kill(pid, 'SIGKILL');
    expect(await ended).toEqual({ code: null, signal: 'SIGKILL' });
    expect(contentOf(`/proc/${jobPid}/cgroup`)).toBe(groups);
    expect(groupsOf(pid)).not.toEqual([]);
    writeFileSync(folder.file('stop'), '');
    await until('the job has ended', () => contentOf(`/proc/${jobPid}/cgroup`) === '');
    expect(slicectl(['sweep']).status).toBe(0);
    expect(groupsOf(pid)).toEqual([]);
  });

  it.each([
    'SIGKILL',
    'SIGTERM',
  ] as const)('%s to the job between its placing and its release is a clear error', async (signal) => {
    using folder = scratch();
    const self = readSelf();
    const wanted = { wanted: 'auto', manager: self.uid === 0 ? 'system' : 'user', paths: HOST, self } as const;
    const real = await openBackend(wanted);
    let placed: Group | undefined;
    const backend: Backend = {
      kind: real.kind,
      label: real.label,
      plan: (request) => real.plan(request),
      sweep: () => real.sweep(),
      close: () => real.close(),
      place: async (plan, pid) => {
        placed = await real.place(plan, pid);
        process.kill(pid, signal);
        await until('it has gone', () => !placed?.contains(pid));
        return placed;
      },
    };
    const pad = { backend, paths: HOST, machine: readMachine(HOST), self, left: new Set<Group>() };
    await expect(launch(pad, 'touch', [folder.file('ran')], {})).rejects.toMatchObject({ code: 'E_GATE' });
    expect(placed?.processes()).toEqual([]);
    expect(groupsOf(process.pid)).toEqual([]);
    expect(() => readFileSync(folder.file('ran'))).toThrow('ENOENT');
    backend.close();
  });

  it('a gate whose keeper dies before the release lets nothing of the command run', async () => {
    using folder = scratch();
    const gate = new URL('../../src/job/gate.ts', import.meta.url).href;
    const keeper = `
      import { startGate } from ${JSON.stringify(gate)};
      const stdio = ['ignore', 'ignore', 'ignore'];
      const argv = ['touch', ${JSON.stringify(folder.file('ran'))}];
      const { pid } = await startGate({ argv, env: process.env, cwd: '/', stdio, openFiles: undefined, ignoredSignals: [] });
      process.stdout.write(String(pid));
      setInterval(() => {}, 1000);`;
    writeFileSync(folder.file('keeper.mts'), keeper);
    const child = spawn(process.execPath, ['--import', 'tsx', folder.file('keeper.mts')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let shell = '';
    child.stdout.on('data', (text: Buffer) => {
      shell += text.toString();
    });
    await until('the gate waits', () => shell !== '' && contentOf(`/proc/${shell}/stat`).includes(') S '));
    child.kill('SIGKILL');
    await until('the shell has gone', () =>
      ['', 'Z'].includes(/\) (\w)/.exec(contentOf(`/proc/${shell}/stat`))?.[1] ?? ''),
    );
    expect(contentOf(folder.file('ran'))).toBe('');
    expect(() => readFileSync(folder.file('ran'))).toThrow('ENOENT');
  });

  it('a gate that is cut off in the middle of its release lets nothing of the command run', async () => {
    using folder = scratch();
    const gate = await startGate({
      argv: ['touch', folder.file('ran')],
      env: process.env,
      cwd: '/',
      stdio: ['ignore', 'ignore', 'ignore'],
      openFiles: undefined,
      ignoredSignals: [],
    });
    await gate.close();
    expect(await gate.exited).toEqual({ code: 125, signal: null });
    expect(() => readFileSync(folder.file('ran'))).toThrow('ENOENT');
  });
});
