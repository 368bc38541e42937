import type { Plan, Step } from '../../backend/backend.ts';
import { indexSetFromBytes, printIndexSet } from '../../core/cpuset.ts';
import { printLimit } from '../../core/limits.ts';
import type { DbusProperty } from '../../core/properties/row.ts';
import { PROPERTIES } from '../../core/properties/table.ts';
import { U64_MAX } from '../../core/quantity.ts';

/** What `--dry-run` prints: the limits after rounding, the notes, and each call and write in its order. */
export function planText(plan: Plan, command: readonly string[], label: string): string {
  const limits = PROPERTIES.flatMap((row) => {
    const value = plan.limits[row.name];
    return value === undefined ? [] : [printLimit(row.name, value)];
  });
  const isGated = plan.steps.some((step) => step.do === 'move' || (step.do === 'call' && step.takesJob));
  const lines = [
    `would run ${JSON.stringify(command)} by ${label}${plan.unit === undefined ? '' : ` as ${plan.unit}`}`,
    `limits: ${limits.length === 0 ? 'none' : limits.join(', ')}`,
    ...plan.notes.map(({ text }) => `note: ${text}`),
    ...plan.steps.flatMap(stepText),
    isGated
      ? 'then every limit would be read back from the kernel, and the command released'
      : 'and every limit would be read back from the kernel',
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function stepText(step: Step): string[] {
  if (step.do === 'make') return [`make  ${step.path}`];
  if (step.do === 'write') return [`write ${step.path} ${JSON.stringify(step.text)}`];
  if (step.do === 'move') return [`move  ${step.what} to ${step.path}`];
  return [
    `call  ${step.interface}.${step.member} ssa(sv)a(sa(sv)) "${step.unit}" "${step.mode}"`,
    ...step.properties.map((property) => `        ${propertyText(property)}`),
    ...(step.takesJob ? ['        PIDs au [the command behind its gate]'] : []),
    ...step.auxiliary.flatMap(({ unit, properties }) => [
      `      with "${unit}"`,
      ...properties.map((property) => `        ${propertyText(property)}`),
    ]),
  ];
}

function propertyText([name, signature, value]: DbusProperty): string {
  return `${name} ${signature} ${valueText(value)}`;
}

function valueText(value: unknown): string {
  if (value instanceof Uint8Array) return `[${[...value].join(' ')}] (${printIndexSet(indexSetFromBytes(value))})`;
  if (value === U64_MAX) return `${value} (infinity)`;
  return typeof value === 'bigint' ? `${value}` : JSON.stringify(value, jsonValue);
}

function jsonValue(_: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value];
  return typeof value === 'bigint' ? (value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : `${value}`) : value;
}

/** The plan as one JSON document; numbers above 2^53 as text. */
export function planJson(plan: Plan, command: readonly string[]): string {
  const { devices, ...rest } = plan;
  return `${JSON.stringify({ version: 1, command, ...rest, devices: Object.fromEntries(devices) }, jsonValue, 2)}\n`;
}
