import { equalSets, type IndexSet, intersection, isSubset } from '../core/cpuset.ts';
import type { Former } from './kernel-before.ts';

/**
 * Where a thread goes that nothing is known of: from the set of before to that of after, which may be wider; with another
 * one to what is left of that.
 */
export function threadGoal(
  now: IndexSet,
  { before, after }: { readonly before: IndexSet; readonly after: IndexSet },
): IndexSet {
  return equalSets(now, before) ? after : shareWithin(now, after);
}

/** Something of the kernel's that has CPUs; id and `of` as in {@link Former}. */
export interface Place {
  readonly id: string;
  /** Empty where the kernel does not say now. */
  readonly of: string;
  readonly now: IndexSet;
}

/** What holds for all of one kind. */
export interface KindRule {
  readonly known: readonly Former[];
  /** Where they were to be kept until now, and where from now on; undefined where they are not kept. */
  readonly former: IndexSet | undefined;
  readonly wanted: IndexSet | undefined;
  readonly all: IndexSet;
  readonly online: IndexSet;
}

export interface Goal {
  /** Undefined where it stays as it is. */
  readonly to: IndexSet | undefined;
  /** What is to be remembered of it while it is kept. */
  readonly before: Former | undefined;
}

/** What is left to something that has `cpus`, of those that are open: all of these where none of its own is. */
export function shareWithin(cpus: IndexSet, open: IndexSet, online: IndexSet = open): IndexSet {
  if (isSubset(cpus, open)) return cpus;
  const share = intersection(cpus, open);
  return intersection(share, online).length === 0 ? open : share;
}

/**
 * Where something goes. Ours is what has its share of the former set: it gets its share of the wanted one, and in the end
 * what it had. So does what somebody put outside of the former set. What somebody else moved within that set stays where
 * it can, and in the end altogether; where it cannot, that is what it had before. `assumed`: what it had, where it came
 * since and nothing is remembered of it.
 */
export function goalOf({ id, of, now }: Place, rule: KindRule, assumed: IndexSet = rule.all): Goal {
  const { former, wanted, all, online } = rule;
  const known = rule.known.find((one) => one.id === id && (of === '' || one.of === of));
  const origin = known?.cpus ?? assumed;
  // A part of its CPUs may have been offline, which made its share the whole set.
  const isOurs =
    former !== undefined && (equalSets(now, shareWithin(origin, former)) || equalSets(now, shareWithin(all, former)));
  if (wanted === undefined) {
    // The kernel takes no set without a CPU that is online.
    const back = intersection(origin, online).length === 0 ? all : origin;
    return { to: isOurs && !equalSets(now, back) ? back : undefined, before: undefined };
  }
  const isKept = isOurs || (former !== undefined && known !== undefined && !isSubset(now, former));
  const cpus = isKept ? origin : now;
  const goal = shareWithin(cpus, wanted, online);
  const to = equalSets(goal, now) ? undefined : goal;
  if (isKept) return { to, before: to === undefined ? known : { id, of: of || (known?.of ?? ''), cpus } };
  // What has just that set by itself would be taken for ours later.
  const isAlike = equalSets(now, shareWithin(assumed, wanted)) || equalSets(now, shareWithin(all, wanted));
  return { to, before: to !== undefined || isAlike ? { id, of, cpus } : known };
}

/** What is remembered of a kind from now on. */
export function rememberedOf(rule: KindRule, goals: readonly Goal[]): readonly Former[] {
  // Nothing is forgotten that was not given back, as where a record was removed by hand.
  if (rule.wanted === undefined) return rule.former === undefined ? rule.known : [];
  const found = new Map(rule.known.map((one) => [one.id, one]));
  for (const { before } of goals) if (before !== undefined) found.set(before.id, before);
  return [...found.values()];
}
