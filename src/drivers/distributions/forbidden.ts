import { quote } from '../../core/errors.ts';
import { ifReadable } from '../../host/readable.ts';
import type { RootTree } from '../../host/root-tree.ts';
import { NOT_OURS, type Place } from './places.ts';
import { findPlaces } from './recognise.ts';

/**
 * Why a file must not be written and what to do instead, or undefined where it may be. Both count: the path, and where
 * links lead from there.
 */
export function forbidden(
  tree: RootTree,
  path: string,
): { readonly reason: string; readonly hint: string } | undefined {
  const target = ifReadable(() => tree.follow(path)) ?? path;
  const paths = [...new Set([path, target])];
  const place = findPlaces(tree).find((each) => paths.some((candidate) => holds(each.place, candidate)))?.place;
  if (place !== undefined) return { reason: `${quote(path)} is not edited: ${place.reason}`, hint: place.advice };
  const rule = NOT_OURS.find(({ prefixes, except = [] }) => isBelow(prefixes, target) && !isBelow(except, target));
  if (rule === undefined) return undefined;
  const via = target === path ? '' : `, which leads to ${quote(target)},`;
  return { reason: `${quote(path)}${via} is not edited: ${rule.reason}`, hint: rule.hint };
}

function holds({ prefixes, own = [] }: Place, path: string): boolean {
  return isBelow(prefixes, path) && !own.some((end) => path.endsWith(end));
}

/** Whether a path is one of the files, or in one of the folders. */
function isBelow(prefixes: readonly string[], path: string): boolean {
  return prefixes.some((prefix) => (prefix.endsWith('/') ? path.startsWith(prefix) : path === prefix));
}
