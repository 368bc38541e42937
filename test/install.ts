import { installPackages } from './lab/install.ts';

/**
 * What the tests on this machine need besides Node: a bus of their own, a terminal, programs to limit, systemd's own
 * parsers to compare with, and readers of man pages and completions.
 */
const PACKAGES = [
  ...['dbus', 'tmux', 'perl-base', 'procps', 'util-linux', 'systemd'],
  ...['man-db', 'groff', 'mandoc', 'zsh', 'fish'],
];

if (process.getuid?.() === 0) await installPackages(PACKAGES);
else process.stdout.write(`not root: tests that need ${PACKAGES.join(', ')} are skipped where these are absent\n`);
