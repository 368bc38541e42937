import { describe, expect, it } from 'vitest';
import { readProcessFlags } from '../../../src/drivers/docker/flags.ts';
import { rulesOf } from '../../../src/drivers/docker/rules.ts';

const flags = (...words: string[]) =>
  readProcessFlags(['/usr/sbin/dockerd', ...words], 7).map(({ flag, value, words: at }) => [flag, value, ...at]);

describe("dockerd's command line", () => {
  it('has values after a blank or an equals sign', () => {
    expect(flags('--exec-opt', 'native.cgroupdriver=systemd', '--exec-opt=a=b')).toEqual([
      ['exec-opt', 'native.cgroupdriver=systemd', 0, 1],
      ['exec-opt', 'a=b', 2],
    ]);
  });

  it('has switches, which take no word after them', () => {
    expect(flags('--live-restore', '--exec-opt', 'a=b', '--icc=false')).toEqual([
      ['live-restore', 'true', 0],
      ['exec-opt', 'a=b', 1, 2],
      ['icc', 'false', 3],
    ]);
  });

  it('has letters, several in one word', () => {
    expect(flags('-DH', 'fd://', '-Hunix:///x', '-H=tcp://y', '-Gdocker')).toEqual([
      ['debug', 'true', 0],
      ['host', 'fd://', 0, 1],
      ['host', 'unix:///x', 2],
      ['host', 'tcp://y', 3],
      ['group', 'docker', 4],
    ]);
  });

  it('ends at a lone --, and goes on after what it does not know', () => {
    expect(flags('daemon', '--unknown', '–exec-opt', '--exec-opt=a=b', '--', '--exec-opt=c=d')).toEqual([
      ['exec-opt', 'a=b', 3],
    ]);
  });
});

describe('the rules of a version', () => {
  it.each([
    ['1.13.1', 'before 20.10'],
    ['19.03.15', 'before 20.10'],
    ['20.10.24+dfsg1', '20.10'],
    ['23.0.0', '23 and 24'],
    ['24.0.7', '23 and 24'],
    ['25.0.0', '25 to 27'],
    ['27.5.1', '25 to 27'],
    ['28.0.0-rc.1', '28 and later'],
    ['29.7.2', '28 and later'],
    [undefined, '28 and later'],
  ])('%s: %s', (version, versions) => {
    expect(rulesOf(version).versions).toBe(versions);
  });
});
