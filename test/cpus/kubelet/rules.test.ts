import { describe, expect, it } from 'vitest';
import { kubeletConflict } from '../../../src/cpus/kubelet/conflict.ts';
import { kubeletRules } from '../../../src/cpus/kubelet/rules.ts';
import { AGREEING, ALL_8, type Change, daemon, factsWith, group, RECORD, wantedWith } from './facts.ts';

const rulesOf = (change: Change) => {
  const facts = factsWith(change);
  return kubeletRules(facts, wantedWith(facts));
};
const kindsOf = (change: Change): string[] => rulesOf(change).map(({ severity, kind }) => `${severity} ${kind}`);
const DB = { ...RECORD, name: 'db.slice', kubelet: false };
const state = (shared: readonly number[], exclusive: readonly number[] = []): typeof AGREEING.state => ({
  path: AGREEING.statePath,
  policy: 'static',
  shared,
  exclusive: exclusive.length === 0 ? [] : [{ pod: 'p1', container: 'c1', cpus: exclusive }],
});
const REFUSED = { isUsable: false, why: 'kubelet 1.30 does not have it: it came with 1.32', cure: 'bring it to 1.33' };

describe('a kubelet that rules the payload CPUs', () => {
  it('breaks no rule where all agrees', () => {
    expect(kindsOf({})).toEqual([]);
  });

  it.each<[string, Change, string[]]>([
    [
      '1: keeps fewer CPUs than the system has',
      { kubelet: { reserved: [0, 1], state: state([2, 3, 6, 7], [4, 5]) } },
      ['breach kubelet-reserved-differs'],
    ],
    [
      '1: keeps payload CPUs too',
      { kubelet: { reserved: [0, 1, 2, 3, 4, 5], state: state([6, 7]) } },
      ['drift kubelet-reserved-differs'],
    ],
    [
      '1: is not told which to keep',
      { kubelet: { reserved: undefined, state: undefined } },
      ['breach kubelet-not-reserved'],
    ],
    ['2: has no static policy', { kubelet: { policy: 'none', state: undefined } }, ['drift kubelet-not-static']],
    [
      '3: lets pods share system CPUs',
      { kubelet: { policyOptions: { 'full-pcpus-only': 'true' }, state: state([0, 1, 2, 3, 6, 7], [4, 5]) } },
      ['drift kubelet-not-strict'],
    ],
    [
      '3: cannot keep pods off system CPUs',
      {
        kubelet: {
          policyOptions: { 'full-pcpus-only': 'true' },
          support: { ...AGREEING.support, 'strict-cpu-reservation': REFUSED },
          state: state([0, 1, 2, 3, 6, 7], [4, 5]),
        },
      },
      ['info kubelet-not-strict'],
    ],
    [
      '4: splits a core between the system and containers',
      {
        kubelet: { reserved: [0, 1, 2, 3, 4], state: state([6, 7], [5]) },
        records: [{ ...RECORD, cpus: [5, 6, 7] }],
        tasks: [],
      },
      ['drift kubelet-split-core'],
    ],
    [
      '4: splits cores between containers',
      { kubelet: { policyOptions: { 'strict-cpu-reservation': 'true' } } },
      ['info kubelet-not-whole-cores'],
    ],
    [
      '5: gave system CPUs to a container',
      { kubelet: { policyOptions: { 'full-pcpus-only': 'true' }, state: state([1, 4, 5, 6, 7, 0, 2], [3]) } },
      ['breach kubelet-exclusive-elsewhere', 'drift kubelet-stale-state', 'drift kubelet-not-strict'],
    ],
    [
      '6: has its pods in a group that is confined',
      { groups: [group('/kubepods.slice', [4, 5], [4, 5])] },
      ['drift kubelet-pods-confined'],
    ],
    ['7: runs outside of the system CPUs', { tasks: [daemon('kubelet', ALL_8)] }, ['breach kubelet-daemon-elsewhere']],
    [
      '7: has a runtime that runs outside of them',
      { tasks: [daemon('crio', [3, 4])] },
      ['breach kubelet-daemon-elsewhere'],
    ],
    ['8: knows CPUs that are offline', { machine: { offline: [7] } }, ['drift kubelet-offline']],
    [
      '8: keeps CPUs that are offline',
      {
        kubelet: { reserved: [0, 1, 2, 3], state: state([4, 5, 6, 7]) },
        machine: { offline: [3] },
        tasks: [],
      },
      ['drift kubelet-offline'],
    ],
    [
      '9: lets pods share CPUs of isolcpus=',
      { machine: { isolated: [6, 7] }, kubelet: { state: state([6, 7], [4, 5]) } },
      ['drift kubelet-isolcpus'],
    ],
  ])('%s', (_, change, kinds) => {
    expect(kindsOf(change)).toEqual(kinds);
  });

  it.each([
    '/system.slice/docker-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.scope/docker',
    '/docker/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef',
    '/kubepods.slice/kubepods-pod4c1f7a52_1b4e_28ba_a000_0123456789ab.slice/cri-containerd-0123456789abcdef.scope',
    '/kubepods/burstable/pod4c1f7a52-1b4e-28ba-a000-0123456789ab/0123456789abcdef',
  ])('7: does not mind a runtime in a container: %s', (cgroup) => {
    expect(kindsOf({ tasks: [{ ...daemon('dockerd', ALL_8), cgroup }] })).toEqual([]);
  });

  it('does not start again on a state that is older than its configuration', () => {
    const none = { path: AGREEING.statePath, policy: 'none', shared: [], exclusive: [] };
    expect(rulesOf({ kubelet: { state: none } })).toMatchObject([
      {
        kind: 'kubelet-stale-state',
        what: 'the kubelet does not start again on this state: it was written with the policy none, and static is configured',
      },
    ]);
    expect(kindsOf({ kubelet: { state: state([2, 3, 6, 7], [4, 5]) } })).toEqual(['drift kubelet-stale-state']);
    expect(rulesOf({ kubelet: { state: state([6], [4, 5]) } })).toMatchObject([
      { what: expect.stringContaining('it is about CPUs 0-6, and CPUs 0-7 are online') },
    ]);
  });

  it('tells of misspelt keys and of files that cannot be read, with their places', () => {
    const misspelt = [{ key: 'reservedCpus', path: '/etc/k.yaml', line: 4 }];
    expect(rulesOf({ kubelet: { misspelt, problems: ['no YAML'] } })).toMatchObject([
      { kind: 'kubelet-unreadable', what: 'no YAML' },
      { kind: 'kubelet-misspelt', subject: '/etc/k.yaml:4' },
    ]);
  });

  it('does not mind cores of one thread', () => {
    const packages = [{ id: 0, cores: ALL_8.map((cpu) => [cpu]) }];
    const kubelet = { policyOptions: { 'strict-cpu-reservation': 'true' } };
    expect(kindsOf({ machine: { packages }, kubelet })).toEqual([]);
  });

  it('has to keep CPUs of isolcpus= and of other reservations for the system', () => {
    const records = [
      { ...RECORD, cpus: [6, 7] },
      { ...DB, cpus: [4] },
    ];
    const kept = { reserved: [0, 1, 2, 3, 4, 5], state: state([6, 7]) };
    const change = { records, machine: { isolated: [5] }, tasks: [] };
    expect(kindsOf({ ...change, kubelet: kept }).filter((kind) => kind.startsWith('breach'))).toEqual([]);
    expect(kindsOf({ ...change, kubelet: { ...kept, reserved: [0, 1, 2, 3], state: state([4, 5, 6, 7]) } })).toEqual([
      'breach kubelet-pods-on-payload',
      'breach kubelet-reserved-differs',
      'drift kubelet-isolcpus',
    ]);
  });

  it('every finding names both sides and a way out', () => {
    const all = rulesOf({
      kubelet: { policyOptions: {}, reserved: [0], state: state([1, 2, 4, 6, 7], [3, 5]) },
      tasks: [daemon('kubelet', ALL_8)],
      groups: [group('/kubepods.slice', [4])],
    });
    expect(all.length).toBeGreaterThan(6);
    for (const { what, cause, cure, subject } of all) expect([what, cause, cure, subject]).not.toContain('');
  });
});

describe('a kubelet beside a reservation that is not its own', () => {
  it('keeps pods off the payload CPUs where it reserves them strictly', () => {
    expect(
      kindsOf({ records: [DB], kubelet: { reserved: [...ALL_8].slice(2), state: state([0, 1]) }, groups: [] }),
    ).toEqual([]);
  });

  it.each<[string, Change['kubelet']]>([
    ['has no static policy', { policy: 'none', state: undefined }],
    ['is not strict', { policyOptions: {}, reserved: ALL_8.slice(2), state: state(ALL_8) }],
    ['does not keep them', { reserved: [0, 1], state: state(ALL_8.slice(2)) }],
  ])('lets pods run there where it %s', (_, kubelet) => {
    expect(kindsOf({ records: [DB], kubelet: kubelet ?? {} })).toEqual(['breach kubelet-pods-on-payload']);
  });
});

describe('without a reservation', () => {
  it('a static policy is said to keep no service off', () => {
    expect(kindsOf({ records: [] })).toEqual(['info kubelet-unshielded']);
  });

  it('nothing is said of other kubelets, nor where there is none', () => {
    expect(kindsOf({ records: [], kubelet: { policy: 'none' } })).toEqual([]);
    const facts = { ...factsWith(), kubelet: undefined };
    expect(kubeletRules(facts, wantedWith(facts))).toEqual([]);
  });
});

describe('a reservation without --kubelet', () => {
  const conflictOf = (change: Change, payload = [6, 7]) =>
    kubeletConflict(factsWith({ records: [], ...change }), payload);

  it('conflicts with a kubelet whose pods may run on its CPUs, and both sets are named', () => {
    expect(conflictOf({ kubelet: { policy: 'none', state: undefined } })?.reason).toBe(
      'pods may run on CPUs 6-7, which the kubelet rules (payload CPUs 6-7, system CPUs 0-5)',
    );
  });

  it('conflicts with a container that has them for itself', () => {
    expect(conflictOf({}, [4, 5])?.reason).toBe(
      'the container c1 of pod p1 has CPUs 4-5 for itself, which the kubelet rules (payload CPUs 4-5, system CPUs 0-3,6-7)',
    );
  });

  it('fits to CPUs that the kubelet reserves strictly, and to a host without a running kubelet', () => {
    expect(conflictOf({}, [2, 3])).toBeUndefined();
    expect(conflictOf({ kubelet: { isRunning: false } })).toBeUndefined();
    expect(kubeletConflict({ ...factsWith({ records: [] }), kubelet: undefined }, [6, 7])).toBeUndefined();
  });
});
