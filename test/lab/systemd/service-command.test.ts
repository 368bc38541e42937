import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { SERVICE_CASES } from '../../fixtures/service/cases.ts';
import { argvOf, makeWholeTree } from '../../fixtures/service/tree.ts';
import { CONTAINERS, Lab } from './support.ts';

const START = `mkdir -p /run/vectors
systemctl daemon-reload
for unit in "$@"; do
  systemctl start "$unit" >/dev/null 2>&1
  file=/run/vectors/$unit
  # An alias writes to the file of the unit's own name.
  [ -e "$file" ] || file=/run/vectors/$(systemctl show -P Id -- "$unit")
  if [ -s "$file" ]; then echo "$(base64 -w0 < "$file")"; else echo none; fi
done`;

/** Of several commands the last one's argv: each begins with the program and the file that it prints. */
function lastArgv(output: string): readonly string[] | null {
  if (output === 'none') return null;
  const words = Buffer.from(output, 'base64').toString('utf8').replace(/\0$/, '').split('\0');
  const last = words.lastIndexOf('/proc/self/cmdline');
  return words.indexOf('/proc/self/cmdline') === last ? words : words.slice(last - 1);
}

describe.each(CONTAINERS)('the vectors of service commands, on $name', ({ name, systemd }) => {
  let started: readonly string[] = [];
  beforeAll(async () => {
    const lab = await Lab.open(name, 'service-command');
    const root = makeWholeTree();
    const archive = execFileSync('tar', ['-C', root, '-czf', '-', '.']).toString('base64');
    rmSync(root, { recursive: true, force: true });
    await lab.out('base64 -d | tar -C / -xz --no-same-owner --no-overwrite-dir --keep-directory-symlink', {
      input: archive,
    });
    const units = SERVICE_CASES.map(({ unit }) => `'${unit}'`).join(' ');
    started = (await lab.out(`set -- ${units}\n${START}`)).split('\n');
  });

  it.each(SERVICE_CASES.map(({ name: of }, index) => ({ of, index })))('are what it starts: $of', ({ of, index }) => {
    expect(lastArgv(started[index] ?? '')).toEqual(argvOf(of, systemd));
  });
});
