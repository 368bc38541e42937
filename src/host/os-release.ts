import { ifReadable } from './readable.ts';
import type { RootTree } from './root-tree.ts';

/** What os-release(5) says of the system in a tree. Texts are as they are written there, lower case by convention. */
export interface OsRelease {
  /** `debian`, `fedora`, `bottlerocket`; `linux` where the file does not say, as os-release(5) has it. */
  readonly id: string;
  /** Systems that this one is like, nearest first. */
  readonly idLike: readonly string[];
  readonly versionId: string | undefined;
  /** `coreos`, `silverblue`, `server`. */
  readonly variantId: string | undefined;
  /** `Debian GNU/Linux 12 (bookworm)`. */
  readonly prettyName: string | undefined;
  /** The file that says so. */
  readonly path: string;
}

/** Undefined where there is no such file, or none that can be read. */
export function readOsRelease(tree: RootTree): OsRelease | undefined {
  for (const path of ['/etc/os-release', '/usr/lib/os-release']) {
    const text = ifReadable(() => tree.text(path));
    if (text === undefined) continue;
    const values = assignments(text);
    return {
      id: values.get('ID') || 'linux',
      idLike: (values.get('ID_LIKE') ?? '').split(/\s+/).filter(Boolean),
      versionId: values.get('VERSION_ID'),
      variantId: values.get('VARIANT_ID'),
      prettyName: values.get('PRETTY_NAME'),
      path,
    };
  }
  return undefined;
}

/** `NAME=value` with the shell's quotes and escapes; a later line wins. */
function assignments(text: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, name, raw] = /^\s*([A-Za-z0-9_]+)=(.*?)\s*$/.exec(line) ?? [];
    if (name !== undefined && raw !== undefined) values.set(name, unquote(raw));
  }
  return values;
}

function unquote(raw: string): string {
  if (raw.length > 1 && raw.startsWith("'") && raw.endsWith("'")) return raw.slice(1, -1);
  const inner = raw.length > 1 && raw.startsWith('"') && raw.endsWith('"') ? raw.slice(1, -1) : raw;
  return inner.replace(/\\(.)/g, '$1');
}
