import type { Runtime } from '../model.ts';
import type { ManagedFacts } from './managed.ts';
import { microk8s } from './microk8s.ts';
import { k3s, rke2 } from './rancher.ts';

/** Distributions of Kubernetes with a runtime and a kubelet inside. */
export const distributions: readonly Runtime<ManagedFacts>[] = [k3s, rke2, microk8s];
