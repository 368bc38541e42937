import { describe, expect, it } from 'vitest';
import { readProcessFlags } from '../../../src/drivers/docker/flags.ts';
import { type NextStart, readNextStart } from '../../../src/drivers/docker/next-start.ts';
import { rulesOf } from '../../../src/drivers/docker/rules.ts';
import { useTree } from '../trees.ts';
import { FILE } from './engine.ts';

const files = useTree();

function nextStart(content: string | Uint8Array, words = '', version: string | undefined = '28.5.2'): NextStart {
  files.put(FILE, content);
  return readNextStart({
    tree: files.tree,
    version,
    rules: rulesOf(version),
    command: undefined,
    flags: readProcessFlags(['dockerd', ...words.split(' ')], 1),
    defaultFile: FILE,
    isRootless: false,
    defaultDriver: { driver: 'cgroupfs', text: 'the default' },
  });
}

const NOT_UTF8 = 'not UTF-8';
const bytesOf = (text: string) => (text === NOT_UTF8 ? Buffer.from('{"log-driver": "\xff"}', 'latin1') : text);

/** Whether 20.10.24, 26.1.5 and 28.5.2 of Debian took it: 20.10 up to its complaint about privilege, the others by --validate. */
const TRIED: readonly (readonly [text: string, words: string, taken: string])[] = [
  ['{}', '', '+++'],
  ['', '', '-++'],
  ['\n', '', '-++'],
  ['null', '', '+++'],
  ['[]', '', '---'],
  ['"x"', '', '---'],
  ['\ufeff{}', '', '-++'],
  ['{"debug": true}\n{"debug": false}', '', '+--'],
  ['{"debug": true,}', '', '---'],
  ['{"debug": true} // x', '', '+--'],
  ["{'debug': true}", '', '---'],
  ['{\r\n"debug": true\r\n}\r\n', '', '+++'],
  [NOT_UTF8, '', '+--'],
  ['{"graph": "/x"}', '', '+--'],
  ['{"Exec-Opts": []}', '', '---'],
  ['{"_comment": "x"}', '', '---'],
  ['{"api-cors-header": "*"}', '', '++-'],
  ['{"bip6": "fd00::1/64"}', '', '--+'],
  ['{"feature": []}', '', '--+'],
  ['{"exec-opt": ["native.cgroupdriver=systemd"]}', '', '+++'],
  ['{"label": ["a=b"]}', '', '+++'],
  ['{"help": true}', '', '+++'],
  ['{"whatever": {"debug": true}}', '', '+++'],
  ['{"whatever": {"else": true}}', '', '---'],
  ['{"whatever": {}}', '', '+++'],
  ['{"http-proxy": "http://x"}', '', '-++'],
  ['{"proxies": {"http-proxy": "http://x"}}', '', '-++'],
  ['{"exec-opts": "native.cgroupdriver=systemd"}', '', '---'],
  ['{"exec-opts": {"native.cgroupdriver": "systemd"}}', '', '---'],
  ['{"exec-opts": [1]}', '', '---'],
  ['{"exec-opts": null}', '', '+++'],
  ['{"exec-opts": [""]}', '', '++-'],
  ['{"exec-opts": ["foo=bar"]}', '', '++-'],
  ['{"exec-opts": ["native.cgroupdriver"]}', '', '++-'],
  ['{"exec-opts": ["native.cgroupdriver="]}', '', '++-'],
  ['{"debug": "true"}', '', '---'],
  ['{"mtu": 1500.0}', '', '---'],
  ['{"mtu": 1500}', '', '+++'],
  ['{"log-opts": {"max-file": 3}}', '', '---'],
  ['{"features": {"buildkit": "true"}}', '', '---'],
  ['{"debug": "x", "debug": true}', '', '---'],
  ['{"log-level": "loud"}', '', '---'],
  ['{"fixed-cidr-v6": "ff00::/8"}', '', '++-'],
  ['{"exec-opts": []}', '--exec-opt native.cgroupdriver=systemd', '---'],
  ['{"exec-opts": null}', '--exec-opt=native.cgroupdriver=systemd', '---'],
  ['{"x": {"exec-opts": []}}', '--exec-opt native.cgroupdriver=systemd', '---'],
  ['{"hosts": ["fd://"]}', '-H fd://', '---'],
  ['{"debug": true}', '-D', '---'],
  ['{"debug": true}', '--debug=false', '---'],
  ['{"runtimes": {"a": {"path": "/a"}}}', '--add-runtime b=/b', '+++'],
  ['{"exec-opt": []}', '--exec-opt native.cgroupdriver=systemd', '+++'],
  ['{"log-opts": {}}', '--log-opt=max-size=1m', '---'],
  ['{"labels": []}', '--label a=b', '---'],
  ['{"group": "docker"}', '-Gdocker', '---'],
  ['{"storage-driver": "vfs", "exec-opts": []}', '-Ds vfs', '---'],
];
const VERSIONS = ['20.10.24', '26.1.5', '28.5.2'];

describe('daemon.json as real daemons take it', () => {
  it.each(TRIED)('%j with options %j', (text, words, taken) => {
    const verdicts = VERSIONS.map((version) => {
      const { findings } = nextStart(bytesOf(text), words, version);
      return findings.some(({ severity }) => severity === 'error') ? '-' : '+';
    });
    expect(verdicts.join('')).toBe(taken);
  });
});

describe('what daemons take without a word and do not do', () => {
  const traps: readonly (readonly [text: string, code: string, severity: string, line: number, column: number])[] = [
    ['{"exec-opts": ["native.cgroupdriver=Systemd"]}', 'docker-driver-value', 'error', 1, 16],
    ['{"exec-opts": ["native.cgroupdriver=none"]}', 'docker-driver-value', 'error', 1, 16],
    ['{"exec-opts": ["native.cgroupdriver=system"]}', 'docker-driver-value', 'error', 1, 16],
    ['{\n  "exec-opt": ["native.cgroupdriver=systemd"]\n}', 'docker-singular-key', 'warning', 2, 3],
    ['{\n  "exec-opts": [],\n  "exec-opts": []\n}', 'docker-duplicate-key', 'warning', 2, 3],
    ['{"log-opts": {"a": "1"}, "log-opts": {"b": "1"}}', 'docker-duplicate-key', 'info', 1, 2],
    ['{"x": {"exec-opts": ["native.cgroupdriver=systemd"]}}', 'docker-nested-ignored', 'warning', 1, 2],
    ['{"containerd-plugins-namespace": "x"}', 'docker-option-key', 'warning', 1, 2],
    ['{"http-proxy": "http://x"}', 'docker-misplaced-key', 'warning', 1, 2],
    ['{"registry-mirrors": ["https://a", "b.example"]}', 'docker-mirror', 'error', 1, 36],
    ['{"dns": ["9.9.9.9", " 10.0.0.1"]}', 'docker-value', 'error', 1, 21],
    ['{"dns": ["ns.example"]}', 'docker-value', 'error', 1, 10],
    ['{"default-runtime": "nvidia"}', 'docker-default-runtime', 'error', 1, 2],
    ['{"cgroup-parent": "/jobs", "exec-opts": ["native.cgroupdriver=systemd"]}', 'docker-cgroup-parent', 'error', 1, 2],
  ];
  it.each(traps)('%s: %s', (text, code, severity, line, column) => {
    const { findings } = nextStart(text);
    expect(findings).toContainEqual(expect.objectContaining({ code, severity, path: FILE, line, column }));
  });

  // 26.1.5 and 28.5.2 said so of each; of 24 its sources do (opts.ValidateIPAddress).
  it.each([
    ['24.0.7', '++----'],
    ['26.1.5', '+---+-'],
  ])('%s takes %s of six name servers', (version, taken) => {
    const servers = ['::ffff:1.2.3.4', ' 10.0.0.1', '010.0.0.1', 'fe80::1%eth0', '', '1.2.3.4/24'];
    const verdicts = servers.map((server) => {
      const { findings } = nextStart(JSON.stringify({ dns: [server] }), '', version);
      return findings.some(({ code }) => code === 'docker-value') ? '-' : '+';
    });
    expect(verdicts.join('')).toBe(taken);
  });

  // One that 26.1.5 and 28.5.2 take, and one that they refuse.
  it.each<readonly [key: string, right: unknown, wrong: unknown, column: number]>([
    ['default-gateway', '10.0.0.1', '10.0.0.1/24', 2],
    ['default-gateway-v6', 'fe80::1', 'fe80::1%eth0', 2],
    ['host-gateway-ip', '', 'host-gateway', 2],
    ['ip', '0.0.0.0', ' 10.0.0.1', 2],
    ['dns-search', ['.', 'Example.org.', ' a.b'], ['a_b'], 16],
    ['labels', ['a b=c', '=b'], ['gpu'], 12],
    ['labels', ['com.dockerx=1'], ['com.docker.x=1'], 12],
    ['node-generic-resources', ['gpu=2'], ['gpu'], 28],
    ['default-shm-size', '1.5g', '64x', 2],
    ['default-shm-size', '64 MiB', '', 2],
    ['default-cgroupns-mode', 'host', 'Host', 2],
    ['default-ipc-mode', 'shareable', 'host', 2],
    ['log-format', 'json', 'yaml', 2],
    ['max-concurrent-downloads', 0, -1, 2],
    ['max-download-attempts', 0, -1, 2],
    ['mtu', 0, -1, 2],
    ['builder', { gc: { enabled: true } }, { gc: { enabled: 'true' } }, 19],
    ['builder', { gc: { defaultKeepStorage: '20GB' } }, { gc: { defaultKeepStorage: 20 } }, 19],
  ])('%s may be %j and not %j', (key, right, wrong, column) => {
    expect(nextStart(JSON.stringify({ [key]: right })).findings).toEqual([]);
    expect(nextStart(JSON.stringify({ [key]: wrong })).findings).toEqual([
      expect.objectContaining({ code: 'docker-value', severity: 'error', line: 1, column }),
    ]);
  });

  it('says how to write a name server, and of a place of a template that it is one', () => {
    const hints = [' 10.0.0.1', 'ns.example', '{{ dns }}'].map((server) => {
      const { findings } = nextStart(JSON.stringify({ dns: [server] }));
      return findings.find(({ code }) => code === 'docker-value')?.hint;
    });
    expect(hints).toEqual([
      'write "10.0.0.1"',
      'write an address without zone or leading zeros, or remove it',
      expect.stringMatching(/template/),
    ]);
    const { findings } = nextStart('{"registry-mirrors": ["{{ mirror }}"]}');
    expect(findings).toContainEqual(
      expect.objectContaining({ code: 'docker-mirror', hint: expect.stringMatching(/template/) }),
    );
  });

  it('lets a parent that is no slice pass with cgroupfs, and a runtime that is defined', () => {
    const text = '{"cgroup-parent": "/jobs", "default-runtime": "a", "runtimes": {"a": {"path": "/a"}}}';
    expect(nextStart(text).findings).toEqual([]);
  });

  it('takes entries of 27 that 28 refuses for faults to come', () => {
    const { findings, configured } = nextStart('{"exec-opts": ["foo=bar"]}', '', '27.5.1');
    expect(findings).toEqual([expect.objectContaining({ code: 'docker-exec-opt', severity: 'warning' })]);
    expect(configured.driver).toBe('cgroupfs');
  });
});

describe('the driver of the next start', () => {
  const two = '{\n  "exec-opts": [\n    "native.cgroupdriver=systemd",\n    "native.cgroupdriver=cgroupfs"\n  ]\n}';

  it('is that of the first of two entries until 27, and of the last from 28', () => {
    const old = nextStart(two, '', '27.5.1').configured;
    expect(old).toMatchObject({ driver: 'systemd', source: { line: 3, column: 5 } });
    expect(old.shadowed).toEqual([expect.objectContaining({ line: 4, value: 'cgroupfs' })]);
    expect(nextStart(two, '', '28.0.0').configured).toMatchObject({ driver: 'cgroupfs', source: { line: 4 } });
  });

  it('takes the letters of the option as they come, and blanks round the value', () => {
    const { driver } = nextStart('{"exec-opts": [" NATIVE.CgroupDriver = systemd "]}').configured;
    expect(driver).toBe('systemd');
  });

  it('is the default where nothing is set, the file being absent, empty or about other things', () => {
    for (const text of ['{}', '', '{"debug": true}']) {
      expect(nextStart(text).configured).toMatchObject({ driver: 'cgroupfs', source: { kind: 'default' } });
    }
  });

  it('is none where the daemon would not start, and the source stays', () => {
    const { configured } = nextStart('{\n  "exec-opts": ["native.cgroupdriver=systemd"],\n  "graph": "/x"\n}');
    expect(configured).toMatchObject({ driver: undefined, source: { kind: 'file', line: 2 } });
  });

  it('names every entry that nothing reads', () => {
    const driver = (name: string): string => `["native.cgroupdriver=${name}"]`;
    const text = `{
"exec-opts": ${driver('a')},
"exec-opt": ${driver('b')},
"x": {"exec-opts": ${driver('c')}},
"exec-opts": ${driver('systemd')}
}`;
    const { driver: found, shadowed } = nextStart(text).configured;
    expect(found).toBe('systemd');
    expect(shadowed.map(({ line, value }) => [line, value])).toEqual([
      [2, 'a'],
      [3, 'b'],
      [4, 'c'],
    ]);
  });

  it('says both places of a conflict', () => {
    const { findings } = nextStart('{\n  "hosts": ["tcp://0.0.0.0:2375"]\n}', '-H fd://');
    expect(findings).toEqual([
      {
        severity: 'error',
        code: 'docker-flag-and-file',
        message: 'Docker does not start: "hosts" is in its file and -H fd:// on its command line',
        hint: 'remove one of them; the option is in command line of process 1',
        path: FILE,
        line: 2,
        column: 3,
      },
    ]);
  });

  it('points to the near name where the file of --config-file is missing', () => {
    const { findings, configured } = nextStart('{}', '--config-file /etc/docker/deamon.json');
    expect(findings).toEqual([
      expect.objectContaining({ code: 'docker-config-missing', hint: 'there is /etc/docker/daemon.json' }),
    ]);
    expect(configured.driver).toBeUndefined();
  });

  it('reads a file of Windows from 23 on, and does not take it for one to edit', () => {
    const utf16 = Buffer.from('\ufeff{"exec-opts": ["native.cgroupdriver=systemd"]}', 'utf16le');
    expect(nextStart(utf16).configured.driver).toBe('systemd');
    expect(nextStart(utf16).file.uneditable).toBe('it is UTF-16');
    expect(nextStart(utf16, '', '20.10.24').configured.driver).toBeUndefined();
  });

  it('says where a syntax fault is, apart from the message', () => {
    const { findings } = nextStart('<html>');
    expect(findings).toEqual([
      {
        severity: 'error',
        code: 'docker-file-syntax',
        message: 'Docker cannot read its configuration: it begins like an HTML page, not like JSON',
        hint: 'it was probably downloaded wrongly: put the right file in its place',
        path: FILE,
        line: 1,
        column: 1,
      },
    ]);
  });

  it('suggests the key that was meant', () => {
    const hints = ['{"Exec-Opts": []}', '{"exec_opts": []}', '{"graph": "/x"}', '{"_comment": ""}'].map(
      (text) => nextStart(text).findings[0]?.hint,
    );
    expect(hints).toEqual([
      'did you mean "exec-opts"? Otherwise remove it',
      'did you mean "exec-opts"? Otherwise remove it',
      'it is called "data-root"',
      'the file can have no comments: remove it',
    ]);
  });
});
