import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SystemdLink } from '../../src/backend/systemd-link.ts';
import type { Step } from '../../src/change/plan.ts';
import { watchOn } from '../../src/cpus/watch-on.ts';
import {
  checkWhileUnit,
  forgetWhileUnit,
  type WhileState,
  whileService,
  whileState,
  whileUnitSteps,
} from '../../src/cpus/while-unit.ts';
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
    expect(text).toContain('BindsTo=machine-qemu\\x2d1\\x2ddb.scope\n');
    // ExecStartPost= of the unit waits for the start of the service.
    expect(text).not.toContain('After=');
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

describe('how that unit stands', () => {
  const stateOf = (rows: readonly Row[], systemState = 'running') =>
    whileState(linkOf({ rows, systemState }), 'a.service');

  it.each<[string, Row[], WhileState]>([
    ['is active', [row('a.service', 'active')], 'runs'],
    ['starts', [row('a.service', 'activating', 'start')], 'runs'],
    ['waits for its start by Restart=', [row('a.service', 'activating')], 'runs'],
    ['goes down to be started again', [row('a.service', 'deactivating', 'restart')], 'runs'],
    ['is down and about to start', [row('a.service', 'inactive', 'start')], 'runs'],
    ['goes down by itself', [row('a.service', 'deactivating')], 'ending'],
    ['is stopped', [row('a.service', 'deactivating', 'stop')], 'ended'],
    ['is about to be stopped', [row('a.service', 'active', 'stop')], 'ended'],
    ['failed', [row('a.service', 'failed')], 'ended'],
    ['is not there', [], 'ended'],
  ])('where it %s', async (_, rows, state) => {
    expect(await stateOf(rows)).toBe(state);
  });

  it('does not matter when the machine stops', async () => {
    expect(await stateOf([row('a.service', 'failed')], 'stopping')).toBe('shutting-down');
  });
});

describe('the service of a unit that goes on', () => {
  const SERVICE = 'slicectl-while-db.service';
  const watch = async (own: Row, unit: Row): Promise<readonly string[]> => {
    const asked: string[] = [];
    await watchOn(linkOf({ rows: [own, unit], asked }), 'db.slice', 'a.service');
    return asked;
  };
  const watched = row(SERVICE, 'deactivating', 'stop', { ActiveEnterTimestampMonotonic: 500n });

  it.each<[string, Row]>([
    ['crashed', row('a.service', 'activating', '', { ActiveExitTimestampMonotonic: 600n })],
    ['failed while it started', row('a.service', 'activating', '', { InactiveEnterTimestampMonotonic: 600n })],
    ['runs again by now', row('a.service', 'active', '', { ActiveExitTimestampMonotonic: 600n })],
  ])('is started again, and nothing with it, where the unit %s', async (_, unit) => {
    expect(await watch(watched, unit)).toEqual([`${SERVICE} ignore-dependencies`]);
  });

  it('stays stopped where it was that which somebody stopped', async () => {
    const down = { ActiveExitTimestampMonotonic: 400n, InactiveEnterTimestampMonotonic: 400n };
    expect(await watch(watched, row('a.service', 'active', '', down))).toEqual([]);
    expect(await watch(watched, row('a.service', 'active'))).toEqual([]);
  });

  it('is left alone by whoever is not its stop command', async () => {
    const crashed = row('a.service', 'activating', '', { ActiveExitTimestampMonotonic: 600n });
    expect(await watch(row(SERVICE, 'active', '', { ActiveEnterTimestampMonotonic: 500n }), crashed)).toEqual([]);
  });
});

type Row = Readonly<Record<string, unknown>> & { readonly name: string };

function row(name: string, activeState: string, jobType = '', times: Readonly<Record<string, bigint>> = {}): Row {
  return { name, activeState, jobType, ...times };
}

/** A systemd that has these units, and writes down which are to be started. */
function linkOf({ rows, systemState = 'running', asked = [] }: Fake): SystemdLink {
  const manager = {
    get: async () => systemState,
    listUnitsByNames: async (names: readonly string[]) => rows.filter(({ name }) => names.includes(name)),
    getUnit: async (name: string) => name,
    getAll: async (name: string) => rows.find((one) => one.name === name),
    startUnit: async (name: string, mode: string) => asked.push(`${name} ${mode}`),
  };
  const persist = async (work: (given: unknown) => unknown) => work({ manager });
  return { persist } as unknown as SystemdLink;
}

interface Fake {
  readonly rows: readonly Row[];
  readonly systemState?: string;
  readonly asked?: string[];
}
