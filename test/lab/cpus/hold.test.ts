import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Step } from '../../../src/change/plan.ts';
import { bundle } from './bundle.ts';
import type { HoldOrder } from './hold-program.ts';
import { CpuLab } from './support.ts';

const chosen = process.env.SLICECTL_LAB?.split(',');
const MACHINES = ['v2-262', 'v2-257'].filter((name, at) => chosen?.includes(name) ?? at === 0);

const ALL = '0-3';
const SYSTEM = '0-1';
const PAYLOAD = '2-3';
const DROP_IN = 'zz-slicectl-cpus.conf';
const FOR_ALL = '10-slicectl-cpus.conf';
const text = (section: string, cpus: string): string => `[${section}]\nAllowedCPUs=\nAllowedCPUs=${cpus}\n`;

const FILES = {
  [`/etc/systemd/system/slice.d/${FOR_ALL}`]: text('Slice', SYSTEM),
  [`/etc/systemd/system/pay.slice.d/${DROP_IN}`]: text('Slice', PAYLOAD),
  [`/etc/systemd/system/pay-.slice.d/${FOR_ALL}`]: text('Slice', PAYLOAD),
  [`/etc/systemd/system/init.scope.d/${DROP_IN}`]: text('Scope', SYSTEM),
};

const action = (name: string, parameters: Record<string, unknown>, subject: string): Step => {
  const words = { does: `confine ${subject}`, doesBack: `free ${subject}`, purpose: 'the reservation' };
  return { kind: 'action', action: name, parameters, subjects: [`CPUs of ${subject}`], ...words };
};
const unit = (name: string, after: string): Step =>
  action('cpus.unit', { unit: name, name: 'AllowedCPUs', before: '', after, all: ALL }, name);

const STEPS: readonly Step[] = [
  { kind: 'reload', manager: 'system', purpose: 'the reservation' },
  ...['system.slice', 'user.slice', 'init.scope'].map((name) => unit(name, SYSTEM)),
  action('cpus.later', { before: '', after: SYSTEM, all: ALL }, 'later slices'),
  { kind: 'unit', manager: 'system', unit: 'pay.slice', verb: 'start', purpose: 'the reservation' },
  unit('pay.slice', PAYLOAD),
  {
    kind: 'check',
    check: 'cpus.held',
    expect: { payload: PAYLOAD, except: 'pay.slice' },
    purpose: 'nothing else may run there',
  },
];

describe.each(MACHINES)('CPUs held on %s', (name) => {
  const folder = mkdtempSync(join(tmpdir(), 'slicectl-hold-'));
  let lab: CpuLab;

  const run = async (order: HoldOrder): Promise<string> => {
    const input = JSON.stringify(order);
    const { stdout } = await lab.sh('node /root/hold-program.mjs', { input, timeoutMs: 600_000 });
    return stdout.trim();
  };
  const users = async () => (await lab.masks()).filter(({ kind }) => kind === 'user');
  const masksOf = async (pattern: string): Promise<string> =>
    lab.out(
      `for pid in $(systemctl show -P MainPID ${pattern}); do [ "$pid" = 0 ] || sed -n 's/^Cpus_allowed_list:\\t//p' /proc/$pid/status; done | sort -u`,
    );
  const traces = (): Promise<string> =>
    lab.out(`find /etc/systemd /run/systemd -name '*-slicectl-cpus.conf' -o -name 50-AllowedCPUs.conf | sort`);
  const expectNoGhost = async (): Promise<void> => {
    // A unit that stops makes systemd drop the controller, after which nothing in the kernel explains a narrow mask.
    await lab.out('systemd-run --quiet --wait true; systemctl start systemd-tmpfiles-clean.service');
    const narrow = (await users()).filter(({ allowed }) => allowed.length < 4);
    expect(narrow).toEqual([]);
    expect(await traces()).toBe('');
  };

  beforeAll(async () => {
    const outfile = await bundle('hold-program', folder);
    lab = await CpuLab.open(name, 'hold');
    await lab.push(outfile, '/root/hold-program.mjs');
  }, 900_000);

  afterAll(async () => {
    rmSync(folder, { recursive: true });
    await lab?.down();
  }, 120_000);

  it('are proved narrow, also for slices made before and after, and go back without a ghost', async () => {
    await lab.out('systemd-run --quiet --slice=early.slice --unit=early sleep infinity');
    expect(JSON.parse(await run({ what: 'apply', files: FILES, steps: STEPS }))).toMatchObject({ state: 'applied' });
    await lab.out(`systemd-run --quiet --slice=late.slice --unit=late sleep infinity
      systemd-run --quiet --slice=system-late.slice --unit=deep sleep infinity
      systemd-run --quiet --slice=pay-late.slice --unit=payload sleep infinity`);
    expect(await masksOf('early late deep')).toBe(SYSTEM);
    expect(await masksOf('payload')).toBe(PAYLOAD);
    const proof = JSON.parse(await run({ what: 'prove', unit: 'system.slice', wanted: SYSTEM }));
    expect(proof.findings).toEqual([]);
    expect(JSON.parse(await run({ what: 'undo' }))).toMatchObject({ state: 'undone', problems: [] });
    await expectNoGhost();
  }, 900_000);

  it('go back without a ghost also after a kill in the middle', async () => {
    await run({ what: 'apply', files: FILES, steps: STEPS, killAt: 8 });
    expect(JSON.parse(await run({ what: 'undo' }))).toMatchObject({ problems: [] });
    await expectNoGhost();
  }, 900_000);

  it('are found in the kernel and not in an answer: CPUs that do not exist fail and are taken back', async () => {
    const failed = JSON.parse(await run({ what: 'apply', steps: [unit('system.slice', '0-99')] }));
    expect(failed).toMatchObject({ code: 'E_STEP', data: { code: 'E_NOT_IN_FORCE', undone: true } });
    await lab.out('systemctl daemon-reload');
    await expectNoGhost();
  }, 900_000);
});
