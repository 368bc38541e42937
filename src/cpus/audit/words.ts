/** `1 thread`, `3 threads`. */
export function countText(count: number, one: string): string {
  return `${count} ${one}${count === 1 ? '' : /s$/.test(one) ? 'es' : 's'}`;
}

const MOST_NAMES = 3;

/** The first names, and how many more there are. */
export function listed(names: readonly string[]): string {
  const different = [...new Set(names)];
  const more = different.length - MOST_NAMES;
  return `${different.slice(0, MOST_NAMES).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** `0.25 s`, `14 ms`. */
export function durationText(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`;
  return ms >= 10 ? `${Math.round(ms)} ms` : `${ms.toFixed(1)} ms`;
}
