import { installPackages } from './lab/install.ts';

/** What the tests on this machine need besides Node: a bus of their own, a terminal, and programs to limit. */
const PACKAGES = ['dbus', 'tmux', 'perl-base', 'procps', 'util-linux', 'man-db', 'groff'];

if (process.getuid?.() === 0) await installPackages(PACKAGES);
else process.stdout.write(`not root: tests that need ${PACKAGES.join(', ')} are skipped where these are absent\n`);
