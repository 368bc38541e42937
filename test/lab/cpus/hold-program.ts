import { readFileSync } from 'node:fs';
import { SystemdLink } from '../../../src/backend/systemd-link.ts';
import { apply } from '../../../src/change/apply.ts';
import type { ChangeContext } from '../../../src/change/engine.ts';
import { fileStep } from '../../../src/change/file-step.ts';
import { openStore } from '../../../src/change/journal.ts';
import type { Step } from '../../../src/change/plan.ts';
import { undo } from '../../../src/change/undo.ts';
import { unitControl } from '../../../src/change/units.ts';
import { parseIndexSet } from '../../../src/core/cpuset.ts';
import { SlicectlError } from '../../../src/core/errors.ts';
import { proveUnit } from '../../../src/cpus/hold/proof.ts';
import { cpuActions, cpuChecks } from '../../../src/cpus/hold/table.ts';
import { DISK } from '../../../src/host/disk.ts';
import { HOST } from '../../../src/host/paths.ts';
import { RootTree } from '../../../src/host/root-tree.ts';
import { readSelf } from '../../../src/host/self.ts';

/** What the program reads from its input, as JSON. */
export interface HoldOrder {
  readonly what: 'apply' | 'undo' | 'prove';
  /** Each becomes a step before the others. */
  readonly files?: Readonly<Record<string, string>>;
  readonly steps?: readonly Step[];
  /** Ends itself by SIGKILL before the step of this number (from 1). */
  readonly killAt?: number;
  readonly unit?: string;
  readonly wanted?: string;
}

const order = JSON.parse(readFileSync(0, 'utf8')) as HoldOrder;
const tree = new RootTree('/');
const link = new SystemdLink('system', { uid: 0, env: {} });
const host = { paths: HOST, tree, link };
const context: ChangeContext = {
  tree,
  uid: 0,
  disk: DISK,
  checks: cpuChecks(host),
  actions: cpuActions(host),
  store: openStore(tree, readSelf()),
  manager: async () => unitControl(link),
  onProgress: ({ what, number }) => {
    if (what === 'begin' && number === order.killAt) process.kill(process.pid, 'SIGKILL');
  },
};

async function carryOut(): Promise<unknown> {
  if (order.what === 'undo') return undo(undefined, context);
  if (order.what === 'prove') {
    const claim = {
      unit: order.unit ?? '',
      name: 'AllowedCPUs' as const,
      wanted: parseIndexSet(order.wanted ?? '', ''),
    };
    return proveUnit(host, claim);
  }
  const files = Object.entries(order.files ?? {}).flatMap(([path, text]) =>
    fileStep(tree, path, Buffer.from(text), 'CPUs of the reservation'),
  );
  const steps = [...files, ...(order.steps ?? [])];
  return apply({ title: 'hold CPUs', root: '/', steps, refusals: [], notes: [] }, context);
}

try {
  console.log(JSON.stringify(await carryOut()));
} catch (error) {
  if (!(error instanceof SlicectlError)) throw error;
  console.log(JSON.stringify({ code: error.code, message: error.message, data: error.data }));
  process.exitCode = 1;
} finally {
  link.close();
}
