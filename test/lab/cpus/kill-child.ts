import { readFileSync } from 'node:fs';
import { deserialize } from 'node:v8';
import { SystemdLink } from '../../../src/backend/systemd-link.ts';
import { apply } from '../../../src/change/apply.ts';
import type { ChangeContext } from '../../../src/change/engine.ts';
import { openStore } from '../../../src/change/journal.ts';
import type { Plan } from '../../../src/change/plan.ts';
import { resume, undo } from '../../../src/change/undo.ts';
import { unitControl } from '../../../src/change/units.ts';
import { SlicectlError } from '../../../src/core/errors.ts';
import { cpuActions, cpuChecks } from '../../../src/cpus/hold/table.ts';
import { startActions } from '../../../src/cpus/start.ts';
import { DISK } from '../../../src/host/disk.ts';
import { HOST } from '../../../src/host/paths.ts';
import { RootTree } from '../../../src/host/root-tree.ts';
import { readSelf } from '../../../src/host/self.ts';
import { type Bomb, fuse } from './kill-fuse.ts';

/** What is to be killed: a process with little in it, since an emulated machine starts dozens of them. */
export interface ChildOrder extends Bomb {
  readonly act: 'apply' | 'undo' | 'resume';
  /** A file with the plans, as {@link StoredPlans}. */
  readonly plans: string;
  readonly plan: keyof StoredPlans;
}

/** Serialized by node:v8. */
export interface StoredPlans {
  readonly reserve: Plan;
  readonly release: Plan;
}

const order = JSON.parse(readFileSync(0, 'utf8')) as ChildOrder;
const tree = new RootTree('/');
const link = new SystemdLink('system', { uid: 0, env: {} });
const host = { paths: HOST, tree, link };
const context: ChangeContext = {
  tree,
  uid: 0,
  disk: DISK,
  checks: cpuChecks(host),
  actions: { ...cpuActions(host), ...startActions(link) },
  store: openStore(tree, readSelf()),
  manager: async () => unitControl(link),
};

try {
  const hands = fuse(context, order);
  const plans = deserialize(readFileSync(order.plans)) as StoredPlans;
  const { state, problems } =
    order.act === 'apply' ? await apply(plans[order.plan], hands) : await { undo, resume }[order.act](undefined, hands);
  console.log(`${state}${problems.map((problem) => `; ${problem}`).join('')}`);
} catch (error) {
  if (!(error instanceof SlicectlError)) throw error;
  console.log(`${error.code}: ${error.message}`);
} finally {
  link.close();
}
