import { quote } from '../../core/errors.ts';
import type { ObservedDriver } from '../model.ts';
import { type ApiAnswer, getDocker } from './api.ts';
import { isObject } from './lint.ts';

/** What `GET /info` says. */
export interface DockerInfo {
  readonly driver: ObservedDriver | undefined;
  readonly version: string | undefined;
  /** Where it keeps its data, links resolved. */
  readonly root: string | undefined;
  readonly liveRestore: boolean;
  readonly inSwarm: boolean;
  readonly runtimes: readonly string[];
  readonly defaultRuntime: string | undefined;
}

export type InfoAnswer = { readonly ok: true; readonly info: DockerInfo } | (ApiAnswer & { readonly ok: false });

export async function getInfo(socket: string, timeoutMs?: number): Promise<InfoAnswer> {
  const answer = await getDocker(socket, '/info', timeoutMs);
  if (!answer.ok) return answer;
  const { value } = answer;
  if (!isObject(value) || typeof value.ID !== 'string') {
    return { ok: false, reason: 'does not answer as Docker does', denied: false };
  }
  const text = (name: string): string | undefined => {
    const found = value[name];
    return typeof found === 'string' ? found : undefined;
  };
  const driver = text('CgroupDriver');
  const swarm = isObject(value.Swarm) ? value.Swarm.LocalNodeState : undefined;
  return {
    ok: true,
    info: {
      driver: driver === 'systemd' || driver === 'cgroupfs' || driver === 'none' ? driver : undefined,
      version: text('ServerVersion'),
      root: text('DockerRootDir'),
      liveRestore: value.LiveRestoreEnabled === true,
      inSwarm: typeof swarm === 'string' && !['', 'inactive', 'error'].includes(swarm),
      runtimes: isObject(value.Runtimes) ? Object.keys(value.Runtimes) : [],
      defaultRuntime: text('DefaultRuntime'),
    },
  };
}

/** In one sentence. */
export function saysWhat(socket: string, answer: InfoAnswer): string {
  if (!answer.ok) return `Docker on ${socket} ${answer.reason}`;
  return `Docker on ${socket} reports the driver ${answer.info.driver ?? quote('')}`;
}
