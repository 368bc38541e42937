import { fileURLToPath } from 'node:url';

/** The checkout that the lab was started from: bound or copied to /opt/slicectl in every machine. */
export const repository = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

export const labFolder = fileURLToPath(new URL('.', import.meta.url)).replace(/\/$/, '');

/** Trees and disks that were built once, and the throw-away disks of running machines. */
export const cacheFolder = (): string => process.env.SLICECTL_LAB_CACHE ?? '/var/cache/slicectl-lab';

/** Records, sockets and logs of running machines. */
export const runFolder = (): string => `${process.env.XDG_RUNTIME_DIR ?? '/run'}/slicectl-lab`;

export const machineFolder = (name: string): string => `${runFolder()}/${name}`;

export const scratchFolder = (name: string): string => `${cacheFolder()}/scratch/${name}`;

export const lockFile = (name: string): string => `${runFolder()}/${name}.lock`;
