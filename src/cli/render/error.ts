import { inspect } from 'node:util';
import type { SlicectlError } from '../../core/errors.ts';
import { visible } from './visible.ts';

/** One line for people: what, why, and the way out. */
export function errorLine(error: SlicectlError): string {
  const hint = error.hint === undefined ? '' : `; ${visible(sentence(error.hint))}`;
  return `slicectl: ${visible(sentence(error.message))}${hint}\n`;
}

/** One line for what nobody foresaw. */
export function faultLine(error: unknown): string {
  const message = error instanceof Error ? error.message : inspect(error);
  return `slicectl: this is a fault of slicectl itself: ${visible(sentence(message))}; please report it with what SLICECTL_DEBUG=1 prints\n`;
}

/** Everything that an error knows, for SLICECTL_DEBUG=1. */
export function debugText(error: unknown): string {
  return `${inspect(error, { depth: 6 })}\n`;
}

function sentence(text: string): string {
  return text
    .trim()
    .replace(/\s*\n\s*/g, ' ')
    .replace(/\.$/, '');
}
