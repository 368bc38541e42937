import { describe, expect, it } from 'vitest';
import type { FileState, Plan } from '../../src/change/plan.ts';
import { planJson, planText } from '../../src/cli/render/change.ts';
import { conflictText, diffText } from '../../src/cli/render/change-diff.ts';
import { visible } from '../../src/cli/render/visible.ts';

const file = (text: string | Uint8Array, mode = 0o644): FileState => ({
  exists: true,
  bytes: typeof text === 'string' ? new TextEncoder().encode(text) : text,
  mode,
  uid: 0,
  gid: 0,
});

const TURN: Plan['steps'][number] = {
  kind: 'action',
  action: 'cpus.unit',
  parameters: { unit: 'system.slice', before: '', after: '0-5' },
  does: 'confine system.slice to CPUs 0-5',
  doesBack: 'give system.slice all CPUs again',
  details: ['AllowedCPUs not set → 0-5'],
  subjects: ['AllowedCPUs of system.slice'],
  purpose: 'system CPUs',
};

const PLAN: Plan = {
  title: 'align cgroup drivers to systemd',
  root: '/',
  steps: [
    {
      kind: 'file',
      path: '/etc/docker/daemon.json',
      target: '/srv/daemon.json',
      before: file('{\n  "password": "secret",\n  "a": 1,\n  "b": 2,\n  "c": 3,\n  "d": 4\n}\n'),
      after: file('{\n  "password": "secret",\n  "a": 1,\n  "b": 2,\n  "c": 3,\n  "d": 5\n}\n'),
      purpose: "Docker's cgroup driver",
    },
    {
      kind: 'unit',
      manager: 'system',
      unit: 'docker.service',
      verb: 'restart',
      reset: ['docker.service', 'docker.socket'],
      purpose: 'that Docker reads it',
    },
    { kind: 'check', check: 'docker-driver', expect: { driver: 'systemd' }, purpose: 'Docker reports systemd' },
  ],
  refusals: [{ reason: 'pods run on this node', hint: 'drain it', override: '--drained' }],
  notes: [{ severity: 'impact', text: '2 containers stop', items: ['web', 'db'] }],
};

describe('a plan for people', () => {
  it('has notes, numbered steps with the difference of each file, and refusals', () => {
    expect(planText(PLAN, { colour: false })).toBe(`align cgroup drivers to systemd

impact: 2 containers stop
  web
  db

 1 write /etc/docker/daemon.json (a link to /srv/daemon.json): Docker's cgroup driver
     @@ -3,5 +3,5 @@
        "a": 1,
        "b": 2,
        "c": 3,
     -  "d": 4
     +  "d": 5
      }
 2 restart docker.service: that Docker reads it
     after resetting the failed state and start limit of docker.service and docker.socket
 3 check that Docker reports systemd

refused: pods run on this node; drain it; --drained allows it
`);
  });

  it('has of an action what it does and what changes', () => {
    expect(planText({ ...PLAN, steps: [TURN], refusals: [], notes: [] }, { colour: false })).toContain(
      ' 1 confine system.slice to CPUs 0-5: system CPUs\n     AllowedCPUs not set → 0-5\n',
    );
  });

  it('does not say that there is nothing to do where it is refused', () => {
    const refusals = [{ reason: 'the file is a template' }];
    const text = planText({ ...PLAN, steps: [], refusals, notes: [] }, { colour: false });
    expect(text).toBe('align cgroup drivers to systemd\n\nrefused: the file is a template\n');
  });

  it('says that there is nothing to do', () => {
    expect(planText({ ...PLAN, steps: [], refusals: [], notes: [] }, { colour: false })).toContain('nothing to do');
  });

  it('lets nothing from a file or a name move the cursor', () => {
    const evil = '\u001b[2Jgone\r\n';
    const [step] = PLAN.steps;
    const plan = { ...PLAN, title: 'a\u001b]0;x', steps: [{ ...step, after: file(evil) } as never] };
    const text = planText(plan, { colour: false });
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f]/);
    expect(text).toContain('+\\u001b[2Jgone^M');
  });

  it('shows a missing end of the last line, a mode, and that a file comes or goes', () => {
    const [step] = PLAN.steps as [Extract<Plan['steps'][number], { kind: 'file' }>];
    const lines = (before: FileState, after: FileState) =>
      planText(
        { ...PLAN, notes: [], refusals: [], steps: [{ ...step, target: step.path, before, after }] },
        { colour: false },
      );
    expect(lines(file('a'), file('a\n'))).toContain('\\ No newline at end of file');
    expect(lines(file('a', 0o644), file('a', 0o600))).toContain('mode 0644 → 0600');
    expect(lines({ exists: false }, file('a\n'))).toContain('create /etc/docker/daemon.json');
    expect(lines({ exists: false }, file('a\n'))).toContain('mode 0644, owner 0:0');
    expect(lines(file('a\n'), { exists: false })).toContain('remove /etc/docker/daemon.json');
  });
});

describe('a plan for programs', () => {
  it('has of a file the difference and not the content, which may be secret', () => {
    const json = planJson(PLAN);
    expect(JSON.stringify(json)).not.toContain('secret');
    expect(json).toMatchObject({
      version: 1,
      title: 'align cgroup drivers to systemd',
      steps: [
        {
          does: 'write /etc/docker/daemon.json',
          kind: 'file',
          target: '/srv/daemon.json',
          before: { exists: true, mode: '0644', uid: 0, gid: 0 },
          diff: expect.stringContaining('-  "d": 4\n+  "d": 5\n'),
        },
        { kind: 'unit', verb: 'restart', reset: ['docker.service', 'docker.socket'] },
        { kind: 'check', expect: { driver: 'systemd' } },
      ],
      refusals: [{ override: '--drained' }],
    });
  });

  it('has all of an action', () => {
    expect(planJson({ ...PLAN, steps: [TURN] }).steps).toEqual([TURN]);
  });

  it('has bytes that are no UTF-8 as Latin-1', () => {
    expect(diffText(file(Uint8Array.from([0xe4, 10])), file(Uint8Array.from([0xf6, 10])))).toContain('-ä\n+ö\n');
  });
});

it('a conflict shows what the change did and what was done since', () => {
  const conflict = { path: '/etc/a', before: file('one\n'), ours: file('two\n'), now: file('three\n', 0o600) };
  expect(conflictText(conflict, false)).toBe(`/etc/a: what the change did
     @@ -1,1 +1,1 @@
     -one
     +two
/etc/a: what was done since
     @@ -1,1 +1,1 @@
     -two
     +three
     mode 0644 → 0600
`);
  expect(conflictText({ ...conflict, now: { exists: false } }, false)).toContain('the file was removed');
});

it('text from outside is shown as it is but for what cannot be seen', () => {
  expect(visible('grüße\tund „mehr“ 容器')).toBe('grüße\tund „mehr“ 容器');
  expect(visible('\u202eabc\u0085')).toBe('\\u202eabc\\u0085');
});
