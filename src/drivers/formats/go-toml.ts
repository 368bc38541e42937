import { type ConfigText, decodeConfig, encodeConfig, syntaxError } from '../../core/config-text.ts';
import { quote } from '../../core/errors.ts';
import type { RootTree } from '../../host/root-tree.ts';
import { parseToml, setToml, type TomlDocument, type TomlEntry, type TomlScalar } from './toml.ts';

/** A TOML file as programs read it that are written with github.com/BurntSushi/toml: CRI-O and podman. */
export interface GoTomlFile {
  readonly path: string;
  readonly text: ConfigText;
  readonly document: TomlDocument;
}

export interface FoundKey extends TomlEntry {
  /** As they are written in the file. */
  readonly keys: readonly string[];
}

/** A file, or undefined where there is none. `E_FILE` and `E_SYNTAX`, which stop those programs too. */
export function readGoToml(tree: RootTree, path: string): GoTomlFile | undefined {
  const found = tree.read(path);
  if (found === undefined) return undefined;
  const text = decodeConfig(found.bytes, path);
  return { path, text, document: parseToml(text.text, path) };
}

/** A key, found as that library finds the field for it: by its name, or else by its name in other case (strings.EqualFold). */
export function findKey({ document }: GoTomlFile, keys: readonly string[]): FoundKey | undefined {
  const written: string[] = [];
  for (const key of keys) {
    const names = document.keys(written);
    const name = names.find((each) => each === key) ?? names.find((each) => each.toLowerCase() === key);
    if (name === undefined) return undefined;
    written.push(name);
  }
  const entry = document.get(written);
  return entry && { ...entry, keys: written };
}

/** The same for a key that must have a string. `E_SYNTAX` for one that has something else: those programs refuse it. */
export function findString(file: GoTomlFile, keys: readonly string[]): (FoundKey & { value: string }) | undefined {
  const found = findKey(file, keys);
  if (found === undefined) return undefined;
  const { value } = found;
  if (typeof value === 'string') return { ...found, value };
  throw syntaxError(file.path, found, `${keys.join('.')} is no string`, 'put the value in quotes');
}

/** The file with one value set: the key keeps the case it has, and every other byte stays as it is. */
export function withKey(file: GoTomlFile, keys: readonly string[], value: TomlScalar): Uint8Array {
  const written = findKey(file, keys)?.keys ?? nearest(file, keys);
  return encodeConfig({ ...file.text, text: setToml(file.text.text, written, value, file.path) });
}

/** The path of a new key, its tables in the case in which they are there. */
function nearest(file: GoTomlFile, keys: readonly string[]): readonly string[] {
  for (let length = keys.length - 1; length > 0; length -= 1) {
    const found = findKey(file, keys.slice(0, length));
    if (found !== undefined) return [...found.keys, ...keys.slice(length)];
  }
  return keys;
}

/** For messages: `"cgroup_manager" in [containers]`. */
export function keyText(keys: readonly string[]): string {
  const table = keys.slice(0, -1).join('.');
  return `${quote(keys.at(-1) ?? '')} ${table === '' ? 'outside of any table' : `in [${table}]`}`;
}

/** Keys at other places, or written otherwise, that look like the one that counts: they do nothing, and nobody says so. */
export function strayKeys(file: GoTomlFile, keys: readonly string[]): readonly FoundKey[] {
  const right = findKey(file, keys)?.keys.join('\n');
  const plain = (name: string): string => name.toLowerCase().replaceAll(/[-_]/g, '');
  const wanted = plain(keys.at(-1) ?? '');
  const search = (prefix: readonly string[]): FoundKey[] =>
    file.document.keys(prefix).flatMap((name) => {
      const path = [...prefix, name];
      const entry = file.document.get(path);
      const own = entry && plain(name) === wanted && path.join('\n') !== right ? [{ ...entry, keys: path }] : [];
      return [...own, ...search(path)];
    });
  return search([]);
}
