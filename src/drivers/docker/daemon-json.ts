import { posix } from 'node:path';
import { decodeConfig } from '../../core/config-text.ts';
import { quote, SlicectlError } from '../../core/errors.ts';
import { nearest } from '../../core/suggest.ts';
import { ifReadable } from '../../host/readable.ts';
import type { RootTree } from '../../host/root-tree.ts';
import { type JsonDocument, parseJson } from '../formats/json.ts';
import type { Finding } from '../model.ts';
import type { DockerRules } from './rules.ts';

/** dockerd's configuration file as that dockerd reads it. */
export interface DaemonJson {
  readonly path: string;
  /** Named by `--config-file`: then it must exist. */
  readonly explicit: boolean;
  readonly exists: boolean;
  /** Undefined where there is none, and where it has a fault that stops dockerd. */
  readonly document: JsonDocument | undefined;
  /** Why slicectl would not write it back as it is, although dockerd reads it. */
  readonly uneditable: string | undefined;
  readonly findings: readonly Finding[];
}

/** Never throws: what is wrong with the file is among its findings. */
export function readDaemonJson(tree: RootTree, path: string, explicit: boolean, rules: DockerRules): DaemonJson {
  const base = { path, explicit, exists: true, document: undefined, uneditable: undefined };
  try {
    const found = tree.read(path);
    if (found === undefined) return { ...base, exists: false, findings: explicit ? [missing(tree, path)] : [] };
    const { text, findings, uneditable } = decode(found.bytes, path, rules);
    const document = parseJson(text, path, { allowEmpty: rules.empty, allowMore: rules.ignoresMore });
    return { ...base, document, uneditable, findings: [...findings, ...lintText(document, rules)] };
  } catch (error) {
    if (!(error instanceof SlicectlError)) throw error;
    return { ...base, findings: [fileFinding(error, path)] };
  }
}

interface Decoded {
  readonly text: string;
  readonly findings: readonly Finding[];
  readonly uneditable: string | undefined;
}

/** Docker from 23 on takes a byte order mark, and UTF-16 with one; before, only bytes that Go replaces by U+FFFD. */
function decode(bytes: Uint8Array, path: string, rules: DockerRules): Decoded {
  const isUtf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
  if (isUtf16 && rules.bom) {
    const text = new TextDecoder(bytes[0] === 0xff ? 'utf-16le' : 'utf-16be').decode(bytes);
    return { text, findings: [], uneditable: 'it is UTF-16' };
  }
  try {
    const { text, bom } = decodeConfig(bytes, path);
    return { text, findings: bom && !rules.bom ? [bomFinding(path, rules)] : [], uneditable: undefined };
  } catch (error) {
    if (rules.utf8 || isUtf16) throw error;
    return { text: new TextDecoder().decode(bytes), findings: [utf8Finding(path)], uneditable: 'it is not UTF-8' };
  }
}

function lintText(document: JsonDocument, { versions }: DockerRules): Finding[] {
  const { path, more, root } = document;
  const findings: Finding[] = [];
  if (more !== undefined) {
    findings.push({
      severity: 'warning',
      code: 'docker-file-more',
      message: `Docker ${versions} reads only the first value of the file, and from Docker 23 it does not start with more`,
      hint: 'join what is there into one pair of { }',
      path,
      ...more,
    });
  }
  if (root !== undefined && root.type !== 'object' && root.type !== 'null') {
    findings.push({
      severity: 'error',
      code: 'docker-file-type',
      message: `Docker does not start with a file that holds ${root.type === 'array' ? 'a list' : `a ${root.type}`} and no object`,
      hint: 'put the directives between { and }',
      path,
      line: 1,
    });
  }
  return findings;
}

/** A fault of a file as a finding; its place is no part of the message. */
export function fileFinding(error: SlicectlError, path: string): Finding {
  const { line, column } = error.data;
  const place = `${path}:${line}:${column}: `;
  const message = error.message.startsWith(place) ? error.message.slice(place.length) : error.message;
  return {
    severity: 'error',
    code: error.code === 'E_SYNTAX' ? 'docker-file-syntax' : 'docker-file',
    message: error.code === 'E_SYNTAX' ? `Docker cannot read its configuration: ${message}` : message,
    ...(error.hint !== undefined && { hint: error.hint }),
    path,
    ...(typeof line === 'number' && { line }),
    ...(typeof column === 'number' && { column }),
  };
}

/** A default file may be absent, one of `--config-file` may not (moby#45254: deamon.json). */
function missing(tree: RootTree, path: string): Finding {
  const folder = posix.dirname(path);
  const names = ifReadable(() => tree.list(folder)) ?? [];
  const near = nearest(posix.basename(path), names);
  return {
    severity: 'error',
    code: 'docker-config-missing',
    message: `Docker does not start: its --config-file ${quote(path)} does not exist`,
    hint: near === undefined ? 'make the file, or take the option away' : `there is ${posix.join(folder, near)}`,
    path,
  };
}

function bomFinding(path: string, { versions }: DockerRules): Finding {
  return {
    severity: 'error',
    code: 'docker-file-bom',
    message: `Docker ${versions} does not start with a file that begins with a byte order mark`,
    hint: 'save it as UTF-8 without one',
    path,
    line: 1,
    column: 1,
  };
}

function utf8Finding(path: string): Finding {
  return {
    severity: 'warning',
    code: 'docker-file-utf8',
    message: 'the file is not UTF-8, with which Docker 23 and later do not start',
    hint: 'save it as UTF-8',
    path,
  };
}
