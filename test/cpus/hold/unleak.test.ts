import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { type IndexSet, indexSetFromBytes, printIndexSet } from '../../../src/core/cpuset.ts';
import type { HoldHost } from '../../../src/cpus/hold/host.ts';
import { asking, leakedCpus } from '../../../src/cpus/hold/partition.ts';
import { unleakAction } from '../../../src/cpus/hold/unleak.ts';
import { describeWithBus } from '../../fake/daemon.ts';
import { ReservedHost } from '../reserved-host.ts';

const SCRATCH = 'slicectl_unleak.slice';
const PARAMETERS = { cpus: '4-5', all: '0-7' };
/** One that a killed step left would keep the CPUs, or be in the way. */
const BEFORE = [`stop ${SCRATCH}`];

/** A host that leaked 4-5. Its kernel gives them back to a partition that is dissolved, unless a group asks for them. */
class LeakingHost {
  readonly told: string[] = [];
  readonly #host: ReservedHost;

  constructor(host: ReservedHost, hasPartitions = true) {
    this.#host = host;
    host.files.write({ 'sys/fs/cgroup/cpuset.cpus.effective': '0-3,6-7\n' });
    const folder = `${host.paths.sys}/fs/cgroup`;
    host.systemd.fake.behaviour.onCall = ({ member, body }) => {
      const [unit] = body as [string];
      if (member === 'SetUnitProperties') {
        const [, , [[, variant]]] = body as [string, boolean, [[string, { readonly value: Uint8Array }]]];
        const set = printIndexSet(indexSetFromBytes(variant.value));
        this.told.push(`${unit} ${set}`);
        host.group(unit, set);
      }
      if (member === 'StartTransientUnit') {
        this.told.push(`make ${unit}`);
        mkdirSync(`${folder}/${SCRATCH}`);
        if (hasPartitions) writeFileSync(`${folder}/${SCRATCH}/cpuset.cpus.partition`, 'member\n');
      }
      if (member === 'StopUnit') {
        this.told.push(`stop ${unit}`);
        const isMade = this.told.includes(`make ${unit}`);
        if (isMade && hasPartitions && asking(this.at, [4, 5]).length === 0)
          host.files.write({ 'sys/fs/cgroup/cpuset.cpus.effective': '0-7\n' });
      }
    };
  }

  get at(): HoldHost {
    return { paths: this.#host.paths, tree: this.#host.tree, link: this.#host.system };
  }

  /** Those that nobody has. */
  get lost(): IndexSet {
    return leakedCpus(this.at);
  }

  async giveBack(): Promise<void> {
    const action = unleakAction(this.at);
    await action.carryOut(PARAMETERS, await action.facts(PARAMETERS));
  }

  asked(name: string): string {
    return readFileSync(`${this.#host.paths.sys}/fs/cgroup/${name}/cpuset.cpus`, 'utf8').trim();
  }
}

describeWithBus('CPUs that the kernel keeps to nobody', () => {
  it('go through a partition, while units that ask for them leave them out, and these have what they had again', async () => {
    await using host = await ReservedHost.open();
    host.group('system.slice', '0-1,4-5').unit('system.slice', '0-1,4-5');
    const leaking = new LeakingHost(host);
    await leaking.giveBack();
    expect(leaking.told).toEqual([
      'system.slice 0-1',
      ...BEFORE,
      `make ${SCRATCH}`,
      `stop ${SCRATCH}`,
      'system.slice 0-1,4-5',
    ]);
    expect(leaking.lost).toEqual([]);
  });

  it('leave units what they had where the kernel refuses the partition', async () => {
    await using host = await ReservedHost.open();
    host.group('system.slice', '0-5').unit('system.slice', '0-5');
    const leaking = new LeakingHost(host, false);
    await expect(leaking.giveBack()).rejects.toMatchObject({ code: 'E_NOT_IN_FORCE' });
    expect(leaking.asked('system.slice')).toBe('0-5');
    expect(leaking.lost).toEqual([4, 5]);
  });

  it('are asked for by top-level groups of any maker', async () => {
    await using host = await ReservedHost.open();
    host.group('system.slice', '0-5').group('docker', '4').group('db.slice', '6').group('system.slice/a.service', '5');
    expect(asking(host, [4, 5]).map(({ path }) => path)).toEqual(['/docker', '/system.slice']);
  });

  it('are not taken from a partition, nor from a unit that has no others', async () => {
    await using host = await ReservedHost.open();
    host.group('db.slice', '4-7').unit('db.slice', '4-7').group('vm.slice', '5').unit('vm.slice', '5');
    host.files.write({ 'sys/fs/cgroup/db.slice/cpuset.cpus.partition': 'isolated invalid (Cpu list not exclusive)\n' });
    expect(await unleakAction(new LeakingHost(host).at).facts(PARAMETERS)).toEqual({ lenders: [] });
  });

  it('are left to all when the step is taken back, and a unit that a killed step left without them has them', async () => {
    await using host = await ReservedHost.open();
    host.group('system.slice', '0-5').unit('system.slice', '0-5').group('user.slice', '0-5').unit('user.slice', '0-5');
    const leaking = new LeakingHost(host);
    const action = unleakAction(leaking.at);
    const facts = await action.facts(PARAMETERS);
    host.group('system.slice', '0-3').unit('system.slice', '0-3').unit('user.slice', '0-4');
    await action.takeBack(PARAMETERS, facts);
    expect(leaking.told).toEqual([...BEFORE, 'system.slice 0-5']);
  });

  it('are no matter of anybody where nothing is lost any more', async () => {
    await using host = await ReservedHost.open();
    const leaking = new LeakingHost(host);
    host.files.write({ 'sys/fs/cgroup/cpuset.cpus.effective': '0-7\n' });
    await leaking.giveBack();
    expect(leaking.told).toEqual([]);
  });
});
