import type { Plan, PlanNote, Refusal, Step } from '../change/plan.ts';
import { forbidden } from './distributions/forbidden.ts';
import type { AlignRequest, DriverHost, RuntimeName, RuntimePlan } from './model.ts';
import { splitPairs } from './pairing.ts';
import { withinReach } from './reach.ts';
import type { Instance } from './runtimes.ts';
import { differsFrom, markUnused, type StatusRow, titleOf } from './status.ts';

/** Runtimes that a kubelet asks for containers, so that it must not run while they change. */
const UNDER_KUBELET: readonly RuntimeName[] = ['containerd', 'crio', 'docker', 'cri-dockerd'];

/**
 * The plan that gives every runtime in use one driver. With `named` only those change, and the others are checked against
 * them. Nothing is written; the runtimes' own validators are asked.
 */
export async function planAlign(
  host: DriverHost,
  instances: readonly Instance[],
  request: AlignRequest,
  named: readonly string[],
): Promise<Plan> {
  const rows = markUnused(
    instances.flatMap((instance) => instance.rows),
    named,
  );
  const inUse = instances.filter(({ rows: [first] }) => first && rows.some((row) => isSame(row, first) && !row.unused));
  const meant = inUse.filter(({ runtime }) => named.length === 0 || named.includes(runtime));
  const reach = withinReach(host, meant, named, request.to);
  const chosen = reach.instances;
  const plans = withKubelet(
    chosen.map((instance) => ({ instance, plan: instance.plan(request, rows) })),
    inUse,
    request,
  );
  const refusals = (await Promise.all(plans.map((each) => refusalsOf(host, each)))).flat();
  const split = splitPairs(rows, named, request.to);
  const { open, allowed } = sift([...reach.refusals, ...split, ...refusals], request);
  return {
    title: `align cgroup drivers to ${request.to}${named.length === 0 ? '' : ` (${named.join(', ')})`}`,
    root: host.tree.root,
    steps: inOrder(
      plans.map(({ plan }) => plan),
      host,
    ),
    refusals: open,
    notes: [
      ...plans.flatMap(({ plan }) => plan.notes),
      ...reach.notes,
      ...allowed,
      ...leftAlone(rows, meant, request),
      ...unverified(host),
    ],
  };
}

interface Planned {
  readonly instance: Instance;
  readonly plan: RuntimePlan;
}

const isSame = (a: Pick<StatusRow, 'runtime' | 'instance'>, b: Pick<StatusRow, 'runtime' | 'instance'>): boolean =>
  a.runtime === b.runtime && a.instance === b.instance;

const touches = ({ before, files, after }: RuntimePlan): boolean => before.length + files.length + after.length > 0;

/** Where a runtime below the kubelet changes and the kubelet itself does not, it is stopped and started all the same. */
function withKubelet(plans: readonly Planned[], inUse: readonly Instance[], request: AlignRequest): readonly Planned[] {
  const isDisturbed = plans.some(
    ({ plan }) => UNDER_KUBELET.includes(plan.runtime) && plan.manager !== 'user' && touches(plan),
  );
  if (!isDisturbed || plans.some(({ plan }) => plan.runtime === 'kubelet' && touches(plan))) return plans;
  const others = plans.filter(({ plan }) => plan.runtime !== 'kubelet');
  const kubelets = inUse.flatMap((instance) => {
    const plan = instance.runtime === 'kubelet' ? instance.around(request) : undefined;
    return plan === undefined ? [] : [{ instance, plan }];
  });
  return kubelets.length === 0 ? plans : [...others, ...kubelets];
}

/** The kubelet stops first and starts last; all files are written before anything is restarted. */
function inOrder(plans: readonly RuntimePlan[], { live, tree }: DriverHost): readonly Step[] {
  const runtimes = plans.filter(({ runtime }) => runtime !== 'kubelet');
  const kubelets = plans.filter(({ runtime }) => runtime === 'kubelet');
  const files = [...runtimes, ...kubelets].flatMap((plan) => plan.files);
  if (live === undefined || !tree.isHost) return files;
  return [
    ...kubelets.flatMap((plan) => plan.before),
    ...runtimes.flatMap((plan) => plan.before),
    ...files,
    ...reloads(plans),
    ...runtimes.flatMap((plan) => plan.after),
    ...kubelets.flatMap((plan) => plan.after),
  ];
}

/** One reload for each manager whose unit files change. */
function reloads(plans: readonly RuntimePlan[]): Step[] {
  const managers = new Set(plans.filter(({ reload }) => reload).map(({ manager }) => manager ?? 'system'));
  return [...managers].map((manager) => ({ kind: 'reload', manager, purpose: 'systemd reads its unit files again' }));
}

async function refusalsOf(host: DriverHost, { instance, plan }: Planned): Promise<readonly Refusal[]> {
  const places = plan.files.flatMap((step) => {
    const answer = step.kind === 'file' ? forbidden(host.tree, step.path) : undefined;
    return answer === undefined ? [] : [answer];
  });
  const own = [...plan.refusals, ...places];
  return own.length > 0 || host.live === undefined || !touches(plan) ? own : instance.validate(plan);
}

/** Refusals that their option allows become notes, so that what was allowed is still said. */
function sift(
  refusals: readonly Refusal[],
  { allowed }: AlignRequest,
): { readonly open: readonly Refusal[]; readonly allowed: readonly PlanNote[] } {
  const isAllowed = ({ override }: Refusal): boolean => override !== undefined && allowed.has(override);
  return {
    open: refusals.filter((refusal) => !isAllowed(refusal)),
    allowed: refusals
      .filter(isAllowed)
      .map(({ reason, override }) => ({ severity: 'impact', text: `${reason} (allowed by ${override})` })),
  };
}

/** What does not change although it is there: runtimes that nobody uses, and those that were not named. */
function leftAlone(rows: readonly StatusRow[], meant: readonly Instance[], { to }: AlignRequest): readonly PlanNote[] {
  const isMeant = (row: StatusRow): boolean => meant.some(({ rows: own }) => own.some((each) => isSame(each, row)));
  return rows
    .filter((row) => !isMeant(row) && differsFrom(row, to))
    .map((row) => ({
      severity: row.unused === undefined ? 'warning' : 'info',
      text: `${titleOf(row)} is left as it is: ${row.unused ?? 'it was not named by --runtime'}`,
    }));
}

function unverified({ live, tree }: DriverHost): readonly PlanNote[] {
  if (live !== undefined) return [];
  return [
    {
      severity: 'info',
      text: `nothing runs in ${tree.root}: no runtime was asked what it makes of its files, and the drivers in force will be known at its first start`,
    },
  ];
}
