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

  it('refuses to part the kubelet from the runtime that it asks', async () => {
    const asking = instance('kubelet', planOf('kubelet'), {
      rows: [{ ...row('kubelet', 'cgroupfs'), asks: 'cri-dockerd' }],
    });
    const [refusal] = (await planAlign(HOST, [docker, asking], REQUEST, ['docker'])).refusals;
    expect(refusal).toMatchObject({ hint: 'add --runtime kubelet, or leave --runtime out' });
    expect(refusal?.reason).toMatch(/^the kubelet would still have another driver/);
    const [other] = (await planAlign(HOST, [docker, asking], REQUEST, ['kubelet'])).refusals;
    expect(other?.reason).toMatch(/^Docker would still have another driver/);
    expect((await planAlign(HOST, [docker, asking], REQUEST, ['kubelet', 'docker'])).refusals).toEqual([]);
  });

  it('lets a kubelet that follows its runtime follow', async () => {
    const following = { ...row('kubelet', 'cgroupfs'), asks: 'containerd', follows: 'containerd' } as const;
    const containerd = instance('containerd', planOf('containerd', { files: [file('/nowhere/config.toml')] }));
    const instances = [containerd, instance('kubelet', planOf('kubelet'), { rows: [following] })];
    expect((await planAlign(HOST, instances, REQUEST, ['containerd'])).refusals).toEqual([]);
  });

  describe('of a user', () => {
    const ALICE: DriverHost = { ...HOST, self: { ...SELF, uid: 1000 } };
    const roots = instance('podman', planOf('podman', { files: [file('/nowhere/containers.conf')] }));
    const hers = instance(
      'podman',
      planOf('podman', { instance: 'user alice', files: [file('/nowhere/alice.conf')] }),
      {
        rows: [{ ...row('podman', 'cgroupfs'), instance: 'user alice', user: 'alice' }],
      },
    );

    it("is refused for what is root's, with the way to what is the user's", async () => {
      const plan = await planAlign(ALICE, [docker, roots, hers, kubelet], REQUEST, []);
      expect(words(plan.steps)).toEqual(['/nowhere/alice.conf']);
      expect(plan.refusals).toEqual([
        {
          reason: 'Docker, podman, the kubelet can be changed by root alone',
          hint: 'run it as root, or change what is yours with --runtime podman',
        },
      ]);
    });

    it("changes the user's own when that is named", async () => {
      const plan = await planAlign(ALICE, [docker, roots, hers], REQUEST, ['podman']);
      expect([words(plan.steps), plan.refusals]).toEqual([['/nowhere/alice.conf'], []]);
      expect(plan.notes.map(({ text }) => text)).toContain("podman of the system is left as it is: it is root's");
    });

    it("is nobody's business where all is as asked", async () => {
      const done = instance('docker', planOf('docker'), { rows: [row('docker', 'systemd', 'systemd')] });
      expect(await planAlign(ALICE, [done], REQUEST, [])).toMatchObject({ steps: [], refusals: [] });
    });

    it('stops no kubelet for a Docker of the user', async () => {
      const rootless = instance('docker', planOf('docker', { manager: 'user', files: [file('/nowhere/d.json')] }), {
        rows: [{ ...row('docker', 'cgroupfs'), instance: 'rootless alice', user: 'alice' }],
      });
      const still = instance('kubelet', planOf('kubelet'), {
        rows: [row('kubelet', 'systemd', 'systemd')],
        around: () => planOf('kubelet', { before: [unit('kubelet', 'stop')] }),
      });
      expect(words((await planAlign(ALICE, [rootless, still], REQUEST, [])).steps)).toEqual(['/nowhere/d.json']);
    });
  });
});
