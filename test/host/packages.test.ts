import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readOsRelease } from '../../src/host/os-release.ts';
import { packageVersion, upstreamVersion } from '../../src/host/packages.ts';
import { RootTree } from '../../src/host/root-tree.ts';

let root: string;
const tree = () => new RootTree(root);

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'slicectl-packages-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function put(path: string, content: string | Buffer): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}

const STATUS = `Package: docker.io
Status: install ok installed
Architecture: amd64
Version: 20.10.24+dfsg1-1+deb12u1+b3
Description: Linux container runtime
 Package: docker-ce
 .
 Version: 9

Package: docker-ce
Status: deinstall ok config-files
Version: 5:24.0.7-1~debian.12~bookworm

Package: containerd
Version: 1.6.20~ds1-1+deb12u1
Status: hold ok unpacked
`;

it.each([
  ['5:24.0.7-1~debian.12~bookworm', '24.0.7'],
  ['20.10.24+dfsg1-1+deb12u1+b3', '20.10.24+dfsg1'],
  ['1.7.24~ds1-6', '1.7.24~ds1'],
  ['24.0.7-r0', '24.0.7'],
  ['1:28.5.2-1', '28.5.2'],
  ['29.0', '29.0'],
])('%s is version %s of its program', (full, version) => expect(upstreamVersion(full)).toBe(version));

describe('dpkg', () => {
  it('is asked in the order of the names, and a package of which only settings are left does not count', () => {
    put('var/lib/dpkg/status', STATUS);
    expect(packageVersion(tree(), ['docker-ce', 'docker.io'])).toEqual({
      name: 'docker.io',
      version: '20.10.24+dfsg1',
    });
  });

  it('counts a package whose files are there though it was never set up', () => {
    put('var/lib/dpkg/status', STATUS);
    expect(packageVersion(tree(), ['containerd.io', 'containerd'])?.version).toBe('1.6.20~ds1');
  });

  it('is read in the form of distroless images, one file a package and no Status', () => {
    put('var/lib/dpkg/status.d/crio', 'Package: cri-o\nVersion: 1.30.4-1.1\n');
    put('var/lib/dpkg/status.d/crio.md5sums', 'Package: cri-o\nVersion: 9-1\n');
    expect(packageVersion(tree(), ['cri-o'])).toEqual({ name: 'cri-o', version: '1.30.4' });
  });

  it('does not take the end of a name for the name', () => {
    put('var/lib/dpkg/status', 'Package: docker-ce-cli\nVersion: 1-1\nStatus: install ok installed\n');
    expect(packageVersion(tree(), ['docker-ce', 'cli'])).toBeUndefined();
  });
});

it('apk is read', () => {
  put('lib/apk/db/installed', 'C:Q1=\nP:docker-cli\nV:1-r1\n\nC:Q1=\nP:docker\nV:24.0.7-r5\nA:x86_64\n\n');
  expect(packageVersion(tree(), ['docker'])).toEqual({ name: 'docker', version: '24.0.7' });
});

it('pacman is read, also where a name has hyphens', () => {
  put('var/lib/pacman/local/docker-1:28.5.2-1/desc', '');
  put('var/lib/pacman/local/docker-buildx-0.29.1-1/desc', '');
  put('var/lib/pacman/local/ALPM_DB_VERSION', '9');
  expect(packageVersion(tree(), ['docker-buildx'])).toEqual({ name: 'docker-buildx', version: '0.29.1' });
  expect(packageVersion(tree(), ['docker'])).toEqual({ name: 'docker', version: '28.5.2' });
});

describe('rpm', () => {
  const header = (name: string, version: string, release: string) =>
    Buffer.from(`\x8e\xad\xe8\0\0C\0${name}\0${version}\0${release}\0a summary\0Requires\0${name}\0${name}(x86-64)\0`);

  it.each([
    'var/lib/rpm/rpmdb.sqlite',
    'usr/lib/sysimage/rpm/Packages.db',
    'var/lib/rpm/Packages',
  ])('is read in %s, whatever lies around a record', (path) => {
    put(path, Buffer.concat([Buffer.alloc(900, 7), header('docker-ce', '24.0.7', '1.el9'), Buffer.alloc(50)]));
    expect(packageVersion(tree(), ['moby-engine', 'docker-ce'])).toEqual({ name: 'docker-ce', version: '24.0.7' });
  });

  it('tells nothing where a record that may be deleted says another version', () => {
    put(
      'var/lib/rpm/rpmdb.sqlite',
      Buffer.concat([header('docker-ce', '24.0.7', '1.el9'), header('docker-ce', '25.0.1', '1.el9')]),
    );
    expect(packageVersion(tree(), ['docker-ce'])).toBeUndefined();
  });
});

it('a database that cannot be read tells nothing, and the next one is asked', () => {
  mkdirSync(join(root, 'var/lib/dpkg/status'), { recursive: true });
  put('lib/apk/db/installed', 'P:podman\nV:5.2.2-r1\n');
  expect(packageVersion(tree(), ['podman'])?.version).toBe('5.2.2');
});

it('no database, no version', () => expect(packageVersion(tree(), ['docker-ce'])).toBeUndefined());

describe('os-release', () => {
  it('is read with its quotes, from /etc before /usr/lib', () => {
    put(
      'etc/os-release',
      `ID="rhel"\nID_LIKE='centos fedora'\nVERSION_ID=9.4 \nVARIANT_ID=coreos\nPRETTY_NAME="a \\"b\\" \\$c"\n`,
    );
    put('usr/lib/os-release', 'ID=other\n');
    expect(readOsRelease(tree())).toEqual({
      id: 'rhel',
      idLike: ['centos', 'fedora'],
      versionId: '9.4',
      variantId: 'coreos',
      prettyName: 'a "b" $c',
      path: '/etc/os-release',
    });
  });

  it('falls back to /usr/lib, and says linux where the file does not say', () => {
    put('usr/lib/os-release', '# nothing\n');
    expect(readOsRelease(tree())).toMatchObject({ id: 'linux', idLike: [], path: '/usr/lib/os-release' });
  });

  it('is undefined where there is none', () => expect(readOsRelease(tree())).toBeUndefined());
});
