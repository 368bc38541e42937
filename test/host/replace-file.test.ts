import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DISK, type Disk } from '../../src/host/disk.ts';
import { forget, type Place, probe, putBack, replaceFile } from '../../src/host/replace-file.ts';
import { RootTree } from '../../src/host/root-tree.ts';
import { readSelf } from '../../src/host/self.ts';

let root = '';
let path = '';
let place: Place;
const { uid } = readSelf();
const gid = statSync(tmpdir()).uid === uid ? statSync(tmpdir()).gid : uid;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'slicectl-replace-'));
  mkdirSync(join(root, 'etc'));
  path = join(root, 'etc/daemon.json');
  place = { tree: new RootTree(root), target: '/etc/daemon.json', tag: '20260101-000000.0', uid, disk: DISK };
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

function content(text: string, mode = 0o644) {
  return { bytes: new TextEncoder().encode(text), mode, uid, gid: statSync(join(root, 'etc')).gid ?? gid };
}

function setUp(text: string, mode = 0o644): number {
  writeFileSync(path, text);
  chmodSync(path, mode);
  return statSync(path).ino;
}

const KEPT = '.daemon.json.slicectl-20260101-000000.0.old';

describe('replaceFile', () => {
  it('gives the file a new inode and keeps the old one beside it until it is forgotten', () => {
    const ino = setUp('old');
    replaceFile(place, content('old'), content('new'));
    expect(readFileSync(path, 'utf8')).toBe('new');
    expect(statSync(path).ino).not.toBe(ino);
    expect(statSync(join(root, 'etc', KEPT)).ino).toBe(ino);
    expect(readdirSync(join(root, 'etc')).sort()).toEqual([KEPT, 'daemon.json']);
    forget(place);
    expect(readdirSync(join(root, 'etc'))).toEqual(['daemon.json']);
  });

  it('goes back to the very inode', () => {
    const ino = setUp('old', 0o640);
    replaceFile(place, content('old', 0o640), content('new', 0o640));
    putBack(place, content('old', 0o640));
    expect(statSync(path)).toMatchObject({ ino, nlink: 1 });
    expect(statSync(path).mode & 0o777).toBe(0o640);
    expect(readdirSync(join(root, 'etc'))).toEqual(['daemon.json']);
  });

  it('goes back without the kept inode by writing the old content', () => {
    setUp('old');
    replaceFile(place, content('old'), content('new'));
    forget(place);
    putBack(place, content('old'));
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(join(root, 'etc'))).toEqual(['daemon.json']);
  });

  it('goes back from the moment between keeping the old inode and the rename', () => {
    const ino = setUp('old');
    linkSync(path, join(root, 'etc', KEPT));
    putBack(place, content('old'));
    expect(statSync(path)).toMatchObject({ ino, nlink: 1 });
    expect(readdirSync(join(root, 'etc'))).toEqual(['daemon.json']);
  });

  it('makes a file with just the mode that is asked for, whatever the umask is', () => {
    replaceFile(place, undefined, content('new', 0o664));
    expect(statSync(path).mode & 0o7777).toBe(0o664);
    putBack(place, undefined);
    expect(readdirSync(join(root, 'etc'))).toEqual([]);
  });

  it('removes a file so that it can come back as the very inode', () => {
    const ino = setUp('old');
    replaceFile(place, content('old'), undefined);
    expect(readdirSync(join(root, 'etc'))).toEqual([KEPT]);
    putBack(place, content('old'));
    expect(statSync(path).ino).toBe(ino);
  });

  it.each([
    ['another content', () => writeFileSync(path, 'mine'), 'mine'],
    ['a link', () => [rmSync(path), symlinkSync('/etc/passwd', path)], undefined],
  ])('does not overwrite %s that came meanwhile', (_, change, text) => {
    setUp('old');
    change();
    expect(() => replaceFile(place, content('old'), content('new'))).toThrow(/changed by somebody else in this moment/);
    if (text !== undefined) expect(readFileSync(path, 'utf8')).toBe(text);
  });

  it('does not overwrite a file that came where there was none', () => {
    setUp('theirs');
    expect(() => replaceFile(place, undefined, content('new'))).toThrow(/changed by somebody else/);
    expect(readFileSync(path, 'utf8')).toBe('theirs');
  });

  it('does not follow a folder that became a link', () => {
    setUp('old');
    mkdirSync(join(root, 'other'));
    writeFileSync(join(root, 'other/daemon.json'), 'old');
    rmSync(join(root, 'etc'), { recursive: true });
    symlinkSync('other', join(root, 'etc'));
    expect(() => replaceFile(place, content('old'), content('new'))).toThrow(/without following a link/);
    expect(readFileSync(join(root, 'other/daemon.json'), 'utf8')).toBe('old');
  });

  it('syncs the file before it gets its name, and the folder after', () => {
    setUp('old');
    const done: string[] = [];
    const disk = new Proxy(DISK, {
      get:
        (real, name: keyof Disk) =>
        (...args: never[]) => {
          done.push(name);
          return (real[name] as (...all: never[]) => unknown)(...args);
        },
    });
    replaceFile({ ...place, disk }, content('old'), content('new'));
    const names = done.filter((name) => ['writeSync', 'fsyncSync', 'linkSync', 'renameSync'].includes(name));
    expect(names).toEqual(['writeSync', 'fsyncSync', 'linkSync', 'renameSync', 'fsyncSync']);
  });

  it('writes all of it when write(2) stops early', () => {
    const disk = new Proxy(DISK, {
      get: (real, name: keyof Disk) =>
        name === 'writeSync'
          ? (fd: number, bytes: Uint8Array, offset: number, length: number, position: number) =>
              real.writeSync(fd, bytes, offset, Math.min(length, 3), position)
          : real[name],
    });
    replaceFile({ ...place, disk }, undefined, content('abcdefghij'));
    expect(readFileSync(path, 'utf8')).toBe('abcdefghij');
  });

  it.each([
    ['EROFS', 'E_FILE', 'read-only file system'],
    ['ENOSPC', 'E_FILE', 'no space left'],
    ['EDQUOT', 'E_FILE', 'no space left'],
    ['EBUSY', 'E_FILE', 'mount point'],
  ])('explains %s', (errno, code, words) => {
    setUp('old');
    const fail = () => {
      throw Object.assign(new Error(errno), { code: errno });
    };
    const disk = new Proxy(DISK, { get: (real, name: keyof Disk) => (name === 'renameSync' ? fail : real[name]) });
    expect(() => replaceFile({ ...place, disk }, content('old'), content('new'))).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(words) }),
    );
    expect(readFileSync(path, 'utf8')).toBe('old');
  });

  it.each([
    [0, 'E_FILE', 'immutable', 'chattr -i'],
    [1000, 'E_PRIVILEGE', 'may not be changed by this user', 'run it as root'],
  ])('explains EPERM to uid %i', (asUid, code, words, hint) => {
    setUp('old');
    const fail = () => {
      throw Object.assign(new Error('EPERM'), { code: 'EPERM' });
    };
    const disk = new Proxy(DISK, { get: (real, name: keyof Disk) => (name === 'renameSync' ? fail : real[name]) });
    expect(() => replaceFile({ ...place, uid: asUid, disk }, content('old'), content('new'))).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(words), hint: expect.stringContaining(hint) }),
    );
  });

  const hasXattrs = spawnSync('python3', ['-c', 'import os; os.setxattr']).status === 0;
  const title = 'keeps extended attributes and the old time of nothing';
  it.skipIf(!hasXattrs)(hasXattrs ? title : `${title} (needs python3 to set one, which is not installed)`, () => {
    setUp('old');
    const set = 'import os, sys; os.setxattr(sys.argv[1], "user.slicectl.test", b"kept")';
    execFileSync('python3', ['-c', set, path]);
    execFileSync('touch', ['-d', '2001-01-01', path]);
    replaceFile(place, content('old'), content('new'));
    const get = 'import os, sys; print(os.getxattr(sys.argv[1], "user.slicectl.test").decode())';
    expect(execFileSync('python3', ['-c', get, path], { encoding: 'utf8' }).trim()).toBe('kept');
    // systemd finds changed unit files by their time.
    expect(statSync(path).mtime.getFullYear()).toBeGreaterThan(2020);
    expect(readFileSync(path, 'utf8')).toBe('new');
  });

  it.skipIf(uid !== 0)(uid === 0 ? 'keeps the owner' : 'keeps the owner (needs root to have another one)', () => {
    setUp('old');
    execFileSync('chown', ['1234:4321', path]);
    replaceFile(place, { ...content('old'), uid: 1234, gid: 4321 }, { ...content('new'), uid: 1234, gid: 4321 });
    expect(statSync(path)).toMatchObject({ uid: 1234, gid: 4321 });
  });
});

describe('probe', () => {
  it('changes nothing and is content with what can be written', () => {
    const ino = setUp('old');
    probe(place, true);
    probe({ ...place, target: '/etc/absent/deep/file' }, false);
    expect(statSync(path).ino).toBe(ino);
    expect(readdirSync(join(root, 'etc'))).toEqual(['daemon.json']);
  });

  it('refuses a name that leaves no room for a temporary one', () => {
    expect(() => probe({ ...place, target: `/etc/${'x'.repeat(250)}` }, false)).toThrow(
      /a shorter name|leaves no room/,
    );
  });
});
