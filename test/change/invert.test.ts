import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeStep } from '../../src/change/describe.ts';
import { invert } from '../../src/change/invert.ts';
import type { Step, UnitStep } from '../../src/change/plan.ts';
import type { StepFacts } from '../../src/change/progress.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

const state = (text: string | undefined) =>
  text === undefined
    ? ({ exists: false } as const)
    : { exists: true as const, bytes: bytes(text), mode: 0o644, uid: 0, gid: 0 };

function write(path: string, before: string | undefined, after: string | undefined): Step {
  return { kind: 'file', path, target: path, before: state(before), after: state(after), purpose: path };
}

function job(verb: UnitStep['verb'], unit: string, reset?: readonly string[]): Step {
  return { kind: 'unit', manager: 'system', unit, verb, ...(reset && { reset }), purpose: unit };
}

const reload: Step = { kind: 'reload', manager: 'system', purpose: 'units' };

function check(unit: string): Step {
  return {
    kind: 'check',
    check: `${unit}-driver`,
    expect: { driver: 'systemd' },
    expectBefore: { driver: 'cgroupfs' },
    purpose: unit,
    purposeBefore: `${unit} has cgroupfs`,
  };
}

/** What the way back does, in words, after the first `count` steps were begun with units in these states. */
function wayBack(
  steps: readonly Step[],
  count = steps.length,
  states: readonly string[] = [],
  fresh: readonly number[] = [],
): string[] {
  const begun = new Map<number, StepFacts>();
  for (const [number, step] of steps.slice(0, count).entries()) {
    begun.set(number, step.kind === 'unit' ? { activeState: states[number] ?? 'active' } : {});
  }
  return invert(steps, { begun, fresh: new Set(fresh) }).map(({ step }) =>
    step.kind === 'unit' && step.reset ? `${describeStep(step)} (${step.reset.join(' ')})` : describeStep(step),
  );
}

const NODE: readonly Step[] = [
  job('stop', 'kubelet'),
  write('/etc/docker/daemon.json', 'a', 'b'),
  reload,
  job('restart', 'docker.service', ['docker.service', 'docker.socket']),
  check('docker'),
  job('start', 'kubelet'),
  check('kubelet'),
];
const KUBELET_STOPPED = ['active', '', '', 'active', '', 'inactive'];

describe('the way back', () => {
  it('of a whole node: kubelet stops, the file goes back, Docker reads it, and then the kubelet starts', () => {
    expect(wayBack(NODE, 7, KUBELET_STOPPED)).toEqual([
      'stop kubelet',
      'write /etc/docker/daemon.json',
      'reload systemd',
      'restart docker.service (docker.service docker.socket)',
      'check that docker has cgroupfs',
      'start kubelet (kubelet)',
      'check that kubelet has cgroupfs',
    ]);
  });

  it('of a node whose kubelet did not run before leaves it stopped', () => {
    expect(
      wayBack(NODE, 7, ['inactive', '', '', 'active', '', 'inactive']).filter((line) => /kubelet/.test(line)),
    ).toEqual(['stop kubelet', 'check that kubelet has cgroupfs']);
  });

  it.each([
    [0, []],
    [1, ['check that docker', 'start kubelet', 'check that kubelet']],
    [2, ['write /etc', 'reload', 'check that docker', 'start kubelet', 'check that kubelet']],
    [4, ['write /etc', 'reload', 'restart docker', 'check that docker', 'start kubelet', 'check that kubelet']],
  ])('after %i steps is %j', (count, begin) => {
    const lines = wayBack(NODE, count, KUBELET_STOPPED);
    expect(lines).toHaveLength(begin.length);
    for (const [at, line] of lines.entries()) expect(line.startsWith(begin[at] ?? '')).toBe(true);
  });

  it('restarts a unit that was started since with the new files, though the change never came to it', () => {
    expect(wayBack(NODE, 2, KUBELET_STOPPED, [3])).toContain('restart docker.service (docker.service docker.socket)');
    expect(wayBack(NODE, 2, KUBELET_STOPPED, [5])[0]).toBe('stop kubelet');
  });

  it('stops units in the order in which the change did: a socket before its service', () => {
    const steps = [
      job('stop', 'docker.socket'),
      job('stop', 'docker.service'),
      write('/a', 'a', 'b'),
      job('start', 'docker.service'),
      job('start', 'docker.socket'),
    ];
    expect(wayBack(steps, 5, ['active', 'active', '', 'inactive', 'inactive'])).toEqual([
      'stop docker.socket',
      'stop docker.service',
      'write /a',
      'start docker.service (docker.service)',
      'start docker.socket (docker.socket)',
    ]);
  });

  it('starts again what the change only stopped, after all else and before the last checks', () => {
    const steps = [job('stop', 'a'), job('stop', 'b'), write('/a', 'a', 'b'), job('restart', 'c'), check('c')];
    expect(wayBack(steps)).toEqual([
      'write /a',
      'restart c (c)',
      'start b (b)',
      'start a (a)',
      'check that c has cgroupfs',
    ]);
  });

  it('stops what the change brought up, and does not bring it up again', () => {
    expect(wayBack([write('/a', undefined, 'b'), job('restart', 'new')], 2, ['', 'inactive'])).toEqual([
      'stop new',
      'remove /a',
    ]);
    expect(wayBack([write('/a', undefined, 'b'), job('start', 'new')], 2, ['', 'failed'])).toEqual([
      'stop new',
      'remove /a',
    ]);
    expect(wayBack([write('/a', undefined, 'b'), job('start', 'new')], 2, ['', 'active'])).toEqual(['remove /a']);
  });

  it('reloads systemd once, though it was never reloaded for the new files: a boot does that too', () => {
    expect(wayBack([write('/a', 'a', 'b'), reload, write('/b', 'a', 'b'), reload], 1)).toEqual([
      'write /a',
      'reload systemd',
    ]);
  });

  it('is nothing where only checks and resets were begun', () => {
    const reset: Step = { kind: 'reset-failed', manager: 'system', unit: 'a', purpose: 'a' };
    expect(wayBack([reset, check('a'), write('/a', 'a', 'b')], 2)).toEqual([]);
  });
});

/** Files, and units that run with the files that they read last. */
interface Host {
  readonly files: Map<string, string>;
  readonly units: Map<string, { runs: boolean; config: string }>;
}

const PATHS = ['/a', '/b', '/c'];
const UNITS = ['x', 'y', 'z'];
const everything = (files: ReadonlyMap<string, string>): string =>
  PATHS.map((path) => files.get(path) ?? '-').join('|');

function act(host: Host, step: Step): void {
  if (step.kind === 'file') {
    if (step.after.exists) host.files.set(step.path, new TextDecoder().decode(step.after.bytes));
    else host.files.delete(step.path);
  }
  if (step.kind !== 'unit') return;
  const unit = host.units.get(step.unit) ?? { runs: false, config: '' };
  const config = everything(host.files);
  if (step.verb === 'stop') host.units.set(step.unit, { ...unit, runs: false });
  else if (step.verb === 'restart' || (step.verb === 'start' && !unit.runs))
    host.units.set(step.unit, { runs: true, config });
  else if (step.verb === 'reload' && unit.runs) host.units.set(step.unit, { runs: true, config });
}

/** Any list of writes and jobs, as makers of plans make them: what a step finds before it is so at its place. */
const anyPlan = fc
  .tuple(
    fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
    fc.array(
      fc.oneof(
        fc.record({
          path: fc.constantFrom(...PATHS),
          text: fc.option(fc.constantFrom('1', '2', '3'), { nil: undefined }),
        }),
        fc.record({
          unit: fc.constantFrom(...UNITS),
          verb: fc.constantFrom('start', 'stop', 'restart', 'reload' as const),
        }),
      ),
      { maxLength: 12 },
    ),
  )
  .map(([running, moves]) => {
    const files = new Map([['/a', '0']]);
    const steps = moves.flatMap((move): Step[] => {
      if (!('path' in move)) return [job(move.verb as UnitStep['verb'], move.unit)];
      const before = files.get(move.path);
      if (before === move.text) return [];
      if (move.text === undefined) files.delete(move.path);
      else files.set(move.path, move.text);
      return [write(move.path, before, move.text)];
    });
    return { running, steps };
  });

it('from any point of any plan, all files are as before, and what runs ran before and runs with nothing newer', () => {
  fc.assert(
    fc.property(anyPlan, fc.nat(), ({ running, steps }, stop) => {
      const files = new Map([['/a', '0']]);
      const old = everything(files);
      const host: Host = {
        files,
        units: new Map(UNITS.map((unit, at) => [unit, { runs: running[at] ?? false, config: old }])),
      };
      const count = stop % (steps.length + 1);
      const begun = new Map<number, StepFacts>();
      for (const [number, step] of steps.slice(0, count).entries()) {
        const runs = step.kind === 'unit' && host.units.get(step.unit)?.runs;
        begun.set(number, step.kind === 'unit' ? { activeState: runs ? 'active' : 'inactive' } : {});
        act(host, step);
      }
      for (const { step } of invert(steps, { begun, fresh: new Set() })) act(host, step);
      expect(everything(host.files)).toBe(old);
      for (const [at, unit] of UNITS.entries()) {
        const { runs, config } = host.units.get(unit) ?? { runs: false, config: '' };
        expect(runs).toBe(running[at]);
        if (runs) expect(config).toBe(old);
      }
    }),
    { numRuns: 1000 },
  );
});
