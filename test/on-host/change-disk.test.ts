import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { buildSync } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const OLD_BIG = 'old\n'.repeat(10_000);
const OLD_GONE = 'goes away\n';

let folder = '';
let entry = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'slicectl-disk-'));
  entry = join(folder, 'entry.mjs');
  buildSync({
    entryPoints: [join(import.meta.dirname, 'change-entry.ts')],
    outfile: entry,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
  });
  mkdirSync(join(folder, 'template/etc'), { recursive: true });
  writeFileSync(join(folder, 'template/etc/big.conf'), OLD_BIG);
  writeFileSync(join(folder, 'template/etc/gone.conf'), OLD_GONE);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const canMount = spawnSync('unshare', ['-m', 'sh', '-c', 'mount -t tmpfs none /mnt']).status === 0;

function itWithMounts(title: string, body: () => void): void {
  it.skipIf(!canMount)(
    canMount ? title : `${title} (needs root and mounts of its own, which cannot be had here)`,
    body,
  );
}

interface Seen {
  readonly outcome: {
    readonly state?: string;
    readonly code?: string;
    readonly message?: string;
    readonly hint?: string;
  };
  readonly files: Readonly<Record<string, string>>;
}

/**
 * Runs a shell script in a mount namespace of its own, in which `$ROOT` is an empty folder; `slicectl` in it is the entry.
 * Each `look NAME` notes down what the last one printed and what lies in etc.
 */
function inNamespace(script: string): Readonly<Record<string, Seen>> {
  const root = mkdtempSync(join(folder, 'root-'));
  const notes = mkdtempSync(join(folder, 'notes-'));
  const prelude = `set -e
slicectl() { "$NODE" "$ENTRY" "$ROOT" "$1" > "$NOTES/last"; }
look() { cp "$NOTES/last" "$NOTES/$1.out"; mkdir "$NOTES/$1"; cp -r "$ROOT/etc/." "$NOTES/$1/"; }
`;
  execFileSync('unshare', ['-m', 'sh', '-c', prelude + script], {
    env: {
      ...process.env,
      ROOT: root,
      NOTES: notes,
      NODE: process.execPath,
      ENTRY: entry,
      TEMPLATE: join(folder, 'template'),
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const names = execFileSync('sh', ['-c', 'cd "$0" && ls -d *.out', notes], { encoding: 'utf8' }).trim().split('\n');
  return Object.fromEntries(names.map((name) => [name.slice(0, -4), readNotes(notes, name.slice(0, -4))]));
}

function readNotes(notes: string, name: string): Seen {
  const list = execFileSync('find', ['.', '-type', 'f'], { cwd: join(notes, name), encoding: 'utf8' })
    .trim()
    .split('\n');
  const read = (path: string) => execFileSync('cat', [path], { cwd: join(notes, name), encoding: 'utf8' });
  const outcome = JSON.parse(
    execFileSync('cat', [join(notes, `${name}.out`)], { encoding: 'utf8' }),
  ) as Seen['outcome'];
  return { outcome, files: Object.fromEntries(list.sort().map((path) => [path, read(path)])) };
}

const OLD = { './big.conf': OLD_BIG, './gone.conf': OLD_GONE };
const NEW = { './big.conf': 'new\n'.repeat(10_000), './made/small.conf': 'new\n'.repeat(5_000) };

describe('a change', () => {
  // From a disk that has no room even for the plan to one that has enough for all, by pages.
  itWithMounts('on a disk that is nearly full ends all old or all new, and says that there is no space', () => {
    const outcomes = new Set<string>();
    for (let free = 0; free <= 400; free += 16) {
      const { after } = inNamespace(`
        mount -t tmpfs -o size=2m none "$ROOT"
        cp -r "$TEMPLATE/." "$ROOT"
        dd if=/dev/zero of="$ROOT/free" bs=1k count=${free} 2>/dev/null
        dd if=/dev/zero of="$ROOT/ballast" bs=4k 2>/dev/null || true
        rm "$ROOT/free"
        slicectl apply
        look after`);
      const { outcome, files } = after as Seen;
      expect(files).toEqual(outcome.state === 'applied' ? NEW : OLD);
      if (outcome.state !== 'applied') expect(outcome.message).toContain('no space left');
      outcomes.add(outcome.state ?? outcome.code ?? '');
    }
    expect([...outcomes].sort()).toEqual(['E_FILE', 'E_STEP', 'applied']);
  });

  itWithMounts('is taken back on a full disk as far as that goes, and wholly once there is room', () => {
    const { full, room } = inNamespace(`
      mount -t tmpfs -o size=2m none "$ROOT"
      cp -r "$TEMPLATE/." "$ROOT"
      slicectl apply
      dd if=/dev/zero of="$ROOT/ballast" bs=4k 2>/dev/null || true
      slicectl undo
      look full
      rm "$ROOT/ballast"
      slicectl undo
      look room`);
    expect(full?.outcome).toMatchObject({ code: 'E_STEP', message: expect.stringContaining('no space left') });
    for (const [path, text] of Object.entries(full?.files ?? {})) {
      if (!path.includes('.slicectl-'))
        expect([OLD, NEW].map((side) => (side as Record<string, string>)[path])).toContain(text);
    }
    expect(room).toEqual({ outcome: expect.objectContaining({ state: 'undone', problems: [] }), files: OLD });
  });

  itWithMounts('of a read-only folder is refused before anything is written', () => {
    const { after } = inNamespace(`
      cp -r "$TEMPLATE/." "$ROOT"
      mount --bind "$ROOT/etc" "$ROOT/etc"
      mount -o remount,bind,ro "$ROOT/etc"
      slicectl apply
      look after
      test -z "$(ls "$ROOT/var/lib/slicectl/journal" | grep -v lock)"`);
    expect(after?.outcome).toMatchObject({
      code: 'E_FILE',
      message: expect.stringMatching(/etc\/big\.conf" lies on a read-only file system$/),
    });
    expect(after?.files).toEqual(OLD);
  });

  itWithMounts('of a file that is mounted by itself is taken back, since nothing can be renamed over it', () => {
    const { after } = inNamespace(`
      cp -r "$TEMPLATE/." "$ROOT"
      touch "$ROOT/other"
      cp "$ROOT/etc/big.conf" "$ROOT/other"
      mount --bind "$ROOT/other" "$ROOT/etc/big.conf"
      slicectl apply
      look after`);
    expect(after?.outcome).toMatchObject({
      code: 'E_STEP',
      message: expect.stringContaining('is a mount point of its own'),
    });
    expect(after?.files).toEqual(OLD);
  });

  const canBeImmutable = spawnSync('sh', ['-c', 'f=$(mktemp) && chattr +i $f && chattr -i $f && rm $f']).status === 0;
  const title = 'of an immutable file is refused before anything is written, with the way out';
  it.skipIf(!canBeImmutable)(
    canBeImmutable ? title : `${title} (needs a file system with chattr +i, which $TMPDIR is not)`,
    () => {
      const { after } = inNamespace(`
      cp -r "$TEMPLATE/." "$ROOT"
      chattr +i "$ROOT/etc/big.conf"
      slicectl apply
      chattr -i "$ROOT/etc/big.conf"
      look after`);
      expect(after?.outcome).toMatchObject({
        code: 'E_FILE',
        message: expect.stringContaining('is immutable'),
        hint: expect.stringContaining('chattr -i'),
      });
      expect(after?.files).toEqual(OLD);
    },
  );
});
