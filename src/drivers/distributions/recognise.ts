import { readOsRelease } from '../../host/os-release.ts';
import { ifReadable } from '../../host/readable.ts';
import type { RootTree } from '../../host/root-tree.ts';
import { markOf, PLACES, type Place } from './places.ts';

/** A kind of host that makes its configuration by other means than files, or a part of this host that does. */
export interface Recognised {
  readonly name: string;
  /** The path that says so. */
  readonly why: string;
  /** What to do there instead of editing files. */
  readonly advice: string;
  /** Files and folders, with `/` at their ends, that must not be edited there. */
  readonly prefixes: readonly string[];
}

/** Whatever the tree has of the places that slicectl knows and does not edit. */
export function recognise(tree: RootTree): readonly Recognised[] {
  return findPlaces(tree).map(({ place: { name, advice, prefixes }, why }) => ({ name, why, advice, prefixes }));
}

/** The places that a tree has, with the path that says so. */
export function findPlaces(tree: RootTree): readonly { readonly place: Place; readonly why: string }[] {
  const release = readOsRelease(tree);
  return PLACES.flatMap((place) => {
    const why = ifReadable(() => markOf(tree, place, release));
    return why === undefined ? [] : [{ place, why }];
  });
}
