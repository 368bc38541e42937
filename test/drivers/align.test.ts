import { describe, expect, it } from 'vitest';
import type { Refusal, Step } from '../../src/change/plan.ts';
import { planAlign } from '../../src/drivers/align.ts';
import type { AlignRequest, DriverHost, RuntimeName, RuntimePlan } from '../../src/drivers/model.ts';
import type { Instance } from '../../src/drivers/runtimes.ts';
import { RootTree } from '../../src/host/root-tree.ts';
import { row } from './rows.ts';

const REQUEST: AlignRequest = { to: 'systemd', liveRestore: false, allowed: new Set() };
const SELF = { uid: 0, env: {}, cwd: '/', parentPid: 1 };
const HOST: DriverHost = {
  tree: new RootTree('/'),
  live: { paths: { proc: '/proc', sys: '/sys', etc: '/etc', run: '/run' }, system: undefined, user: undefined },
  assumed: new Map(),
  self: SELF,
};

const unit = (name: string, verb: 'start' | 'stop' | 'restart'): Step => ({
  kind: 'unit',
  manager: 'system',
  unit: `${name}.service`,
  verb,
  purpose: verb,
});

const file = (path: string): Step => ({
  kind: 'file',
  path,
  target: path,
  before: { exists: false },
  after: { exists: true, bytes: new Uint8Array(), mode: 0o644, uid: 0, gid: 0 },
  purpose: path,
});

function planOf(runtime: RuntimeName, parts: Partial<RuntimePlan> = {}): RuntimePlan {
  return { runtime, instance: '', before: [], files: [], reload: false, after: [], refusals: [], notes: [], ...parts };
}

function instance(runtime: RuntimeName, plan: RuntimePlan, more: Partial<Instance> = {}): Instance {
  return {
    runtime,
    rows: [row(runtime, 'cgroupfs')],
    plan: () => plan,
    validate: async () => [],
    around: () => undefined,
    ...more,
  };
}

const docker = instance(
  'docker',
  planOf('docker', { files: [file('/nowhere/docker/daemon.json')], reload: true, after: [unit('docker', 'restart')] }),
);
const kubelet = instance(
  'kubelet',
  planOf('kubelet', {
    before: [unit('kubelet', 'stop')],
    files: [file('/nowhere/kubelet/config.yaml')],
    after: [unit('kubelet', 'start')],
  }),
);

const words = (steps: readonly Step[]): string[] =>
  steps.map((step) =>
    step.kind === 'unit' ? `${step.verb} ${step.unit}` : step.kind === 'file' ? step.path : step.kind,
  );

describe('the plan for a whole host', () => {
  it('stops the kubelet first and starts it last, and writes all files before anything is restarted', async () => {
    const plan = await planAlign(HOST, [docker, kubelet], REQUEST, []);
    expect(words(plan.steps)).toEqual([
      'stop kubelet.service',
      '/nowhere/docker/daemon.json',
      '/nowhere/kubelet/config.yaml',
      'reload',
      'restart docker.service',
      'start kubelet.service',
    ]);
  });

  it('stops and starts a kubelet that changes nothing itself around the runtime below it', async () => {
    const still = instance('kubelet', planOf('kubelet'), {
      around: () => planOf('kubelet', { before: [unit('kubelet', 'stop')], after: [unit('kubelet', 'start')] }),
    });
    const plan = await planAlign(HOST, [docker, still], REQUEST, []);
    expect(words(plan.steps)).toEqual([
      'stop kubelet.service',
      '/nowhere/docker/daemon.json',
      'reload',
      'restart docker.service',
      'start kubelet.service',
    ]);
  });

  it('leaves the kubelet alone when only podman changes', async () => {
    const podman = instance('podman', planOf('podman', { files: [file('/nowhere/containers.conf')] }));
    const still = instance('kubelet', planOf('kubelet'), {
      around: () => planOf('kubelet', { before: [unit('kubelet', 'stop')] }),
    });
    expect(words((await planAlign(HOST, [podman, still], REQUEST, [])).steps)).toEqual(['/nowhere/containers.conf']);
  });

  it('has only files below a root in which nothing runs, and says what nobody has verified', async () => {
    const plan = await planAlign({ ...HOST, live: undefined }, [docker, kubelet], REQUEST, []);
    expect(plan.steps.map(({ kind }) => kind)).toEqual(['file', 'file']);
    expect(plan.notes.map(({ text }) => text).join()).toMatch(/nothing runs/);
  });

  it('keeps a refusal until its option is given, and then says what was allowed', async () => {
    const refusal: Refusal = { reason: '3 pods run', override: '--drained' };
    const busy = instance('docker', planOf('docker', { refusals: [refusal] }));
    expect((await planAlign(HOST, [busy], REQUEST, [])).refusals).toEqual([refusal]);
    const allowed = await planAlign(HOST, [busy], { ...REQUEST, allowed: new Set(['--drained']) }, []);
    expect(allowed.refusals).toEqual([]);
    expect(allowed.notes.map(({ text }) => text)).toEqual(['3 pods run (allowed by --drained)']);
  });

  it("takes over what a runtime's own validator refuses", async () => {
    const odd = instance('docker', planOf('docker', { files: [file('/nowhere/daemon.json')] }), {
      validate: async () => [{ reason: 'dockerd would refuse it' }],
    });
    expect((await planAlign(HOST, [odd], REQUEST, [])).refusals).toEqual([{ reason: 'dockerd would refuse it' }]);
  });

  it('says which runtime is left alone, and why', async () => {
    const containerd = instance('containerd', planOf('containerd', { files: [file('/nowhere/config.toml')] }));
    const plan = await planAlign(HOST, [docker, containerd], REQUEST, []);
    expect(words(plan.steps)).not.toContain('/nowhere/config.toml');
    expect(plan.notes).toContainEqual({
      severity: 'info',
      text: 'containerd is left as it is: no kubelet on this host asks it for containers',
    });
    const named = await planAlign(HOST, [docker, kubelet], REQUEST, ['docker']);
    expect(named.notes.map(({ text }) => text)).toContain(
      'the kubelet is left as it is: it was not named by --runtime',
    );
  });

  it('plans nothing for a host that is as asked', async () => {
    const done = instance('docker', planOf('docker'), { rows: [row('docker', 'systemd', 'systemd')] });
    expect(await planAlign(HOST, [done], REQUEST, [])).toMatchObject({ steps: [], refusals: [], notes: [] });
  });
});
