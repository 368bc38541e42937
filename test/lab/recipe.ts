import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Kind, MachineSpec } from './catalogue.ts';
import { labFolder } from './paths.ts';

const basePackages = [
  'systemd',
  'systemd-sysv',
  'dbus',
  'dbus-user-session',
  'libpam-systemd',
  'procps',
  'util-linux',
  'passwd',
  'polkitd',
  'libstdc++6',
  'libatomic1',
  'ca-certificates',
  'perl-base',
];

const machinePackages = ['linux-image-cloud-amd64', 'initramfs-tools', 'udev', 'openssh-server', 'iproute2'];

/** Services of these start at each boot as Debian has them: containerd, docker.socket and docker. */
const dockerPackages = [
  'docker.io',
  'containerd',
  'runc',
  'crun',
  'iptables',
  'podman',
  'conmon',
  'uidmap',
  'slirp4netns',
  'rootlesskit',

  'busybox-static',
  'e2fsprogs',
];

/** What of them a machine gets that is slow: containers by Docker, and no more; and what moves interrupts by itself. */
const emulatedDockerPackages = ['docker.io', 'containerd', 'runc', 'iptables', 'busybox-static', 'irqbalance'];

/** All that decides what is in a tree or a disk: equal recipes give interchangeable images. */
export interface Recipe {
  readonly kind: Kind;
  readonly suite: string;
  /** Left out where there is none, so that such recipes keep the hash they have. */
  readonly flavour?: 'docker';
  readonly packages: readonly string[];
  readonly options: readonly string[];
  /** Node is part of a disk; a container has it bound from the host. */
  readonly node: string | undefined;
  readonly script: string;
}

export const setupScript = join(labFolder, 'image/setup.sh');
export const machineScript = join(labFolder, 'image/machine.sh');
export const initrdScript = join(labFolder, 'image/initrd.sh');
export const dockerScript = join(labFolder, 'image/docker.sh');

export const idleDockerScript = join(labFolder, 'image/idle-docker.sh');

export function recipeOf({ kind, suite, flavour }: MachineSpec): Recipe {
  const emulated = kind === 'emulated';
  const scripts = [
    setupScript,
    ...(emulated ? [machineScript, initrdScript] : []),
    ...(flavour === 'docker' ? [dockerScript, ...(emulated ? [idleDockerScript] : [])] : []),
  ];
  const ofDocker = emulated ? emulatedDockerPackages : dockerPackages;
  return {
    kind,
    suite,
    ...(flavour === undefined ? {} : { flavour }),
    packages: [
      ...basePackages,
      ...(emulated ? machinePackages : []),
      // One package in bookworm.
      ...(flavour === 'docker' ? [...ofDocker, ...(suite === 'bookworm' ? [] : ['docker-cli'])] : []),
    ],
    // The Release file of a suite in preparation may be older than it promises to be.
    options: suite === 'forky' ? ['--aptopt=Acquire::Check-Valid-Until "false"'] : [],
    node: emulated ? process.version : undefined,
    script: scripts.map(readScript).join(''),
  };
}

const readScript = (path: string): string => readFileSync(path, 'utf8');

/** The recipe's name without its hash: one image of each is kept. */
export const familyOf = ({ kind, suite, flavour }: Recipe): string =>
  [...(flavour === undefined ? [] : [flavour]), kind === 'container' ? 'tree' : 'disk', suite].join('-');

export const hashOf = (recipe: Recipe): string =>
  createHash('sha256').update(JSON.stringify(recipe)).digest('hex').slice(0, 16);
