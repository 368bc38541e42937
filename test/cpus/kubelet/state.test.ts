import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type IndexSet, indicesTo, union, without } from '../../../src/core/cpuset.ts';
import { check } from '../../../src/cpus/kubelet/check.ts';
import { type KubeletState, stateFault } from '../../../src/cpus/kubelet/state.ts';
import { forgetStateStep, kubeletActions } from '../../../src/cpus/kubelet/state-action.ts';
import { type Files, makeTree } from '../../drivers/kubelet/node.ts';

const PATH = '/var/lib/kubelet/cpu_manager_state';
const OLD = '{"policyName":"none","defaultCpuSet":"","checksum":1353318690}';
const NEW = '{"policyName":"static","defaultCpuSet":"4-7","checksum":42}';

describe('the action that forgets the state', () => {
  const { action, parameters } = forgetStateStep(PATH);

  function hand(files: Files) {
    const tree = makeTree(files);
    const act = kubeletActions(tree, process.getuid?.() ?? 0)[action];
    if (!act) throw new Error('no such action');
    const at = join(tree.root, PATH);
    return {
      act,
      at,
      text: () => (existsSync(at) ? readFileSync(at, 'utf8') : undefined),
      names: () => readdirSync(dirname(at)),
    };
  }

  it('removes the file, and brings it back over what the kubelet wrote meanwhile', async () => {
    const { act, at, text, names } = hand({ [PATH]: OLD });
    await act.assertAsPlanned(parameters);
    const { mode } = statSync(at);
    const facts = JSON.parse(JSON.stringify(await act.facts(parameters)));
    await act.carryOut(parameters, facts);
    expect(names()).toEqual([]);
    writeFileSync(at, NEW);
    await act.takeBack(parameters, facts);
    expect(text()).toBe(OLD);
    expect(statSync(at).mode).toBe(mode);
    expect(names()).toEqual(['cpu_manager_state']);
  });

  it('takes away what the kubelet wrote where there was none', async () => {
    const { act, at, names } = hand({ '/var/lib/kubelet/config.yaml': '' });
    const facts = await act.facts(parameters);
    await act.carryOut(parameters, facts);
    writeFileSync(at, NEW);
    await act.takeBack(parameters, facts);
    expect(names()).toEqual(['config.yaml']);
  });

  it('may be repeated in both directions', async () => {
    const { act, text, names } = hand({ [PATH]: OLD });
    const facts = await act.facts(parameters);
    await act.carryOut(parameters, facts);
    await act.carryOut(parameters, facts);
    await act.takeBack(parameters, facts);
    await act.takeBack(parameters, facts);
    expect(text()).toBe(OLD);
    expect(names()).toEqual(['cpu_manager_state']);
  });
});

describe('a state', () => {
  const subsets = fc.uniqueArray(fc.nat(15), { maxLength: 16 }).map((set) => [...set].sort((a, b) => a - b));
  const stateOf = (shared: IndexSet, cpus: IndexSet): KubeletState => ({
    path: PATH,
    policy: 'static',
    shared,
    exclusive: cpus.length === 0 ? [] : [{ pod: 'p', container: 'c', cpus }],
  });

  it('that a CPU manager makes with its configuration has no fault, whatever it gave away', () => {
    fc.assert(
      fc.property(subsets, subsets, fc.boolean(), (reserved, wished, isStrict) => {
        const online = indicesTo(15);
        const exclusive = without(wished, reserved);
        const pool = isStrict ? without(online, reserved) : online;
        const state = stateOf(without(pool, exclusive), exclusive);
        expect(stateFault(state, { policy: 'static', isStrict, reserved, online })).toBeUndefined();
      }),
    );
  });

  it.each<[string, IndexSet, IndexSet, boolean, string]>([
    [
      'gave reserved CPUs to a container, strictly now',
      [4, 5, 6, 7],
      [2, 3],
      true,
      'container c of pod p has CPUs 2-3 for itself by it, of which 2-3 are reserved strictly now',
    ],
    [
      'has CPUs of a container among those that pods share',
      [4, 5, 6, 7],
      [6, 7],
      true,
      'container c of pod p has CPUs 6-7 for itself by it, of which pods share 6-7',
    ],
    [
      'has none left that pods share',
      [],
      [4, 5, 6, 7],
      true,
      'containers have CPUs for themselves by it, and none are left that pods share',
    ],
    [
      'has CPUs of a container among those that pods share, not strictly',
      indicesTo(7),
      [6],
      false,
      'container c of pod p has CPUs 6 for itself by it, of which pods share 6',
    ],
  ])('that %s has a fault (validateState)', (_, shared, cpus, isStrict, fault) => {
    const ground = { policy: 'static', isStrict, reserved: [0, 1, 2, 3], online: indicesTo(7) };
    expect(stateFault(stateOf(shared, cpus), ground)).toBe(fault);
  });

  it('without the CPUs that a strict kubelet picked by itself has none', () => {
    const ground = { policy: 'static', isStrict: true, reserved: undefined, online: indicesTo(7) };
    expect(stateFault(stateOf([2, 3, 4, 5], [6, 7]), ground)).toBeUndefined();
    expect(stateFault(stateOf([2, 3, 4, 5], [6, 8]), ground)).toContain('it is about CPUs 2-6,8');
  });

  it('that was made for other CPUs, or strictly where it is not now, has one', () => {
    fc.assert(
      fc.property(subsets, fc.boolean(), (reserved, isStrict) => {
        const online = indicesTo(15);
        fc.pre(reserved.length > 0 && reserved.length < online.length);
        const state = stateOf(isStrict ? without(online, reserved) : online, []);
        const later = { policy: 'static', reserved, online };
        expect(stateFault(state, { ...later, isStrict, online: union(online, [16]) })).toBeDefined();
        expect(stateFault(state, { ...later, isStrict: !isStrict })).toBeDefined();
      }),
    );
  });
});

describe('the check of a kubelet', () => {
  const patience = { stableMs: 2, deadlineMs: 10, pauseMs: 1 };
  const up = { activeState: 'active', subState: 'running', result: 'success', mainPid: 7 };
  const watch = { look: async () => up, healthy: async () => undefined };
  const expectation = { state: PATH, policy: 'static', reserved: '0-3', strict: 'yes' };
  const found = (state: string | undefined, expect: Readonly<Record<string, string>> = expectation) =>
    check(makeTree(state === undefined ? {} : { [PATH]: state }), watch, expect, patience);

  it('is content with a state of the policy that keeps the CPUs', async () => {
    expect(await found(NEW)).toEqual({ ok: true, found: 'the kubelet runs, with the policy static' });
    expect(await found(undefined, { state: PATH })).toEqual({ ok: true, found: 'the kubelet runs' });
    const all = NEW.replace('4-7', '0-7');
    expect((await found(all, { ...expectation, strict: 'no' })).ok).toBe(true);
  });

  it.each<[string, string | undefined, Readonly<Record<string, string>>, string]>([
    ['no state', undefined, expectation, 'has written no state of its CPU manager'],
    ['half a state', '{"pol', expectation, 'has written no state of its CPU manager'],
    ['another policy', OLD, expectation, 'has the policy none'],
    ['CPUs that it should keep', NEW.replace('4-7', '3-7'), expectation, 'lets pods share CPUs 3, which are reserved'],
    ['CPUs away', NEW, { ...expectation, strict: 'no' }, 'does not keep all of CPUs 0-3 for the system'],
  ])('is not content with %s', async (_, state, expect_, text) => {
    const result = await found(state, expect_);
    expect(result.ok).toBe(false);
    expect(result.found).toContain(text);
  });

  const failing = {
    ...up,
    activeState: 'activating',
    subState: 'auto-restart',
    result: 'exit-code',
    mainPid: undefined,
  };

  it('says how a kubelet is that does not stay', async () => {
    const tree = makeTree({ [PATH]: NEW });
    const result = await check(tree, { ...watch, look: async () => failing }, expectation, patience);
    expect(result).toMatchObject({ ok: false, found: expect.stringContaining('activating (auto-restart, exit-code)') });
  });

  it('says so also of one that ends only after a while, and runs when it is looked at last', async () => {
    let looks = 0;
    const look = async () => (++looks % 5 === 0 ? failing : up);
    const result = await check(makeTree({}), { ...watch, look }, expectation, patience);
    expect(result).toEqual({ ok: false, found: 'the kubelet is activating (auto-restart, exit-code)' });
  });
});
