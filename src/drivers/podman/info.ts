import { execFile } from 'node:child_process';
import { CGROUP_DRIVERS, type CgroupDriver } from '../model.ts';

/** What `podman info` says. */
export interface PodmanInfo {
  readonly version: string | undefined;
  /** Undefined for a manager that podman itself does not know. */
  readonly driver: CgroupDriver | undefined;
}

export type InfoAnswer =
  | { readonly ok: true; readonly info: PodmanInfo }
  /** In words of podman's own. */
  | { readonly ok: false; readonly reason: string };

const TIMEOUT_MS = 20_000;
const MOST_BYTES = 4 * 1024 * 1024;

/** Asks podman which manager it gives to new containers of the user who runs this. */
export function askPodman(program: string, env: NodeJS.ProcessEnv): Promise<InfoAnswer> {
  return new Promise((resolve) => {
    const options = { timeout: TIMEOUT_MS, maxBuffer: MOST_BYTES, env: { ...env, LC_ALL: 'C' } };
    execFile(program, ['info', '--format', 'json'], options, (error, stdout, stderr) => {
      if (error === null) resolve(understand(stdout));
      else if (error.killed) resolve({ ok: false, reason: `no answer within ${TIMEOUT_MS / 1000} s` });
      else resolve({ ok: false, reason: lastLine(stderr) || error.message });
    });
  });
}

function understand(stdout: string): InfoAnswer {
  try {
    const { host, version } = JSON.parse(stdout) as {
      host?: Record<string, unknown>;
      version?: Record<string, unknown>;
    };
    const manager = host?.cgroupManager;
    const text = version?.Version;
    return {
      ok: true,
      info: {
        driver: CGROUP_DRIVERS.find((driver) => driver === manager),
        version: typeof text === 'string' ? text : undefined,
      },
    };
  } catch {
    return { ok: false, reason: 'its answer is not JSON' };
  }
}

/** The message of podman's last line, which is one of logrus. */
function lastLine(stderr: string): string {
  const line = stderr.trim().split('\n').at(-1) ?? '';
  return /^Error: (.*)$/.exec(line)?.[1] ?? /msg="((?:[^"\\]|\\.)*)"/.exec(line)?.[1]?.replaceAll('\\"', '"') ?? line;
}
