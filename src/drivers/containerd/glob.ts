import { posix } from 'node:path';
import { ifReadable } from '../../host/readable.ts';
import type { RootTree } from '../../host/root-tree.ts';

/**
 * The paths that an entry of `imports =` stands for, sorted as Go's filepath.Glob sorts them. Without `*` it is itself,
 * there or not: `?` and `[` alone make no pattern of it (resolveImports of containerd). A file whose name begins with a
 * dot matches like any other, and a folder that may not be read has nothing in it.
 */
export function importedPaths(tree: RootTree, pattern: string, folder: string): readonly string[] {
  const path = posix.resolve(folder, pattern);
  if (!path.includes('*')) return [path];
  const parts = path.split('/').slice(1);
  return parts.reduce<readonly string[]>(
    (found, part) => {
      if (!/[*?[\\]/.test(part))
        return found.map((above) => posix.join(above, part)).filter((each) => isThere(tree, each));
      const wanted = patternOf(part);
      return found.flatMap((above) =>
        (ifReadable(() => tree.list(above)) ?? [])
          .filter((name) => wanted.test(name))
          .map((name) => posix.join(above, name)),
      );
    },
    ['/'],
  );
}

function isThere(tree: RootTree, path: string): boolean {
  return tree.kind(path) !== 'absent';
}

/** One part of a path, by the rules of Go's path/filepath.Match. */
function patternOf(part: string): RegExp {
  const source = part.replace(/\\(.)|\[(\^?)((?:\\.|[^\]\\])+)\]|[\s\S]/g, (all, escaped, not, set) => {
    if (escaped !== undefined) return literal(escaped);
    if (set !== undefined) return `[${not}${String(set).replace(/\[/g, '\\[')}]`;
    if (all === '*') return '[^/]*';
    return all === '?' ? '[^/]' : literal(all);
  });
  try {
    return new RegExp(`^${source}$`, 's');
  } catch {
    return /(?!)/;
  }
}

function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}
