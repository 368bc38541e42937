import { describe, expect, it } from 'vitest';
import {
  type Assignment,
  layered,
  limits,
  parseAssignment,
  printLimit,
  readAssignments,
  valuesOf,
} from '../../src/core/limits.ts';
import { MACHINE, refusal } from './support.ts';

const given = (...texts: string[]): Assignment[] => texts.map((text) => parseAssignment(text, '-p'));
const read = (...texts: string[]) => valuesOf(layered([readAssignments(given(...texts), MACHINE)]));

describe('assignments of one level', () => {
  it('are joined when the property is a list', () => {
    expect(read('AllowedCPUs=0-1', 'AllowedCPUs=1 3')).toEqual({ AllowedCPUs: [0, 1, 3] });
    expect(read('IOReadBandwidthMax=/dev/sda 1M', 'IOReadBandwidthMax=/dev/sdb 2M')).toEqual({
      IOReadBandwidthMax: [
        { device: '/dev/sda', amount: 1_000_000n },
        { device: '/dev/sdb', amount: 2_000_000n },
      ],
    });
  });

  it('of the same device replace each other', () => {
    expect(read('IOReadIOPSMax=/dev/sda 10', 'IOReadIOPSMax=/dev/sda 20')).toEqual({
      IOReadIOPSMax: [{ device: '/dev/sda', amount: 20n }],
    });
  });

  it('are replaced when the property is one value', () => {
    expect(read('MemoryMax=1G', 'MemoryMax=2G')).toEqual({ MemoryMax: 2n << 30n });
  });

  it('are forgotten by an empty text, and can start again after it', () => {
    expect(read('AllowedCPUs=0-1', 'AllowedCPUs=')).toEqual({});
    expect(read('AllowedCPUs=0-1', 'AllowedCPUs=', 'AllowedCPUs=5')).toEqual({ AllowedCPUs: [5] });
    expect(read('MemoryMax=1G', 'MemoryMax= ')).toEqual({});
  });

  it('keep the texts and the last place that they came from', () => {
    const asked = readAssignments(
      [
        { name: 'AllowedCPUs', text: ' 0-1 ', source: 'a.ini:1' },
        { name: 'AllowedCPUs', text: '3', source: 'a.ini:2' },
      ],
      MACHINE,
    );
    expect(asked.get('AllowedCPUs')).toMatchObject({ text: '0-1, 3', source: 'a.ini:2' });
  });

  it('that came from a flag are read by the flag', () => {
    const flags: Assignment[] = [
      { name: 'CPUQuota', text: '1.5', source: '--cpu' },
      { name: 'CPUWeight', text: '1000m', source: '--cpu-request' },
      { name: 'AllowedCPUs', text: '0-3', source: '--cpus' },
      { name: 'MemoryMax', text: '25%', source: '--memory' },
      { name: 'RuntimeMaxSec', text: '90', source: '--timeout' },
    ];
    expect(valuesOf(layered([readAssignments(flags, MACHINE)]))).toEqual({
      CPUQuota: 1_500_000n,
      CPUWeight: 100n,
      AllowedCPUs: [0, 1, 2, 3],
      MemoryMax: 4n << 30n,
      RuntimeMaxSec: 90_000_000n,
    });
  });
});

describe('a refused assignment', () => {
  it.each([
    ['-p', 'MemoryMax', '1g', 'E_INPUT', 'MemoryMax="1g" is not a size'],
    ['--memory', 'MemoryMax', '1g', 'E_INPUT', '--memory: MemoryMax="1g" is not a size'],
    ['--cpu', 'CPUQuota', 'x', 'E_INPUT', '--cpu: "x" is not an amount of CPU'],
    ['--cpus', 'AllowedCPUs', '3-1', 'E_INPUT', '--cpus="3-1": the range 3-1 runs backwards'],
    ['build.ini:3', 'MemoryMax', '1g', 'E_PROFILE', 'build.ini:3: MemoryMax="1g" is not a size'],
    ['/etc/a b.ini:12', 'TasksMax', '0', 'E_PROFILE', '/etc/a b.ini:12: TasksMax=0 is out of range'],
  ])('from %s says where %s=%s came from', (source, name, text, code, message) => {
    const error = refusal(() => readAssignments([{ name, text, source }], MACHINE));
    expect(error).toMatchObject({ code, message });
    expect(error.hint).toMatch(/^write /);
  });

  it('of an unknown property names the nearest one', () => {
    expect(refusal(() => read('MemoryMx=1G'))).toMatchObject({
      code: 'E_INPUT',
      message: '"MemoryMx" is not a limit that slicectl knows',
      hint: 'did you mean MemoryMax?',
      data: { name: 'MemoryMx' },
    });
  });

  it('of a word that is near nothing points to the list', () => {
    expect(refusal(() => read('Colour=red')).hint).toBe('slicectl run --help lists the properties');
  });

  it.each([
    ['CPUShares', 'CPUWeight'],
    ['MemoryLimit', 'MemoryMax'],
    ['BlockIOWeight', 'IOWeight'],
    ['BlockIODeviceWeight', 'IODeviceWeight'],
    ['BlockIOReadBandwidth', 'IOReadBandwidthMax'],
    ['BlockIOWriteBandwidth', 'IOWriteBandwidthMax'],
  ])('of %s, which systemd no longer obeys, names %s', (old, successor) => {
    expect(refusal(() => read(`${old}=100`))).toMatchObject({
      message: `${old} is a property that systemd no longer obeys`,
      hint: `write ${successor}`,
    });
  });

  it.each([
    'constructor',
    'toString',
    '__proto__',
    'hasOwnProperty',
  ])('named %s is only an unknown property', (name) => {
    expect(refusal(() => read(`${name}=1`)).message).toBe(`"${name}" is not a limit that slicectl knows`);
  });

  it.each(['MemoryMax', '=1G', '', '  MemoryMax'])('%j without a name and a value is not an assignment', (text) => {
    expect(refusal(() => parseAssignment(text, '-p'))).toMatchObject({
      code: 'E_INPUT',
      message: `-p ${JSON.stringify(text)} is not Name=value`,
      hint: 'write -p MemoryMax=1G',
    });
  });
});

describe('levels', () => {
  const level = (...texts: string[]) => readAssignments(given(...texts), MACHINE);

  it('replace weaker ones whole, lists too', () => {
    const asked = layered([level('AllowedCPUs=0-3', 'MemoryMax=1G'), level('AllowedCPUs=8')]);
    expect(valuesOf(asked)).toEqual({ AllowedCPUs: [8], MemoryMax: 1n << 30n });
  });

  it('can take back what a weaker one gave', () => {
    expect(valuesOf(layered([level('AllowedCPUs=0-3', 'TasksMax=5'), level('AllowedCPUs=')]))).toEqual({
      TasksMax: 5n,
    });
  });

  it('come out in the order of the table, whatever the order given', () => {
    const asked = layered([level('RuntimeMaxSec=1', 'TasksMax=5'), level('CPUQuota=50%')]);
    expect(asked.map(({ name }) => name)).toEqual(['CPUQuota', 'TasksMax', 'RuntimeMaxSec']);
  });
});

describe('the limits of a library call', () => {
  it('take text, numbers, bigints and lists', () => {
    const asked = limits(
      { MemoryMax: 1_048_576, TasksMax: 64n, CPUQuota: '50%', AllowedCPUs: ['0-1', '3'], IOWeight: undefined },
      MACHINE,
    );
    expect(valuesOf(asked)).toEqual({
      CPUQuota: 500_000n,
      AllowedCPUs: [0, 1, 3],
      MemoryMax: 1_048_576n,
      TasksMax: 64n,
    });
    expect(asked.every(({ source }) => source === 'limits')).toBe(true);
  });

  it('refuse numbers that JavaScript cannot write as digits', () => {
    for (const value of [1e21, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(refusal(() => limits({ MemoryMax: value }, MACHINE)).code).toBe('E_INPUT');
    }
  });

  it('print as systemd writes them', () => {
    expect(printLimit('MemoryMax', 1n << 30n)).toBe('MemoryMax=1G');
    expect(printLimit('AllowedCPUs', [0, 1, 2, 8])).toBe('AllowedCPUs=0-2,8');
  });
});
