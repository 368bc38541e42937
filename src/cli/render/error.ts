import type { SlicectlError } from '../../core/errors.ts';

/** One line for people: what, why, and the way out. */
export function errorLine(error: SlicectlError): string {
  const hint = error.hint === undefined ? '' : `; ${withoutStop(error.hint)}`;
  return `slicectl: ${withoutStop(error.message)}${hint}\n`;
}

function withoutStop(text: string): string {
  return text.replace(/\.$/, '');
}
