import type { Kind } from './catalogue.ts';
import { capture, run } from './process.ts';

const packages: Readonly<Record<Kind, readonly string[]>> = {
  container: ['systemd-container', 'mmdebstrap', 'debian-archive-keyring', 'util-linux'],
  emulated: [
    'mmdebstrap',
    'debian-archive-keyring',
    'util-linux',
    'qemu-system-x86',
    'qemu-utils',
    'openssh-client',
    'e2fsprogs',
  ],
};

/** Installs what machines of this kind need on a Debian host; does nothing when all of it is there. */
export async function installFor(kind: Kind): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw new Error('lab: only root can build and start machines (they are mounts, cgroups and packages)');
  }
  await installPackages(packages[kind]);
}

/** Installs those of the packages that are missing, without what they only recommend. */
export async function installPackages(names: readonly string[]): Promise<void> {
  const missing = await missingOf(names);
  if (missing.length === 0) return;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  for (const step of [['update'], ['install', '--yes', '--no-install-recommends', ...missing]]) {
    const { code, stderr } = await capture(['apt-get', '--quiet', '--option=DPkg::Lock::Timeout=300', ...step], {
      env,
    });
    if (code !== 0) {
      const last = stderr.trim().split('\n').slice(-3).join(' / ');
      throw new Error(`lab: apt-get ${step.join(' ')} failed (install ${missing.join(' ')} by hand): ${last}`);
    }
  }
}

async function missingOf(names: readonly string[]): Promise<string[]> {
  const line = `${['Package', 'db:Status-Status'].map((field) => `$\{${field}}`).join(' ')}\n`;
  const query = ['dpkg-query', '--show', '--showformat', line, ...names];
  const { stdout } = await capture(query);
  const installed = new Set(
    stdout.split('\n').flatMap((line) => (line.endsWith(' installed') ? line.split(' ')[0] : [])),
  );
  return names.filter((name) => !installed.has(name));
}

/** The Debian mirror that this machine's own apt uses. */
export async function mirror(): Promise<string> {
  const sites = await run(['apt-get', 'indextargets', '--format', '$(SITE)', 'Created-By: Packages']).catch(() => '');
  return sites.split('\n').find((site) => /^https?:\/\/.*\/debian\/?$/.test(site)) ?? 'http://deb.debian.org/debian';
}
