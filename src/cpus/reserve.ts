import type { Plan } from '../change/plan.ts';
import { badInput } from '../core/errors.ts';
import type { RootTree } from '../host/root-tree.ts';
import type { CpuFacts, PartitionType } from './model.ts';
import type { PickRequest } from './pick.ts';
import type { Reservation } from './roles.ts';

export interface ReserveRequest {
  /** The payload slice. */
  readonly name: string;
  readonly pick: PickRequest;
  readonly keep: readonly string[];
  readonly memoryNodes: boolean;
  readonly partition: PartitionType | undefined;
  readonly interrupts: boolean;
  readonly workqueues: boolean;
  readonly kernelThreads: boolean;
  readonly kubelet: boolean;
  /** Whether no pods run on this node, so that the kubelet may be stopped and its state dropped. */
  readonly drained: boolean;
  readonly whileUnit: string | undefined;
  readonly runtime: boolean;
  /** CPUs that jobs have for themselves now. */
  readonly leases: readonly Reservation[];
}

export interface ReserveHost {
  readonly tree: RootTree;
}

/** The plan that gives a slice CPUs of its own, or changes which it has. Writes nothing. */
export async function planReserve(_facts: CpuFacts, _host: ReserveHost, _request: ReserveRequest): Promise<Plan> {
  throw badInput('reserve is not there yet');
}
