import { expect, it } from 'vitest';
import { parseKernelLine, readKernelLine } from '../../src/host/kernel-line.ts';
import { FakeHost } from './fake-host.ts';

it('reads what a tuned real-time host has', () => {
  const line =
    'BOOT_IMAGE=(hd0,gpt2)/vmlinuz root=/dev/sda1 ro skew_tick=1 nohz_full=2-7 rcu_nocbs=2-7 irqaffinity=0,1 ' +
    'isolcpus=managed_irq,domain,2-7 kthread_cpus=0-1 systemd.cpu_affinity=0,1 nosmt=force maxcpus=8\n';
  expect(parseKernelLine(line, 7)).toMatchObject({
    isolcpus: { cpus: [2, 3, 4, 5, 6, 7], flags: ['managed_irq', 'domain'], text: 'managed_irq,domain,2-7' },
    nohzFull: { cpus: [2, 3, 4, 5, 6, 7], flags: [] },
    rcuNocbs: { cpus: [2, 3, 4, 5, 6, 7] },
    irqaffinity: { cpus: [0, 1] },
    kthreadCpus: { cpus: [0, 1] },
    systemdCpuAffinity: { cpus: [0, 1] },
    nosmt: 'force',
    maxcpus: 8,
    problems: [],
  });
});

it.each([
  ['isolcpus=1-N', [1, 2, 3]],
  ['isolcpus=nohz,domain,some_flag,1', [1]],
  ['isolcpus=0-3:1/2', [0, 2]],
  ['isolcpus=1 isolcpus=2', [2]],
  ['"isolcpus=1 2"', [1, 2]],
  ['isolcpus="1,3"', [1, 3]],
  ['quiet -- isolcpus=1', undefined],
  ['isolcpus', undefined],
  ['isolcpus=', undefined],
  ['xisolcpus=1', undefined],
])('isolcpus of %j is %j', (line, cpus) => {
  expect(parseKernelLine(line, 3).isolcpus?.cpus).toEqual(cpus);
});

it('takes a dash in a name for an underscore, as the kernel does', () => {
  expect(parseKernelLine('nohz-full=1 rcu-nocbs=all', 1)).toMatchObject({
    nohzFull: { cpus: [1] },
    rcuNocbs: { cpus: [0, 1] },
  });
});

it('reads systemd.cpu_affinity as systemd does', () => {
  expect(parseKernelLine('"systemd.cpu_affinity=0-1 0x3"', 1).systemdCpuAffinity?.cpus).toEqual([0, 1, 3]);
});

it.each([
  ['nosmt', 'on'],
  ['nosmt=force', 'force'],
  ['mitigations=auto,nosmt', undefined],
])('nosmt of %j is %j', (line, expected) => {
  expect(parseKernelLine(line, 1).nosmt).toBe(expected);
});

it('says of a list that the kernel ignores why', () => {
  const line = parseKernelLine('isolcpus=8-9 nohz_full=3-2', 7);
  expect(line).toMatchObject({ isolcpus: undefined, nohzFull: undefined });
  expect(line.problems).toEqual([
    'isolcpus="8-9": 9 is above 7, the last one here',
    'nohz_full="3-2": the range "3-2" runs backwards',
  ]);
});

it('is empty where /proc has no command line', () => {
  using host = new FakeHost();
  expect(Object.values(readKernelLine(host.paths, 1)).filter((value) => value !== undefined)).toEqual([[]]);
});
