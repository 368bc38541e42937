import { describe, expect, it } from 'vitest';
import { files, isShown, MACHINE, rowNamed, writes } from '../support.ts';

describe('TasksMax', () => {
  it.each([
    ['64', '64'],
    ['infinity', 'max'],
    ['10%', '3276'],
    ['0.01%', '3'],
  ])('%s is %s in pids.max of both versions', (text, content) => {
    for (const version of ['v1', 'v2'] as const) {
      expect(writes(version, 'TasksMax', { TasksMax: text })).toMatchObject([
        { controller: 'pids', file: 'pids.max', text: content },
      ]);
    }
    expect(rowNamed('TasksMax').v2?.read(files({ 'pids.max': `${content}\n` }))).toEqual(
      rowNamed('TasksMax').parse(text, MACHINE),
    );
  });

  it('as a small share of a small machine is one task, not none', () => {
    expect(rowNamed('TasksMax').parse('0.01%', { ...MACHINE, tasks: 100n })).toBe(1n);
  });
});

describe.each([
  ['AllowedCPUs', 'cpuset.cpus', 'cpuset.cpus.effective', 'cpuset.effective_cpus'],
  ['AllowedMemoryNodes', 'cpuset.mems', 'cpuset.mems.effective', 'cpuset.effective_mems'],
] as const)('%s', (name, file, effective, effectiveV1) => {
  it(`is written to ${file} of both versions, and proved by its content`, () => {
    for (const version of ['v1', 'v2'] as const) {
      const [write] = writes(version, name, { [name]: '8 0-3' });
      expect(write).toMatchObject({ controller: 'cpuset', file, text: '0-3,8' });
      expect(write && isShown(write, '0-3,8\n')).toBe(true);
      expect(write && isShown(write, '0-3\n')).toBe(false);
    }
  });

  it('is read from what the kernel made of it and of the groups above', () => {
    expect(rowNamed(name).v2?.read(files({ [effective]: '0-1\n' }))).toEqual([0, 1]);
    expect(rowNamed(name).v1?.read(files({ [effectiveV1]: '0-1\n' }))).toEqual([0, 1]);
    expect(rowNamed(name).v2?.read(files({}))).toBeUndefined();
    expect(rowNamed(name).v2?.read(files({ [effective]: '\n' }))).toEqual([]);
  });
});

describe('OOMPolicy', () => {
  it('kill is memory.oom.group, the others are no file', () => {
    expect(writes('v2', 'OOMPolicy', { OOMPolicy: 'kill' })).toMatchObject([{ file: 'memory.oom.group', text: '1' }]);
    for (const policy of ['continue', 'stop']) expect(writes('v2', 'OOMPolicy', { OOMPolicy: policy })).toEqual([]);
    expect(rowNamed('OOMPolicy').v1).toBeUndefined();
  });

  it.each([
    ['1\n', 'kill'],
    ['0\n', 'continue'],
    [undefined, undefined],
  ] as const)('of a group with memory.oom.group %j is %s', (content, policy) => {
    expect(rowNamed('OOMPolicy').v2?.read(files(content === undefined ? {} : { 'memory.oom.group': content }))).toBe(
      policy,
    );
  });
});

describe('limits of time', () => {
  it.each(['RuntimeMaxSec', 'TimeoutStopSec'] as const)('%s has no file: systemd or slicectl holds it', (name) => {
    expect(rowNamed(name)).toMatchObject({ scope: 'job', ancestors: 'none' });
    expect(rowNamed(name).v1 ?? rowNamed(name).v2).toBeUndefined();
  });
});
