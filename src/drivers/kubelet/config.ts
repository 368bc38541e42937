import { posix } from 'node:path';
import { decodeConfig } from '../../core/config-text.ts';
import { quote, SlicectlError } from '../../core/errors.ts';
import { isAtLeast } from '../../core/program-version.ts';
import { ifReadable } from '../../host/readable.ts';
import type { FoundFile, RootTree } from '../../host/root-tree.ts';
import { parseYaml, type YamlDocument, type YamlFile } from '../formats/yaml.ts';
import type { Finding } from '../model.ts';
import type { ServiceCommand } from '../service/command.ts';
import type { ConfigLayer, KubeletSettings } from './facts.ts';
import { fieldFlags, flagUses } from './settings.ts';

export const UNIT = 'kubelet.service';
export const KIND = 'KubeletConfiguration';
export const API_VERSION = 'kubelet.config.k8s.io/v1beta1';
/** Where kubeadm writes it (cmd/kubeadm/app/constants). */
export const KUBEADM_CONFIG = '/var/lib/kubelet/config.yaml';
const EXTENSION = '.conf';

/** Reads what the kubelet would read: flags, file and drop-ins. Never throws for a bad file. */
export function readSettings(tree: RootTree, command: ServiceCommand, version: string | undefined): KubeletSettings {
  const configPath = lastPath(command, 'config');
  const configDir = lastPath(command, 'config-dir');
  const reader = new Reader(tree);
  if (configPath !== undefined) reader.layer('config', configPath.path);
  if (configDir !== undefined) reader.folder(configDir.path, configDir.written, command, version);
  const flags = fieldFlags(command);
  return {
    flags,
    configDir: reader.configDir,
    layers: reader.layers,
    findings: reader.findings,
    notJoined: reader.notJoined,
  };
}

function lastPath(command: ServiceCommand, flag: string): { path: string; written: string } | undefined {
  const written = flagUses(command, flag).at(-1)?.value;
  return written === undefined || written === '' ? undefined : { path: posix.resolve('/', written), written };
}

class Reader {
  readonly layers: ConfigLayer[] = [];
  readonly findings: Finding[] = [];
  configDir: string | undefined;
  notJoined = false;
  readonly #tree: RootTree;

  constructor(tree: RootTree) {
    this.#tree = tree;
  }

  add(severity: Finding['severity'], code: string, path: string, what: string, hint?: string, at?: Place): void {
    const place = at && { line: at.line, column: at.column };
    this.findings.push({ severity, code, message: `${quote(path)} ${what}`, ...(hint && { hint }), path, ...place });
  }

  folder(path: string, written: string, command: ServiceCommand, version: string | undefined): void {
    const needsVariable = version !== undefined && !isAtLeast(version, '1.30');
    if (version !== undefined && !isAtLeast(version, '1.28')) {
      const what = `is named by --config-dir, which a kubelet ${version} does not know: it does not start`;
      this.add('error', 'kubelet-config-dir', path, what, 'remove the flag');
    } else if (needsVariable && !command.environment.get('KUBELET_CONFIG_DROPIN_DIR_ALPHA')?.value) {
      const what = `is named by --config-dir, for which a kubelet ${version} wants KUBELET_CONFIG_DROPIN_DIR_ALPHA in its environment: it does not start`;
      this.add('error', 'kubelet-config-dir', path, what, 'set the variable in the unit, or remove the flag');
    }
    if (this.#isLink(path, written)) return;
    this.configDir = path;
    for (const file of this.#walk(path)) this.layer('drop-in', file);
  }

  layer(kind: ConfigLayer['kind'], path: string): void {
    const found = this.#read(path);
    if (found === 'unreadable') return;
    if (found === undefined) {
      this.#missing(path);
      return;
    }
    const file = this.#parse(path, found);
    const document = file?.documents[0];
    if (!file || !document || !this.#isConfiguration(file, document)) return;
    for (const { keys, line, column } of document.duplicateKeys()) {
      // Files are decoded strictly, and only that of --config leniently where this fails (kubeletconfig/util/codec).
      const effect = kind === 'config' ? 'the last one counts' : 'with which a kubelet may refuse to start';
      const what = `has ${keys.join('.')} more than once; ${effect}`;
      this.add('warning', 'kubelet-duplicate-key', path, what, 'keep one of them', { line, column });
    }
    this.layers.push({ kind, path, file, mtimeMs: found.mtimeMs });
  }

  /** A node that has not joined its cluster is no fault: its kubelet waits for kubeadm's file. */
  #missing(path: string): void {
    if (path === KUBEADM_CONFIG) {
      this.notJoined = true;
      const hint = 'kubeadm init or kubeadm join writes it';
      this.add('warning', 'kubelet-not-joined', path, 'is not there, and the kubelet does not start without it', hint);
    } else {
      this.add('error', 'kubelet-no-config', path, 'is not there, and the kubelet does not start without it');
    }
  }

  #read(path: string): FoundFile | undefined | 'unreadable' {
    try {
      return this.#tree.read(path);
    } catch (error) {
      this.#fault('kubelet-unreadable', path, error);
      return 'unreadable';
    }
  }

  #parse(path: string, { bytes }: FoundFile): YamlFile | undefined {
    try {
      return parseYaml(decodeConfig(bytes, path).text, path);
    } catch (error) {
      this.#fault('kubelet-syntax', path, error);
      return undefined;
    }
  }

  #fault(code: string, path: string, error: unknown): void {
    if (!(error instanceof SlicectlError)) throw error;
    const { line, column } = error.data;
    const at = typeof line === 'number' && typeof column === 'number' ? { line, column } : {};
    const { message, hint } = error;
    this.findings.push({ severity: 'error', code, message, ...(hint && { hint }), path, ...at });
  }

  /** Whether the first document is one that a kubelet takes; it reads no other (sigs.k8s.io/yaml). */
  #isConfiguration({ path, documents }: YamlFile, first: YamlDocument): boolean {
    const kind = first.get(['kind'])?.value;
    const apiVersion = first.get(['apiVersion'])?.value;
    if (kind === KIND && apiVersion === API_VERSION) return this.#hasKnownTypes(path, first);
    const later = documents.find((document) => document.get(['kind'])?.value === KIND);
    if (later !== undefined && later !== first) {
      const what = `has its ${KIND} in a later document, and a kubelet reads the first one only: it does not start`;
      this.add('error', 'kubelet-first-document', path, what, 'give the kubelet a file of its own', later);
      return false;
    }
    if (first.get(['spec', 'kubeletConfig']) !== undefined || kind === 'KubeletConfig') {
      const what = `is a ${show(kind)} of ${show(apiVersion)}, an object of the cluster, and no file of a kubelet's`;
      const hint = 'give it to the cluster with oc apply; the machine config operator writes the file of the kubelet';
      this.add('error', 'kubelet-wrong-kind', path, what, hint, first);
      return false;
    }
    const isMapping = typeof first.value === 'object' && first.value !== null && !Array.isArray(first.value);
    const what = isMapping
      ? `has kind ${show(kind)} and apiVersion ${show(apiVersion)}, with which the kubelet does not start`
      : 'is no mapping of keys, so that the kubelet does not start';
    const hint = `a kubelet's file has kind: ${KIND} and apiVersion: ${API_VERSION}`;
    this.add('error', 'kubelet-wrong-kind', path, what, hint, first);
    return false;
  }

  #hasKnownTypes(path: string, document: YamlDocument): boolean {
    const driver = document.get(['cgroupDriver']);
    if (driver !== undefined && driver.value !== null && typeof driver.value !== 'string') {
      const what = 'has a cgroupDriver that is no text, so that the kubelet does not start';
      this.add('error', 'kubelet-wrong-type', path, what, 'write systemd or cgroupfs', driver);
    }
    return true;
  }

  /** filepath.WalkDir follows no link, unless a slash ends the path: it finds nothing then, and no fault. */
  #isLink(folder: string, written: string): boolean {
    if (written.endsWith('/') || ifReadable(() => this.#tree.link(folder)) === undefined) return false;
    const what = 'is a link, which the kubelet does not follow: it reads no drop-in';
    this.add('warning', 'kubelet-linked-folder', folder, what, 'name the folder itself in --config-dir');
    return true;
  }

  /** Files below the folder, as filepath.WalkDir goes: folders within too, links to folders not. */
  #walk(folder: string): string[] {
    try {
      if (this.#tree.kind(folder) !== 'folder') {
        this.add('error', 'kubelet-no-config', folder, 'is no folder, and --config-dir names it');
        return [];
      }
      return this.#tree.list(folder).flatMap((name) => {
        const path = posix.join(folder, name);
        if (this.#tree.link(path) === undefined && this.#tree.kind(path) === 'folder') return this.#walk(path);
        return name.endsWith(EXTENSION) ? [path] : [];
      });
    } catch (error) {
      this.#fault('kubelet-unreadable', folder, error);
      return [];
    }
  }
}

interface Place {
  readonly line: number;
  readonly column: number;
}

function show(value: unknown): string {
  return typeof value === 'string' ? quote(value) : value === undefined ? 'none' : quote(JSON.stringify(value));
}
