import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname } from 'node:path';
import type { GroupRequest } from '../../src/backend/backend.ts';
import { type LimitsInput, limits } from '../../src/core/limits.ts';
import type { Membership } from '../../src/host/cgroups.ts';
import type { HostPaths } from '../../src/host/paths.ts';

/** A folder that looks like a host to those who only read: files by their path below it. */
export interface FakeHost {
  readonly root: string;
  readonly paths: HostPaths;
  write(files: Readonly<Record<string, string>>): void;
  close(): void;
}

const STAT = `1 (node) S ${Array.from({ length: 30 }, (_, at) => at).join(' ')}\n`;

export function fakeHost(files: Readonly<Record<string, string>>): FakeHost {
  const root = mkdtempSync(`${tmpdir()}/slicectl-host-`);
  const write = (all: Readonly<Record<string, string>>) => {
    for (const [path, text] of Object.entries(all)) {
      mkdirSync(dirname(`${root}/${path}`), { recursive: true });
      writeFileSync(`${root}/${path}`, text);
    }
  };
  write({ 'proc/self/stat': STAT, ...files });
  return {
    root,
    paths: { proc: `${root}/proc`, sys: `${root}/sys`, etc: `${root}/etc`, run: `${root}/run` },
    write,
    close: () => rmSync(root, { recursive: true }),
  };
}

export const OWNER = { pid: 42, startTime: 1000n, pidNamespace: 7n };

export function v2Member(path: string): Membership {
  return { v2: path, v1: new Map() };
}

export function request(input: LimitsInput = {}, more: Partial<GroupRequest> = {}): GroupRequest {
  return {
    limits: limits(input, { memory: 2n ** 34n, tasks: 32768n, pageSize: 4096n }),
    slice: undefined,
    sliceInherit: false,
    unit: undefined,
    description: 'test',
    bestEffort: false,
    ...more,
  };
}
