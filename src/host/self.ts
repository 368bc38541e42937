import process from 'node:process';

/** What the library knows of its own process when the caller does not say otherwise. */
export interface Self {
  readonly uid: number;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  readonly parentPid: number;
}

/** The one place below the command line that looks at this process. */
export function readSelf(): Self {
  return { uid: process.getuid?.() ?? -1, env: process.env, cwd: process.cwd(), parentPid: process.ppid };
}
