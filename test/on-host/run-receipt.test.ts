import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { bash, groupsOf, NO_JOBS, scratch, slicectl } from './run-support.ts';

const SCHEMA = JSON.parse(readFileSync(new URL('../../docs/receipt.schema.json', import.meta.url), 'utf8'));
// The date is checked below; ajv itself knows no formats.
const validate = new Ajv2020({ allErrors: true, allowUnionTypes: true, formats: { 'date-time': true } }).compile(
  SCHEMA,
);

function expectValid(text: string): Record<string, unknown> {
  const receipt: Record<string, unknown> = JSON.parse(text);
  validate(receipt);
  expect(validate.errors ?? []).toEqual([]);
  expect(new Date(String(receipt.start)).toISOString()).toBe(receipt.start);
  return receipt;
}

describe.skipIf(NO_JOBS)(`receipts of slicectl run${NO_JOBS ? ` (${NO_JOBS})` : ''}`, () => {
  it.each([
    ['a success', [], 'true', 0],
    ['a failure', [], 'exit 3', 3],
    ['a signal', [], 'kill -TERM $$', 143],
    [
      'a memory limit',
      ['--memory', '16M', '-p', 'MemorySwapMax=0', '--best-effort'],
      'x=$(head -c 100000000 /dev/zero | tr "\\0" x)',
      137,
    ],
    ['a limit of tasks', ['--tasks', '2'], '(sleep 0 & sleep 0 & wait)', undefined],
    ['a limit of time', ['-p', 'RuntimeMaxSec=300ms'], 'exec sleep 100', undefined],
    ['CPU limits', ['--cpu', '50%', '--weight', '50'], 'true', 0],
    ['processes that are left', ['--leftover', 'kill'], 'sleep 100 & exit 0', 0],
  ])('of %s follow the schema', (_, options, script, status) => {
    const held = slicectl(['run', '--receipt', 'json', ...options, '--', 'sh', '-c', script], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const receipt = expectValid(/^\{.*\}$/m.exec(held.stderr)?.[0] ?? '');
    expect(receipt.status).toBe(held.status);
    if (status !== undefined) expect(held.status).toBe(status);
  });

  it('fail the schema with a field too many or too few', () => {
    const receipt = expectValid(slicectl(['run', '--json', 'true']).stderr);
    expect(validate({ ...receipt, more: 1 })).toBe(false);
    expect(validate({ ...receipt, cause: undefined })).toBe(false);
  });

  it('go to stderr only, and only when asked for where stderr is no terminal', () => {
    expect(slicectl(['run', 'echo', 'hi'])).toMatchObject({ stdout: 'hi\n', stderr: '' });
    expect(slicectl(['run', '--receipt', 'none', 'echo', 'hi'])).toMatchObject({ stdout: 'hi\n', stderr: '' });
    const text = slicectl(['run', '--receipt', 'text', 'echo', 'hi']);
    expect(text.stdout).toBe('hi\n');
    expect(text.stderr).toMatch(/^slicectl: echo hi: exited with status 0 after /);
    expect(text.stderr).not.toContain('\u001b');
  });

  it('go to a file, to a descriptor of the shell, and to /dev/stdout', () => {
    using folder = scratch();
    expect(bash(`$SLICECTL run --receipt-file ${folder.file('r')} true; cat ${folder.file('r')}`).stdout).toMatch(
      /^\{.*\}\n$/,
    );
    bash(`$SLICECTL run --receipt-file /dev/fd/3 -- sh -c '[ ! -e /proc/$$/fd/3 ]' 3>${folder.file('three')}`);
    expect(expectValid(readFileSync(folder.file('three'), 'utf8')).status).toBe(0);
    expectValid(bash('$SLICECTL run --receipt-file /dev/stdout true').stdout);
    const text = bash(
      `$SLICECTL run --receipt text --receipt-file ${folder.file('r')} true; cat ${folder.file('r')}`,
    ).stdout;
    expect(text).toMatch(/^slicectl: true: exited/);
  });

  it('are silenced with the notes by --quiet', () => {
    expect(slicectl(['run', '--quiet', 'sh', '-c', 'echo job >&2']).stderr).toBe('job\n');
  });

  it('are not printed by --dry-run, which shows its plan and makes nothing', () => {
    const text = slicectl(['run', '--dry-run', '--memory', '64M', 'true']);
    expect(text.stdout).toContain('MemoryMax=64M');
    expect(text.stderr).toBe('');
    const json = slicectl(['run', '-n', '--json', '--memory', '64M', 'true']);
    expect(JSON.parse(json.stdout)).toMatchObject({ version: 1, command: ['true'], limits: { MemoryMax: 67108864 } });
    expect([...groupsOf(text.pid), ...groupsOf(json.pid)]).toEqual([]);
  });
});

describe.skipIf(NO_JOBS || process.getuid?.() !== 0)('the identity of a job (needs root)', () => {
  const direct = (args: readonly string[]): string => execFileSync('setpriv', [...args, 'id'], { encoding: 'utf8' });

  it('is that of a login for a name, and that of the numbers alone for others', () => {
    const held = (...args: string[]): string => slicectl(['run', '-q', ...args, '--', 'id']).stdout;
    expect(held('--uid', 'daemon')).toBe(direct(['--reuid=daemon', '--regid=daemon', '--init-groups']));
    expect(held('--uid', 'daemon', '--gid', 'nogroup')).toBe(
      direct(['--reuid=daemon', '--regid=nogroup', '--init-groups']),
    );
    expect(held('--gid', 'daemon')).toBe(direct(['--regid=daemon', '--clear-groups']));
    expect(held('--uid', '54321')).toBe(direct(['--reuid=54321', '--regid=54321', '--clear-groups']));
  });

  it('comes with the variables of the user', () => {
    const { stdout } = slicectl(['run', '-q', '--uid', 'daemon', 'sh', '-c', 'echo $HOME $USER $LOGNAME $SHELL']);
    expect(stdout).toBe('/usr/sbin daemon daemon /usr/sbin/nologin\n');
  });

  it('is given with nice level, folder and variables', () => {
    const script = 'cut -d" " -f19 /proc/self/stat; pwd; echo $PWD $MADE $PASSED';
    const args = ['run', '-q', '--nice', '-5', '-d', '/usr', '-E', 'MADE=1', '-E', 'PASSED', 'sh', '-c', script];
    const { stdout } = slicectl(args, { env: { ...process.env, PASSED: '2' } });
    expect(stdout).toBe('-5\n/usr\n/usr 1 2\n');
    const low = slicectl(['run', '-q', '--nice', '7', 'sh', '-c', 'cut -d" " -f19 /proc/self/stat']);
    expect(low.stdout).toBe('7\n');
  });

  it('comes with how much may be used, never over what the caller says', () => {
    const { stdout } = slicectl(
      ['run', '-q', '--limits-env', '--cpu', '100%', 'sh', '-c', 'echo $OMP_NUM_THREADS $GOMAXPROCS'],
      {
        env: { ...process.env, OMP_NUM_THREADS: '9', GOMAXPROCS: undefined },
      },
    );
    expect(stdout).toBe('9 1\n');
  });
});
