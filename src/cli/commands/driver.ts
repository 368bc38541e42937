import { interrupted, openStore } from '../../change/journal.ts';
import type { Plan } from '../../change/plan.ts';
import { SlicectlError } from '../../core/errors.ts';
import { planAlign } from '../../drivers/align.ts';
import { recognise } from '../../drivers/distributions/recognise.ts';
import { closeHost, openHost } from '../../drivers/hosts.ts';
import type { CgroupDriver, DriverHost } from '../../drivers/model.ts';
import { readers } from '../../drivers/runtimes.ts';
import { judge, markUnused, readInstances, type StatusReport } from '../../drivers/status.ts';
import { readSelf } from '../../host/self.ts';
import { print, tell } from '../output.ts';
import { statusJson, statusText } from '../render/driver.ts';
import { errorLine } from '../render/error.ts';
import { carryOut, driverMeans, hasColour } from './change.ts';

const DIFFERENT = 3;

interface Scope {
  readonly runtime?: readonly string[];
  readonly root?: string;
  readonly assume?: readonly string[];
  readonly json?: boolean;
}

export type StatusOptions = Scope;

export interface CheckOptions extends Scope {
  readonly expect: CgroupDriver;
  readonly quiet?: boolean;
}

export interface AlignOptions extends Scope {
  readonly to: CgroupDriver;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly liveRestore?: boolean;
  readonly stopContainers?: boolean;
  readonly drained?: boolean;
}

/** `slicectl driver status`: 0 aligned, 3 not. */
export async function status(options: StatusOptions): Promise<number> {
  return report(options, undefined, 'print');
}

/** `slicectl driver check`: the same as a gate. */
export async function check(options: CheckOptions): Promise<number> {
  return report(options, options.expect, options.quiet ? 'silent' : 'print');
}

async function report(scope: Scope, expected: CgroupDriver | undefined, voice: 'print' | 'silent'): Promise<number> {
  return withHost(scope, async (host) => {
    const seen = judge(await rowsOf(host, scope), expected);
    if (voice === 'print') {
      const facts = {
        ...seen,
        root: host.tree.root,
        expected,
        recognised: recognise(host.tree),
        interrupted: interruptedIn(host),
      };
      print(scope.json ? statusJson(facts) : statusText(facts, { colour: hasColour() }));
    }
    return seen.aligned ? 0 : DIFFERENT;
  });
}

/** A journal that cannot be read keeps nobody from seeing the drivers. */
function interruptedIn({ tree, self }: DriverHost): ReturnType<typeof interrupted> {
  try {
    return interrupted(openStore(tree, self));
  } catch (error) {
    if (!(error instanceof SlicectlError)) throw error;
    tell(errorLine(error));
    return undefined;
  }
}

async function rowsOf(host: DriverHost, { runtime = [] }: Scope): Promise<StatusReport['rows']> {
  const instances = await readInstances(readers, host);
  const rows = markUnused(
    instances.flatMap((instance) => instance.rows),
    runtime,
  );
  return rows.filter((row) => runtime.length === 0 || runtime.includes(row.runtime));
}

/** `slicectl driver align`. */
export async function align(options: AlignOptions): Promise<number> {
  return withHost(options, async (host) => {
    const plan = await makePlan(host, options);
    return carryOut(plan, host, await driverMeans(host), options);
  });
}

async function makePlan(host: DriverHost, options: AlignOptions): Promise<Plan> {
  const instances = await readInstances(readers, host);
  const named = options.runtime ?? [];
  const absent = named.filter((name) => !instances.some(({ runtime }) => runtime === name));
  if (absent.length > 0) {
    throw new SlicectlError('E_INPUT', `there is no ${absent.join(' and no ')} on this host`, {
      hint: 'slicectl driver status shows what there is',
    });
  }
  const allowed = [
    ...(options.drained ? ['--drained'] : []),
    ...(options.stopContainers ? ['--stop-containers'] : []),
    ...(options.liveRestore ? ['--live-restore'] : []),
  ];
  const request = { to: options.to, liveRestore: options.liveRestore ?? false, allowed: new Set(allowed) };
  return planAlign(host, instances, request, named);
}

async function withHost<T>(scope: Scope, work: (host: DriverHost) => Promise<T>): Promise<T> {
  const host = await openHost({ root: scope.root, assume: scope.assume, self: readSelf() });
  try {
    return await work(host);
  } finally {
    closeHost(host);
  }
}
