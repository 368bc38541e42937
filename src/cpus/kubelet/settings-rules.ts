import { type IndexSet, intersection, printIndexSet, without } from '../../core/cpuset.ts';
import type { Finding } from '../finding.ts';
import type { CpuFacts } from '../model.ts';
import { listText } from '../roles.ts';
import { AGREE, finding, type Ground, placeOf, reservedFor } from './ground.ts';
import { isOptionOn } from './read.ts';

export function unreadable({ kubelet: { problems, configPath } }: Ground): Finding[] {
  return problems.map((problem) =>
    finding('unreadable', 'drift', configPath, {
      what: problem,
      cause: 'whether the kubelet agrees with the reservation cannot be said for sure',
      cure: `mend ${configPath}, or the file that is named`,
    }),
  );
}

export function misspelt({ kubelet }: Ground): Finding[] {
  return kubelet.misspelt.map(({ key, path, line }) =>
    finding('misspelt', 'drift', `${path}:${line}`, {
      what: `${key} is no key of a kubelet and reserves nothing`,
      cause: 'the kubelet only warns of it in its log (kubernetes#92585)',
      cure: 'write reservedSystemCPUs',
    }),
  );
}

/** 1: what the kubelet keeps for the system are the system CPUs. */
export function reserved({ kubelet, own, system, facts: { topology } }: Ground): Finding[] {
  const { reserved: found, sources, configPath } = kubelet;
  const subject = placeOf(sources.reservedSystemCPUs, configPath);
  const wanted = reservedFor(topology.online, own);
  const roles = `the payload CPUs are ${listText(own)} and the system CPUs ${listText(system)}`;
  if (found === undefined) {
    return [
      finding('not-reserved', 'breach', subject, {
        what: `reservedSystemCPUs is not set, and ${roles}`,
        cause: 'the kubelet chooses by itself which CPUs the system keeps, and gives the others to containers',
        cure: AGREE,
      }),
    ];
  }
  const missing = without(wanted, found);
  const surplus = intersection(own, found);
  const what = `reservedSystemCPUs is ${listText(found)}; ${roles}`;
  if (missing.length > 0) {
    const cause = `the kubelet may give CPUs ${printIndexSet(missing)} to containers for themselves, and other work runs there`;
    return [finding('reserved-differs', 'breach', subject, { what, cause, cure: AGREE })];
  }
  if (surplus.length === 0) return [];
  const cause = `no container gets CPUs ${printIndexSet(surplus)}, and the system does not run there either`;
  return [finding('reserved-differs', 'drift', subject, { what, cause, cure: AGREE })];
}

/** 2: the policy is static. */
export function policy({ kubelet, isStatic, own }: Ground): Finding[] {
  if (isStatic) return [];
  return [
    finding('not-static', 'drift', placeOf(kubelet.sources.cpuManagerPolicy, kubelet.configPath), {
      what: `cpuManagerPolicy is ${kubelet.policy}, so that no container gets any of the payload CPUs ${listText(own)} for itself`,
      cause: kubelet.sources.cpuManagerPolicy?.text ?? "none is the kubelet's default",
      cure: AGREE,
    }),
  ];
}

/** 3: pods without CPUs of their own stay off the system CPUs. */
export function strict({ kubelet, isStatic, isStrict, system }: Ground): Finding[] {
  if (!isStatic || isStrict) return [];
  const { isUsable, why, cure } = kubelet.support['strict-cpu-reservation'];
  return [
    finding(
      'not-strict',
      isUsable ? 'drift' : 'info',
      placeOf(kubelet.sources.cpuManagerPolicyOptions, kubelet.configPath),
      {
        what: `strict-cpu-reservation is off, so that pods without CPUs of their own run on the system CPUs ${listText(system)} too`,
        cause: isUsable ? "the kubelet shares all CPUs that are nobody's own, the reserved ones too (KEP-4540)" : why,
        cure: isUsable ? AGREE : cure,
      },
    ),
  ];
}

/** 4: no core is split between two containers, or a container and the system. */
export function wholeCores({ kubelet, isStatic, facts: { topology } }: Ground): Finding[] {
  const split = splitCores(topology.cores, kubelet.reserved ?? []);
  const found: Finding[] = [];
  if (split.length > 0) {
    found.push(
      finding('split-core', 'drift', placeOf(kubelet.sources.reservedSystemCPUs, kubelet.configPath), {
        what: `reservedSystemCPUs ${listText(kubelet.reserved ?? [])} splits ${split.length === 1 ? 'the core' : 'the cores'} ${split.map(printIndexSet).join(' and ')}`,
        cause: 'what runs on one thread of a core slows down the other one',
        cure: 'slicectl cpus reserve --whole-cores --kubelet --drained, on the drained node',
      }),
    );
  }
  const hasThreads = topology.cores.some(({ cpus }) => cpus.length > 1);
  if (!isStatic || !hasThreads || isOptionOn(kubelet.policyOptions, 'full-pcpus-only')) return found;
  const { isUsable, why, cure } = kubelet.support['full-pcpus-only'];
  const subject = placeOf(kubelet.sources.cpuManagerPolicyOptions, kubelet.configPath);
  found.push(
    finding('not-whole-cores', 'info', subject, {
      what: 'full-pcpus-only is off, so that two containers may have one thread each of the same core',
      cause: isUsable ? 'the kubelet then gives out threads, not cores' : why,
      cure: isUsable ? AGREE : cure,
    }),
  );
  return found;
}

/** Cores of which a set has some threads and not all; those that are offline do not count. */
export function splitCores(cores: CpuFacts['topology']['cores'], set: IndexSet): readonly IndexSet[] {
  return cores
    .map(({ cpus }) => cpus)
    .filter((cpus) => {
      const part = intersection(cpus, set).length;
      return part > 0 && part < cpus.length;
    });
}
