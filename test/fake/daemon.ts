import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe } from 'vitest';

const isMissing = spawnSync('dbus-daemon', ['--version']).status !== 0;
if (isMissing && process.env.CI !== undefined)
  throw new Error('dbus-daemon is not installed here, and CI skips nothing');

/** `describe` for what needs a private bus: where none can be had it is skipped and the title says why. */
export function describeWithBus(title: string, body: () => void): void {
  if (isMissing) describe.skip(`${title} (needs dbus-daemon, which is not installed)`, body);
  else describe(title, body);
}

export interface Limits {
  readonly maxRepliesPerConnection?: number;
  readonly maxMatchRulesPerConnection?: number;
  readonly maxConnectionsPerUser?: number;
}

export interface Daemon {
  readonly path: string;
  readonly pid: number;
  /** SIGKILL: connections end without a word. */
  kill(): Promise<void>;
  /** SIGTERM, and removes the folder. */
  stop(): Promise<void>;
}

function configuration(path: string, limits: Limits): string {
  const limit = (name: string, value: number | undefined) =>
    value === undefined ? '' : `<limit name="${name}">${value}</limit>`;
  return `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=${path}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
    <deny send_interface="test.Denied"/>
  </policy>
  ${limit('max_replies_per_connection', limits.maxRepliesPerConnection)}
  ${limit('max_match_rules_per_connection', limits.maxMatchRulesPerConnection)}
  ${limit('max_connections_per_user', limits.maxConnectionsPerUser)}
</busconfig>`;
}

/** A message bus of the test's own in a temporary folder. */
export async function startDaemon(limits: Limits = {}): Promise<Daemon> {
  const folder = await mkdtemp(join(tmpdir(), 'slicectl-bus-'));
  const path = join(folder, 'bus');
  const config = join(folder, 'bus.conf');
  await writeFile(config, configuration(path, limits));
  const child = spawn('dbus-daemon', [`--config-file=${config}`, '--nofork', '--nopidfile', '--print-address=1'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const exited = once(child, 'exit');
  const lines = createInterface({ input: child.stdout });
  await Promise.race([
    once(lines, 'line'),
    exited.then(() => {
      throw new Error('dbus-daemon ended before it listened');
    }),
  ]);
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    await exited;
  };
  return {
    path,
    pid: child.pid ?? 0,
    kill: () => end('SIGKILL'),
    async stop() {
      await end('SIGTERM');
      await rm(folder, { recursive: true, force: true });
    },
  };
}
