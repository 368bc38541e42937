/**
 * Whether a program's version is a given one or a later one, by the numbers at its beginning: `28.5.2+dfsg4` is at least
 * `28.5`. What follows the numbers does not count, so that `1.33.0-rc1` and `1.33.0~ds1` are as good as `1.33.0`.
 */
export function isAtLeast(version: string, minimum: string): boolean {
  const have = numbers(version);
  const want = numbers(minimum);
  for (const [at, number] of want.entries()) {
    const own = have[at] ?? 0;
    if (own !== number) return own > number;
  }
  return true;
}

function numbers(version: string): number[] {
  const leading = /^v?(\d+(?:\.\d+)*)/.exec(version)?.[1] ?? '';
  return leading.split('.').map(Number);
}
