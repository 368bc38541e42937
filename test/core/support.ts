import { spawnSync } from 'node:child_process';
import { SlicectlError } from '../../src/core/errors.ts';
import type { FileContext, FileWrite, LimitName, Limits, ReadControl, Row } from '../../src/core/properties/row.ts';
import { property } from '../../src/core/properties/table.ts';
import type { Machine } from '../../src/core/quantity.ts';

/** 16 GiB, and the kernel's usual 32768 tasks. */
export const MACHINE: Machine = { memory: 1n << 34n, tasks: 32_768n, pageSize: 4096n };

/** The refusal that `act` gives; anything but a SlicectlError fails the test. */
export function refusal(act: () => unknown): SlicectlError {
  try {
    act();
  } catch (error) {
    if (error instanceof SlicectlError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

/** Text of a property to D-Bus. */
export function onBus(name: string, text: string): readonly (readonly [string, string, unknown])[] {
  const row = property(name);
  return row.dbus(row.parse(text, MACHINE));
}

/** Values by name from systemd's text. */
export function valuesOfTexts(texts: Readonly<Record<string, string>>): Limits {
  return Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, property(name).parse(text, MACHINE)]));
}

/** What the property `name` writes, given all of `texts`. */
export function writes(
  version: 'v1' | 'v2',
  name: LimitName,
  texts: Readonly<Record<string, string>>,
  devices: FileContext['devices'] = new Map(),
): readonly FileWrite[] {
  const limits = valuesOfTexts(texts);
  const value = limits[name];
  const form = property(name)[version];
  if (value === undefined || !form) throw new Error(`${name} has no files of ${version}`);
  return form.write(value, { limits, devices });
}

/** Control files from a list of contents. */
export function files(contents: Readonly<Record<string, string>>): ReadControl {
  return (_controller, file) => contents[file];
}

/** Whether the content proves the write, by the rule of FileWrite. */
export function isShown(write: FileWrite, content: string): boolean {
  return write.shows ? write.shows(content) : content.trim() === write.text;
}

export function rowNamed(name: LimitName): Row {
  return property(name);
}

/** Why a tool of systemd cannot be asked here, or undefined when it can. They need no running systemd. */
export function toolMissing(tool: 'systemd-analyze' | 'systemd-escape'): string | undefined {
  const { error } = spawnSync(tool, ['--version'], { encoding: 'utf8' });
  return error ? `${tool} cannot be run here (${error.message})` : undefined;
}
