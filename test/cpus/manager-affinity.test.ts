import { symlinkSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseKernelLine } from '../../src/host/kernel-line.ts';
import { type ManagerAffinity, managerCpus, readManagerAffinity } from '../../src/host/manager-affinity.ts';
import { RootTree } from '../../src/host/root-tree.ts';
import { FakeHost } from './fake-host.ts';

function readFrom(files: Readonly<Record<string, string>>): ManagerAffinity | undefined {
  using host = new FakeHost().write(files);
  return readManagerAffinity(new RootTree(host.root));
}

const manager = (text: string): string => `[Manager]\n${text}\n`;

describe('CPUAffinity= of systemd itself', () => {
  it('is that of a drop-in such as tuned writes', () => {
    const path = 'etc/systemd/system.conf.d/00-tuned.conf';
    const found = readFrom({ 'etc/systemd/system.conf': manager('#CPUAffinity='), [path]: manager('CPUAffinity=0 1') });
    expect(found).toEqual({ cpus: [0, 1], path: `/${path}` });
  });

  it('adds up over the files, in the order of their names, until an empty one', () => {
    const files = {
      'etc/systemd/system.conf': manager('CPUAffinity=7'),
      'etc/systemd/system.conf.d/20.conf': manager('CPUAffinity=\nCPUAffinity=2-3'),
      'usr/lib/systemd/system.conf.d/30.conf': manager('CPUAffinity=0'),
      'usr/lib/systemd/system.conf.d/40.conf': manager('CPUAffinity=x'),
      'usr/lib/systemd/system.conf.d/50.conf.bak': manager('CPUAffinity='),
    };
    expect(readFrom(files)).toEqual({ cpus: [0, 2, 3], path: '/usr/lib/systemd/system.conf.d/30.conf' });
    expect(readFrom({ ...files, 'etc/systemd/system.conf.d/60.conf': manager('CPUAffinity=') })).toBeUndefined();
  });

  it('is of equal names in the folder that wins', () => {
    const files = {
      'usr/lib/systemd/system.conf': manager('CPUAffinity=7'),
      'etc/systemd/system.conf': manager(''),
      'usr/lib/systemd/system.conf.d/a.conf': manager('CPUAffinity=6'),
      'etc/systemd/system.conf.d/a.conf': manager('CPUAffinity=1'),
    };
    expect(readFrom(files)?.cpus).toEqual([1]);
  });

  it('is none of a drop-in that a link to /dev/null hides, of another section, or of numa', () => {
    using host = new FakeHost().write({
      'dev/other': '',
      'usr/lib/systemd/system.conf.d/a.conf': manager('CPUAffinity=6'),
      'etc/systemd/system.conf.d/b.conf': '[Other]\nCPUAffinity=1\n',
      'etc/systemd/system.conf.d/c.conf': manager('CPUAffinity=numa'),
    });
    symlinkSync('/dev/null', `${host.root}/etc/systemd/system.conf.d/a.conf`);
    expect(readManagerAffinity(new RootTree(host.root))).toBeUndefined();
  });

  it('counts only where the kernel command line says nothing of it', () => {
    const managerAffinity = { cpus: [0, 1], path: '/etc/systemd/system.conf' };
    const of = (line: string) => managerCpus({ kernelLine: parseKernelLine(line, 7), managerAffinity });
    expect(of('quiet')).toEqual([0, 1]);
    expect(of('systemd.cpu_affinity=2')).toEqual([2]);
  });
});
