import { parseKernelList, parseSystemdList } from '../core/cpu-list.ts';
import type { IndexSet } from '../core/cpuset.ts';
import { SlicectlError } from '../core/errors.ts';
import { readIfThere } from './files.ts';
import type { HostPaths } from './paths.ts';

/** A boot parameter that names CPUs, as written; what the kernel made of it is in {@link Topology}. */
export interface BootSet {
  readonly cpus: IndexSet;
  /** Words before the list of `isolcpus=`: `managed_irq`, `domain`, `nohz`, and whatever patched kernels know. */
  readonly flags: readonly string[];
  readonly text: string;
}

/** What was asked for at boot about CPUs (Documentation/admin-guide/kernel-parameters.txt). */
export interface KernelLine {
  readonly isolcpus: BootSet | undefined;
  readonly nohzFull: BootSet | undefined;
  readonly rcuNocbs: BootSet | undefined;
  readonly irqaffinity: BootSet | undefined;
  readonly kthreadCpus: BootSet | undefined;
  /** What PID 1 and all that it starts may run on (`systemd.cpu_affinity=`). */
  readonly systemdCpuAffinity: BootSet | undefined;
  readonly maxcpus: number | undefined;
  /** No second threads: `nosmt`, or `nosmt=force`, which cannot be taken back before the next boot. */
  readonly nosmt: 'on' | 'force' | undefined;
  /** As written; 256 and later ignore a no. */
  readonly unifiedCgroupHierarchy: string | undefined;
  /** Parameters with a list that cannot be read; the kernel ignores them. One sentence each. */
  readonly problems: readonly string[];
}

const SETS = {
  isolcpus: 'isolcpus',
  nohzFull: 'nohz_full',
  rcuNocbs: 'rcu_nocbs',
  irqaffinity: 'irqaffinity',
  kthreadCpus: 'kthread_cpus',
  systemdCpuAffinity: 'systemd.cpu_affinity',
} as const;

type SetName = keyof typeof SETS;

/** `last` is the highest possible CPU, which `N` and `all` mean. */
export function readKernelLine(paths: HostPaths, last: number): KernelLine {
  return parseKernelLine(readIfThere(`${paths.proc}/cmdline`) ?? '', last);
}

/** The last one of a parameter that is there twice counts. */
export function parseKernelLine(text: string, last: number): KernelLine {
  const values = parametersOf(text);
  const problems: string[] = [];
  const setOf = (name: SetName): BootSet | undefined => {
    const value = values.get(SETS[name]);
    if (value === undefined || value === '') return undefined;
    try {
      return parseBootSet(name, value, last);
    } catch (error) {
      if (!(error instanceof SlicectlError)) throw error;
      problems.push(error.message);
      return undefined;
    }
  };
  const nosmt = values.get('nosmt');
  const maxcpus = values.get('maxcpus');
  return {
    isolcpus: setOf('isolcpus'),
    nohzFull: setOf('nohzFull'),
    rcuNocbs: setOf('rcuNocbs'),
    irqaffinity: setOf('irqaffinity'),
    kthreadCpus: setOf('kthreadCpus'),
    systemdCpuAffinity: setOf('systemdCpuAffinity'),
    maxcpus: maxcpus !== undefined && /^\d+$/.test(maxcpus) ? Number(maxcpus) : undefined,
    nosmt: nosmt === undefined ? undefined : nosmt === 'force' ? 'force' : 'on',
    unifiedCgroupHierarchy: values.get('systemd.unified_cgroup_hierarchy'),
    problems,
  };
}

function parseBootSet(name: SetName, text: string, last: number): BootSet {
  if (name === 'systemdCpuAffinity') return { cpus: parseSystemdList(text, SETS[name]), flags: [], text };
  // housekeeping_isolcpus_setup (kernel/sched/isolation.c) reads words of letters and underscores with a comma behind.
  const [head = ''] = (name === 'isolcpus' && /^(?:[a-z_]+,)*/i.exec(text)) || [];
  const flags = head.split(',').filter((flag) => flag !== '');
  return { cpus: parseKernelList(text.slice(head.length), SETS[name], last), flags, text };
}

/** Names with underscores for dashes, as the kernel compares them (parameq); what is behind ` -- ` is for init. */
function parametersOf(text: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [word] of text.matchAll(/(?:"[^"]*"?|[^\s"])+/g)) {
    if (word === '--') break;
    const [, name = '', value = ''] = /^"?([^=]*)(?:=(.*))?$/s.exec(word) ?? [];
    found.set(name.replaceAll('-', '_').replaceAll('"', ''), value.replaceAll('"', ''));
  }
  return found;
}
