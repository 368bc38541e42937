import type { Adapter } from './adapter.ts';
import type { MachineSpec } from './catalogue.ts';
import { container } from './container.ts';
import { emulated } from './emulated.ts';

export const adapterOf = ({ kind }: Pick<MachineSpec, 'kind'>): Adapter =>
  kind === 'container' ? container : emulated;
