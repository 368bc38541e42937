import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Step } from '../../src/change/plan.ts';
import { checkWhileUnit, forgetWhileUnit, whileService, whileUnitSteps } from '../../src/cpus/while-unit.ts';
import { openTree } from '../../src/host/root-tree.ts';

const PATH = '/run/systemd/system/slicectl-while-db.service';
const PROGRAM = ['/usr/bin/node', '/opt/my $HOME 100%/main.js'];
const record = { name: 'db.slice', whileUnit: 'machine-qemu\\x2d1\\x2ddb.scope' };

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'slicectl-while-'));
});
afterEach(() => rmSync(root, { recursive: true }));

/** As words: what is done with which unit or file. */
const words = (steps: readonly Step[]): string[] =>
  steps.map((step) =>
    step.kind === 'unit'
      ? `${step.verb} ${step.unit}`
      : step.kind === 'file'
        ? `${step.after.exists ? 'write' : 'remove'} ${step.path}`
        : step.kind,
  );

function carryOut(steps: readonly Step[]): void {
  for (const step of steps) {
    if (step.kind !== 'file' || !step.after.exists) continue;
    mkdirSync(dirname(join(root, step.path)), { recursive: true });
    writeFileSync(join(root, step.path), step.after.bytes);
  }
}

const plan = (more: Partial<typeof record> = {}, isWatching = true): readonly Step[] =>
  whileUnitSteps(openTree(root), { ...record, ...more }, PROGRAM, isWatching);

describe('a reservation that lasts as long as a unit', () => {
  it('has a service that systemd stops with it, whose stop command releases', () => {
    const steps = plan({}, false);
    expect(words(steps)).toEqual([`write ${PATH}`, 'reload', 'start slicectl-while-db.service']);
    carryOut(steps);
    const text = readFileSync(join(root, PATH), 'utf8');
    expect(text).toContain('BindsTo=machine-qemu\\x2d1\\x2ddb.scope\nAfter=machine-qemu\\x2d1\\x2ddb.scope\n');
    const release = '/usr/bin/node "/opt/my $$HOME 100%%/main.js" cpus release db.slice --yes --ended';
    expect(text).toContain(`ExecStop=-${release}\nExecStopPost=${release}\n`);
  });

  it('needs nothing more when it is asked for twice', () => {
    carryOut(plan());
    expect(plan()).toEqual([]);
  });

  it('gets its service back where somebody stopped it', () => {
    carryOut(plan());
    expect(words(plan({}, false))).toEqual(['start slicectl-while-db.service']);
  });

  it('that is to last as long as another unit has its service started anew, which finds that one running', () => {
    carryOut(plan());
    const all = ['reload', 'stop slicectl-while-db.service', 'start slicectl-while-db.service'];
    expect(words(plan({ whileUnit: 'other.service' }))).toEqual([`write ${PATH}`, ...all]);
  });

  it('and does so no more, has no service', () => {
    carryOut(plan());
    const steps = whileUnitSteps(openTree(root), { name: 'db.slice', whileUnit: undefined }, PROGRAM);
    expect(words(steps)).toEqual([`remove ${PATH}`, 'reload', 'stop slicectl-while-db.service']);
  });

  it('released by hand takes the stop command away before the service stops', () => {
    carryOut(plan());
    expect(words(forgetWhileUnit(openTree(root), record))).toEqual([
      `remove ${PATH}`,
      'reload',
      'stop slicectl-while-db.service',
    ]);
  });

  it('released by that stop command does not wait for the service that it is part of', () => {
    carryOut(plan());
    expect(words(forgetWhileUnit(openTree(root), record, true))).toEqual([`remove ${PATH}`]);
  });

  it('leaves nothing to do where there is none', () => {
    expect(forgetWhileUnit(openTree(root), record)).toEqual([]);
  });

  it('has a name that tells of its slice, escapes and all', () => {
    expect(whileService('vm\\x2ddb.slice')).toBe('slicectl-while-vm\\x2ddb.service');
  });
});

describe('the unit of a reservation', () => {
  it.each(['a.scope', 'machine-qemu\\x2d1\\x2ddb.scope', 'foo@1.service'])('may be %s', (unit) => {
    expect(checkWhileUnit(unit)).toBe(unit);
  });

  it.each([
    'a',
    'a.slice',
    'sda.device',
    'foo@.service',
    'a b.scope',
    'a.scope\nExecStart=/bin/x',
    '%n.scope',
    '',
  ])('may not be %j', (unit) => expect(() => checkWhileUnit(unit)).toThrow('is no unit that can end'));
});
