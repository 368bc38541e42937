/** Where the host's trees are. Every reader takes them from here, so that a test can point them at another tree. */
export interface HostPaths {
  readonly proc: string;
  readonly sys: string;
  readonly etc: string;
  readonly run: string;
}

export const HOST: HostPaths = { proc: '/proc', sys: '/sys', etc: '/etc', run: '/run' };
