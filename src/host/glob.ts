import type { RootTree } from './root-tree.ts';

/** Paths in the tree that fit a pattern of glob(3) with `*`, `?`, `[…]` and `\`, sorted; a path without those as it is, if it is there. */
export function matchPaths(tree: RootTree, pattern: string): readonly string[] {
  if (!/[*?[\\]/.test(pattern)) return tree.kind(pattern) === 'absent' ? [] : [pattern];
  let paths = [''];
  for (const part of pattern.split('/').filter((name) => name !== '')) {
    const test = partTest(part);
    paths = paths.flatMap((folder) =>
      tree
        .list(folder === '' ? '/' : folder)
        .filter(test)
        .map((name) => `${folder}/${name}`),
    );
  }
  return paths;
}

function partTest(part: string): (name: string) => boolean {
  let source = '';
  for (let at = 0; at < part.length; at += 1) {
    const char = part.charAt(at);
    const set = char === '[' ? /^\[([!^]?)(\]?[^\]]*)\]/.exec(part.slice(at)) : null;
    if (set?.[2] !== undefined) {
      source += `[${set[1] === '' ? '' : '^'}${set[2].replace(/[\\\]^]/g, '\\$&')}]`;
      at += set[0].length - 1;
    } else if (char === '*') source += '.*';
    else if (char === '?') source += '.';
    else
      source += (char === '\\' && at + 1 < part.length ? part.charAt(++at) : char).replace(
        /[\\^$.*+?()[\]{}|/]/g,
        '\\$&',
      );
  }
  const fits = new RegExp(`^${source}$`, 'su');
  return (name) => fits.test(name) && (!name.startsWith('.') || part.startsWith('.'));
}
