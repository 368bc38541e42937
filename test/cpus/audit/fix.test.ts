import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AuditReport } from '../../../src/cpus/audit/audit.ts';
import { planFix } from '../../../src/cpus/audit/fix.ts';
import type { Ghosts } from '../../../src/cpus/audit/ghosts.ts';
import type { Finding } from '../../../src/cpus/finding.ts';
import { recordText } from '../../../src/cpus/record.ts';
import { stepsTo } from '../../../src/cpus/steps.ts';
import { wantedFor } from '../../../src/cpus/want.ts';
import { forgetWhileUnit, whileUnitSteps } from '../../../src/cpus/while-unit.ts';
import { RootTree } from '../../../src/host/root-tree.ts';
import { FakeHost } from '../fake-host.ts';
import { factsOf, recordOf, set, taskOf } from '../ground.ts';

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
});
afterEach(() => host[Symbol.dispose]());

const ground = () => ({ tree: new RootTree(host.root), paths: host.paths });

function reportOf(more: Partial<AuditReport> = {}): AuditReport {
  const facts = more.facts ?? factsOf();
  const wanted = wantedFor(facts, facts.records);
  const { records } = facts;
  const nothing = { findings: [], ghosts: [], whileUnits: [], activity: undefined, holds: [], isClean: true };
  return { facts, wanted, records, ...nothing, ...more };
}

function ghostsOf(unit: string, mask: string, threads: number, isSure = true): Ghosts {
  const tasks = Array.from({ length: threads }, () => taskOf('work', `/${unit}/a.service`, { allowed: set(mask) }));
  return { unit, mask: set(mask), open: set('0-7'), tasks, units: ['a.service', 'b.service'], isSure };
}

const finding = (kind: string, more: Partial<Finding>): Finding => ({
  kind,
  severity: 'drift',
  subject: 'a.slice',
  what: 'it is wrong',
  cause: 'somebody did it',
  cure: '',
  isFixable: false,
  ...more,
});

describe('what audit --fix does', () => {
  it('is nothing where all is as reserved', () => {
    expect(planFix(reportOf(), ground())).toMatchObject({ steps: [], notes: [], refusals: [] });
  });

  it('is what brings the host from what is to what the reservations want', () => {
    const report = reportOf({ facts: factsOf({ records: [recordOf('db.slice', '6-7')] }) });
    const { steps } = planFix(report, ground());
    expect(steps).toEqual(stepsTo(report.facts, report.wanted, ground()));
    expect(steps.some((step) => step.kind === 'action' && step.action === 'cpus.unit')).toBe(true);
  });

  it('widens tasks that were surely left narrow, once for each unit, and then lets systemd forget the cure', () => {
    const ghosts = [
      ghostsOf('system.slice', '0-3', 2),
      ghostsOf('system.slice', '0-1', 1),
      ghostsOf('user.slice', '0-3', 4),
    ];
    const { steps } = planFix(reportOf({ ghosts }), ground());
    expect(steps).toMatchObject([
      {
        action: 'cpus.cure',
        parameters: { unit: 'system.slice', all: '0-7' },
        does: 'widen 3 threads of system.slice that were left narrow',
        details: ['masks 0-3 → 0-7', 'masks 0-1 → 0-7'],
      },
      { action: 'cpus.cure', parameters: { unit: 'user.slice', all: '0-7' } },
      { kind: 'reload' },
    ]);
  });

  it('leaves tasks alone that may have chosen their CPUs themselves', () => {
    expect(planFix(reportOf({ ghosts: [ghostsOf('system.slice', '0-3', 2, false)] }), ground()).steps).toEqual([]);
  });

  it('releases a reservation whose unit has ended, and leaves nothing that watches it', () => {
    const record = recordOf('vm.slice', '6-7', { runtime: true, whileUnit: 'vm.scope' });
    host.write({
      'run/slicectl/reservations/vm.slice.conf': recordText(record),
      'run/systemd/system/slicectl-while-vm.service': '[Unit]\n',
    });
    const facts = factsOf({ records: [record, recordOf('db.slice', '4-5')] });
    const look = { record, unit: 'vm.scope', state: 'ended', watcher: 'stopped' } as const;
    const { steps } = planFix(reportOf({ facts, whileUnits: [look] }), ground());
    const released = wantedFor(facts, [recordOf('db.slice', '4-5')]);
    expect(steps).toEqual([...stepsTo(facts, released, ground()), ...forgetWhileUnit(ground().tree, record)]);
    expect(steps).toContainEqual(
      expect.objectContaining({ kind: 'unit', unit: 'slicectl-while-vm.service', verb: 'stop' }),
    );
    const removed = steps.flatMap((step) => (step.kind === 'file' && !step.after.exists ? [step.path] : []));
    expect(removed).toEqual([
      '/run/slicectl/reservations/vm.slice.conf',
      '/run/systemd/system/slicectl-while-vm.service',
    ]);
  });

  it('has somebody watch again the unit of a reservation before anything else', () => {
    const record = recordOf('vm.slice', '6-7', { runtime: true, whileUnit: 'vm.scope' });
    const look = { record, unit: 'vm.scope', state: 'runs', watcher: 'stopped' } as const;
    const report = reportOf({ facts: factsOf({ records: [record] }), whileUnits: [look] });
    const { steps } = planFix(report, ground());
    const watch = whileUnitSteps(ground().tree, record, report.facts.boot.program, false);
    expect(steps.slice(0, watch.length)).toEqual(watch);
    expect(watch.at(-1)).toMatchObject({ unit: 'slicectl-while-vm.service', verb: 'start' });
  });

  it('leaves a reservation to the service that releases it just now', () => {
    const record = recordOf('vm.slice', '6-7', { runtime: true, whileUnit: 'vm.scope' });
    const look = { record, unit: 'vm.scope', state: 'ended', watcher: 'releases' } as const;
    const report = reportOf({ facts: factsOf({ records: [record] }), whileUnits: [look] });
    expect(planFix(report, ground()).steps).toEqual(stepsTo(report.facts, report.wanted, ground()));
  });

  it('gives CPUs back that the kernel leaked: system CPUs first, payload CPUs after partitions took their own', () => {
    const groups = { version: 2 as const, root: set('0-3,7'), isolated: set('4-6'), groups: [] };
    expect(planFix(reportOf({ facts: factsOf({ groups }) }), ground()).steps).toMatchObject([
      { action: 'cpus.unleak', parameters: { cpus: '4-6', all: '0-7' } },
      { kind: 'reload' },
    ]);
    const facts = factsOf({ groups, records: [recordOf('db.slice', '6-7', { partition: 'isolated' })] });
    const report = reportOf({ facts });
    const { steps } = planFix(report, ground());
    expect(steps).toMatchObject([
      { action: 'cpus.unleak', parameters: { cpus: '4-5' } },
      { kind: 'reload' },
      ...stepsTo(facts, report.wanted, ground()),
      { action: 'cpus.unleak', parameters: { cpus: '6' } },
      { kind: 'reload' },
    ]);
  });

  it('names what is wrong and not mended by it, and nothing else', () => {
    const findings = [
      finding('mended', { isFixable: true }),
      finding('left', { severity: 'breach', subject: 'b.slice', cure: 'stop it' }),
      finding('left-without-cure', {}),
      finding('known', { severity: 'info' }),
      finding('kernel', { severity: 'unmovable' }),
    ];
    expect(planFix(reportOf({ findings }), ground()).notes).toEqual([
      {
        severity: 'warning',
        text: expect.stringContaining('for you to mend'),
        items: ['b.slice: it is wrong; stop it', 'a.slice: it is wrong'],
      },
    ]);
  });
});
