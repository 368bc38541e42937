import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bash, NO_JOBS, scratch, slicectl } from './run-support.ts';

const MAY_MOUNT = spawnSync('unshare', ['-m', 'mount', '--bind', '/bin/bash', '/bin/sh']).status === 0;
/** With a mount namespace of the test's own, bash can stand where the system has another shell. */
const SHELLS = MAY_MOUNT ? ['as installed', '/bin/bash'] : ['as installed'];

function inPlaceOfSh(shell: string, script: string): void {
  if (shell === 'as installed') bash(script);
  else bash(`exec unshare -m bash -c 'mount --bind ${shell} /bin/sh && . /dev/fd/9' 9<<'END'\n${script}\nEND`);
}

describe.skipIf(NO_JOBS)(`slicectl run in pipelines${NO_JOBS ? ` (${NO_JOBS})` : ''}`, () => {
  it('hands binary data through in both directions', () => {
    const data = randomBytes(3_000_000);
    using folder = scratch();
    writeFileSync(folder.file('in'), data);
    bash(`cat ${folder.file('in')} | $SLICECTL run -- cat | cat > ${folder.file('out')}`);
    expect(readFileSync(folder.file('out')).equals(data)).toBe(true);
  });

  it('ends as a reader does that has enough', () => {
    const { stdout, stderr } = bash('yes | $SLICECTL run -q -- head -1; echo "$PIPESTATUS,$?"');
    expect(stdout).toBe('y\n141,0\n');
    expect(stderr).toBe('');
  });

  it('ends as a writer does whose reader has gone: by SIGPIPE', () => {
    const { stdout, stderr } = bash('$SLICECTL run -q -- yes | head -1; echo "$PIPESTATUS,$?"');
    expect(stdout).toBe('y\n141,0\n');
    expect(stderr).toBe('');
  });

  it.each([
    ['its own stdout', '$SLICECTL run --dry-run true'],
    ['the help', '$SLICECTL run --help'],
  ])('survives a reader of %s that has gone', (_, command) => {
    const { stdout, stderr } = bash(`{ sleep 1; ${command}; echo status=$? >&2; } | true`);
    expect([stdout, stderr]).toEqual(['', 'status=0\n']);
  });

  it('survives a reader of its stderr that has gone, with the status of the job', () => {
    const { stdout } = bash('{ sleep 1; $SLICECTL run --receipt json sh -c "exit 3"; echo status=$?; } 2> >(true)');
    expect(stdout).toBe('status=3\n');
  });

  it.each(['<&-', '>&-', '2>&-', '<&- >&- 2>&-'])('starts with %s', (closed) => {
    const { status } = bash(`$SLICECTL run --receipt text -- sh -c 'exit 5' ${closed}`);
    expect(status).toBe(5);
  });

  it('gives the job the descriptors that the shell opened, and none of its own', () => {
    using folder = scratch();
    const list = `sh -c 'echo /proc/$$/fd/*; cat <&3; cat <&5; echo nine >&9'`;
    writeFileSync(folder.file('three'), 'three\n');
    writeFileSync(folder.file('five'), 'five\n');
    const opened = `3<${folder.file('three')} 5<${folder.file('five')} 9>${folder.file('nine')}`;
    const direct = bash(`${list} ${opened}`);
    const held = bash(`$SLICECTL run -q -- ${list} ${opened}`);
    const numbers = (text: string): string[] => [...text.matchAll(/\/fd\/(\d+)/g)].map(([, fd = '']) => fd);
    expect(numbers(held.stdout)).toEqual(numbers(direct.stdout));
    expect(held.stdout).toContain('three\nfive\n');
    expect(readFileSync(folder.file('nine'), 'utf8')).toBe('nine\n');
  });

  it('passes on process substitutions and the jobserver of make', () => {
    expect(bash('$SLICECTL run -q -- cat <(echo one) <(echo two)').stdout).toBe('one\ntwo\n');
    using folder = scratch();
    writeFileSync(folder.file('inner'), 'all: a b\na b:\n\t@echo $@\n');
    writeFileSync(folder.file('outer'), `all:\n\t+@$(SLICECTL) run -q -- $(MAKE) -s -f ${folder.file('inner')}\n`);
    const { stdout, stderr } = bash(
      `command -v make >/dev/null || { echo a; echo b; exit; }; make -s -j2 -f ${folder.file('outer')}`,
    );
    expect(stdout.split('\n').sort().join(' ').trim()).toBe('a b');
    expect(stderr).toBe('');
  });

  it.each(SHELLS)('hands on the environment to the byte where /bin/sh is %s', (shell) => {
    using folder = scratch();
    const odd = [
      ...['A-B=1', 'BASH_FUNC_read%%=() { echo wrong; }', 'EMPTY=', 'IFS=x', 'PPID=3', 'OPTIND=7', 'OLDPWD=/nowhere'],
      ...['line=x', 'slicectl_text=x', 'Q=\'"$x`', 'NL=a\nb', 'U=ā–ā', 'ü=ä', '1x=3', 'PWD=/wrong', 'SHLVL=9', '_=x'],
    ].map((word) => `'${word.replaceAll("'", `'\\''`)}'`);
    for (const start of [`env ${odd.join(' ')}`, 'env -i', `env -i ${odd.join(' ')}`]) {
      inPlaceOfSh(
        shell,
        `${start} /usr/bin/env -0 > ${folder.file('direct')}; ${start} $SLICECTL run -q -- /usr/bin/env -0 > ${folder.file('held')}`,
      );
      expect(readFileSync(folder.file('direct'), 'utf8').includes('A-B=1')).toBe(start !== 'env -i');
      const sorted = (name: string): string[] => readFileSync(folder.file(name), 'utf8').split('\0').sort();
      expect(sorted('held')).toEqual(sorted('direct'));
    }
  });

  it('hands on the arguments as they are', () => {
    const words = ['', '-x', '--', 'a\nb', 'ü\'"', '$HOME', '*', '\\', 'a=b'];
    const { stdout } = slicectl(['run', '-q', '--', 'printf', '<%s>', ...words]);
    expect(stdout).toBe(words.map((word) => `<${word}>`).join(''));
  });

  it('hands on folder, umask and the limits of resources', () => {
    const ask = "sh -c 'pwd; umask; ulimit -S -a; ulimit -H -a'";
    const set = 'cd /usr; umask 027; ulimit -S -n 300; ulimit -c 0; ulimit -S -s 4096';
    const direct = bash(`${set}; ${ask}; :`);
    const held = bash(`${set}; $SLICECTL run -q -- ${ask}; :`);
    expect(held.stdout).toBe(direct.stdout);
    expect(held.stdout).toContain('/usr\n0027\n');
  });

  it('lets the job ignore SIGHUP under nohup and in a shell that ignores it', () => {
    const ignored = (command: string): string =>
      bash(command)
        .stdout.replace(/[\s\S]*SigIgn:\s*/, '')
        .trim();
    expect(ignored('nohup $SLICECTL run -q -- grep SigIgn /proc/self/status 2>&1')).toBe('0000000000000001');
    expect(ignored("trap '' HUP; $SLICECTL run -q -- grep SigIgn /proc/self/status; :")).toBe('0000000000000001');
    expect(ignored('$SLICECTL run -q -- grep SigIgn /proc/self/status; :')).toBe('0000000000000000');
  });
});
