import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KubeletFacts } from '../../../src/drivers/kubelet/facts.ts';
import { kubelet } from '../../../src/drivers/kubelet/kubelet.ts';
import {
  CONFIG,
  config,
  EXTRA,
  type Files,
  KUBEADM_FLAGS,
  NODE,
  readNode,
  request,
  rowOf,
  running,
  withCommand,
  written,
} from './node.ts';

const D = '/etc/kubernetes/kubelet.conf.d';

const planOf = (facts: KubeletFacts, to: 'systemd' | 'cgroupfs' = 'systemd') => kubelet.plan(facts, request(to), []);

/** The tree's files with those of a plan laid over. */
const after = (files: Files, facts: KubeletFacts): Files => ({
  ...files,
  ...Object.fromEntries(written(planOf(facts).files)),
});

const KUBEADM_STYLE = config(`authentication:
  anonymous:
    enabled: false
authorization:
  mode: Webhook
clusterDNS:
- 10.96.0.10
`);

describe('the file that is changed', () => {
  it.each<[string, Files, string, string]>([
    [
      'the file of --config',
      { ...NODE, [CONFIG]: config('cgroupDriver: cgroupfs # old\n') },
      CONFIG,
      config('cgroupDriver: systemd # old\n'),
    ],
    [
      'a key that is not there, in its alphabetical place',
      { ...NODE, [CONFIG]: KUBEADM_STYLE },
      CONFIG,
      KUBEADM_STYLE.replace('clusterDNS', 'cgroupDriver: systemd\nclusterDNS'),
    ],
    [
      'the commented line is not touched',
      { ...NODE, [CONFIG]: config('#cgroupDriver: "systemd"\ncgroupDriver: "cgroupfs"\n') },
      CONFIG,
      config('#cgroupDriver: "systemd"\ncgroupDriver: "systemd"\n'),
    ],
    [
      'CRLF, byte order mark and a missing final newline stay',
      { ...NODE, [CONFIG]: `\ufeff${config('maxPods: 3').replaceAll('\n', '\r\n')}` },
      CONFIG,
      `\ufeff${config('maxPods: 3\ncgroupDriver: systemd').replaceAll('\n', '\r\n')}`,
    ],
    [
      'JSON',
      {
        ...NODE,
        [CONFIG]:
          '{\n  "kind": "KubeletConfiguration",\n  "apiVersion": "kubelet.config.k8s.io/v1beta1",\n  "cgroupDriver": "cgroupfs"\n}',
      },
      CONFIG,
      '{\n  "kind": "KubeletConfiguration",\n  "apiVersion": "kubelet.config.k8s.io/v1beta1",\n  "cgroupDriver": "systemd"\n}',
    ],
    [
      'the last drop-in that says it',
      {
        ...withCommand(`--config=/etc/k.yaml --config-dir=${D}`),
        '/etc/k.yaml': config('cgroupDriver: cgroupfs\n'),
        [`${D}/1.conf`]: config('cgroupDriver: systemd\n'),
        [`${D}/2.conf`]: config('cgroupDriver: cgroupfs\n'),
      },
      `${D}/2.conf`,
      config('cgroupDriver: systemd\n'),
    ],
    [
      'a drop-in of its own, where there are drop-ins only',
      { ...withCommand(`--config-dir=${D}`), [`${D}/1.conf`]: config('maxPods: 1\n') },
      `${D}/90-slicectl.conf`,
      config('cgroupDriver: systemd\n'),
    ],
    [
      'the flag in kubeadm-flags.env',
      {
        ...NODE,
        [CONFIG]: config('cgroupDriver: systemd\n'),
        [KUBEADM_FLAGS]: 'KUBELET_KUBEADM_ARGS="--v=2 --cgroup-driver=cgroupfs --node-ip=::1"\n',
      },
      KUBEADM_FLAGS,
      'KUBELET_KUBEADM_ARGS="--v=2 --cgroup-driver=systemd --node-ip=::1"\n',
    ],
    [
      'the flag in KUBELET_EXTRA_ARGS, which is last',
      {
        ...NODE,
        [CONFIG]: config(),
        [KUBEADM_FLAGS]: 'KUBELET_KUBEADM_ARGS=--cgroup-driver=systemd\n',
        [EXTRA]: '# own\nKUBELET_EXTRA_ARGS=--cgroup-driver cgroupfs\n',
      },
      EXTRA,
      '# own\nKUBELET_EXTRA_ARGS=--cgroup-driver systemd\n',
    ],
  ])('%s', async (_, files, path, text) => {
    const facts = await readNode(files);
    const plan = planOf(facts);
    expect(written(plan.files)).toEqual([[path, text]]);
    expect([plan.refusals, plan.reload]).toEqual([[], false]);
    const again = await readNode(after(files, facts));
    expect(rowOf(again).configured.driver).toBe('systemd');
    expect(planOf(again)).toMatchObject({ files: [], before: [], after: [], refusals: [], notes: [] });
  });

  it('is a drop-in of the unit where a vendor has the flag, with a reload', async () => {
    const unit = '[Service]\nExecStart=/usr/bin/kubelet --cgroup-driver=cgroupfs --v=2\n';
    const plan = planOf(await readNode({ '/usr/lib/systemd/system/kubelet.service': unit }));
    expect(plan.reload).toBe(true);
    const [[path = '', text = ''] = []] = written(plan.files);
    expect(path).toMatch(/^\/etc\/systemd\/system\/kubelet\.service\.d\/.*\.conf$/);
    expect(text).toMatch(/^ExecStart=$\n^ExecStart=\/usr\/bin\/kubelet --cgroup-driver=systemd --v=2$/m);
  });

  it('is none where a value is there that only looks different', async () => {
    expect(planOf(await readNode({ ...NODE, [CONFIG]: config("cgroupDriver: 'systemd'\n") })).files).toEqual([]);
  });

  it('is corrected where the quotes are part of the value', async () => {
    const facts = await readNode({ ...NODE, [CONFIG]: config(`cgroupDriver: "'systemd'"\n`) });
    expect(written(planOf(facts).files)).toEqual([[CONFIG, config('cgroupDriver: "systemd"\n')]]);
  });

  it('is none where nothing is set and the default is wanted', async () => {
    expect(planOf(await readNode({ ...NODE, [CONFIG]: config() }), 'cgroupfs').files).toEqual([]);
  });

  it('is none on a node that has not joined, and a note says who writes it', async () => {
    const plan = planOf(await readNode(NODE));
    expect([plan.files, plan.refusals]).toEqual([[], []]);
    expect(plan.notes).toMatchObject([{ severity: 'info', text: expect.stringContaining('kubeadm') }]);
  });

  it('is still the flag on a node that has not joined', async () => {
    const facts = await readNode({ ...NODE, [EXTRA]: 'KUBELET_EXTRA_ARGS="--cgroup-driver=cgroupfs"\n' });
    expect(written(planOf(facts).files)).toEqual([[EXTRA, 'KUBELET_EXTRA_ARGS="--cgroup-driver=systemd"\n']]);
  });

  it('is accompanied by the ConfigMap of kubeadm, where kubeadm keeps the node', async () => {
    const texts = (facts: KubeletFacts) => planOf(facts).notes.flatMap(({ items = [] }) => items);
    expect(texts(await readNode({ ...NODE, [CONFIG]: config() }))).toContain(
      'kubectl -n kube-system edit cm kubelet-config',
    );
    expect(texts(await readNode({ ...withCommand('--config=/etc/k.yaml'), '/etc/k.yaml': config() }))).toEqual([]);
  });
});

describe('a refusal', () => {
  it('comes for a file that the kubelet would not start with', async () => {
    const plan = planOf(await readNode({ ...NODE, [CONFIG]: config('a: b: c\n') }));
    expect(plan.files).toEqual([]);
    expect(plan.refusals).toMatchObject([{ reason: expect.stringContaining(`${CONFIG}:3:4`) }]);
    expect(plan.refusals[0]?.override).toBeUndefined();
  });

  it('comes for a kubelet without any file or flag, with the way to set it', async () => {
    const plan = planOf(await readNode(withCommand('--v=2')));
    expect(plan.refusals).toMatchObject([{ hint: expect.stringContaining('--cgroup-driver=systemd') }]);
  });

  it('comes for an anchor that something else uses', async () => {
    const plan = planOf(await readNode({ ...NODE, [CONFIG]: config('cgroupDriver: &d cgroupfs\nx: *d\n') }));
    expect(plan.refusals).toMatchObject([{ reason: expect.stringContaining('cannot be changed') }]);
  });

  it('comes for a flag inside of a script', async () => {
    const unit = "[Service]\nExecStart=/bin/sh -c 'exec /usr/bin/kubelet --cgroup-driver=cgroupfs'\n";
    const plan = planOf(await readNode({ '/etc/systemd/system/kubelet.service': unit }));
    expect(plan.refusals).toMatchObject([{ reason: expect.stringContaining('script') }]);
  });
});

describe('a kubelet that runs', () => {
  const node = async (driver: string, run: KubeletFacts['run'], followed?: KubeletFacts['followed']) => ({
    ...(await readNode({ ...NODE, [CONFIG]: config(`cgroupDriver: ${driver}\n`) })),
    run,
    followed,
  });
  const cri = (driver: 'systemd' | 'cgroupfs') => ({ runtime: 'containerd', driver, how: 'cri', text: 'CRI' }) as const;

  it('stops before, and starts and is checked after', async () => {
    const { before, after, refusals } = planOf(await node('cgroupfs', running('cgroupfs')));
    expect(before).toMatchObject([{ kind: 'unit', verb: 'stop', unit: 'kubelet.service', manager: 'system' }]);
    expect(after).toMatchObject([
      { kind: 'unit', verb: 'start', reset: ['kubelet.service'] },
      { kind: 'check', check: 'kubelet-driver', expect: { driver: 'systemd' }, expectBefore: { driver: 'cgroupfs' } },
    ]);
    expect(refusals).toEqual([]);
  });

  it('is shown the drain with its commands', async () => {
    const { notes } = planOf(await node('cgroupfs', running('cgroupfs')));
    const drain = notes.find(({ severity }) => severity === 'impact');
    expect(drain?.items).toEqual([
      'kubectl drain NODE --ignore-daemonsets --delete-emptydir-data',
      'kubectl uncordon NODE',
    ]);
  });

  it('is not changed under pods, unless the node is said to be drained', async () => {
    const plan = planOf(await node('cgroupfs', running('cgroupfs', ['kube-system/proxy', 'default/web'])));
    expect(plan.refusals).toMatchObject([{ override: '--drained', reason: expect.stringContaining('2 pods') }]);
    expect(plan.notes.find(({ items }) => items?.includes('default/web'))?.text).toContain('until the next boot');
  });

  it('is left alone where it does not run', async () => {
    for (const activeState of ['inactive', 'failed']) {
      const run = { ...running(undefined), activeState, isRunning: false };
      const { files, before, after } = planOf(await node('cgroupfs', run));
      expect([files.length, before, after]).toEqual([1, [], []]);
    }
  });

  it('is stopped and started, and not checked, where systemd starts it again and again', async () => {
    const run = { ...running(undefined), activeState: 'activating', isRunning: false };
    const { before, after, notes } = planOf(await node('cgroupfs', run));
    expect([...before, ...after].map((step) => step.kind === 'unit' && step.verb)).toEqual(['stop', 'start']);
    expect(notes.map(({ text }) => text).join()).toMatch(/fails and is started again and again/);
  });

  it('restarts where only its start is older than the file', async () => {
    const { files, before, after } = planOf(await node('systemd', running('cgroupfs')));
    expect([files.length, before.length, after.length]).toEqual([0, 1, 2]);
  });

  it('has nothing to do where all is as wanted', async () => {
    expect(planOf(await node('systemd', running('systemd', ['a/b'])))).toMatchObject({
      files: [],
      before: [],
      after: [],
      refusals: [],
      notes: [],
    });
  });

  describe('and takes its driver from the runtime', () => {
    it('gets its own setting changed without a stop where the runtime is right already', async () => {
      const plan = planOf(await node('cgroupfs', running('systemd', ['a/b']), cri('systemd')));
      expect(written(plan.files)).toEqual([[CONFIG, config('cgroupDriver: systemd\n')]]);
      expect([plan.before, plan.after, plan.refusals]).toEqual([[], [], []]);
    });

    it('stops and starts with the change of the runtime', async () => {
      const plan = planOf(await node('cgroupfs', running('cgroupfs'), cri('cgroupfs')));
      expect([plan.files.length, plan.before.length, plan.after.length]).toEqual([1, 1, 2]);
    });

    it('is reported by the runtime, its own setting as inactive', async () => {
      const row = rowOf(await node('cgroupfs', running('systemd'), cri('systemd')));
      expect(row).toMatchObject({
        follows: 'containerd',
        configured: { driver: 'systemd', source: { kind: 'runtime' } },
      });
      expect(row.configured.shadowed).toMatchObject([{ path: CONFIG, line: 3, value: 'cgroupfs' }]);
      expect(row.findings).toMatchObject([{ code: 'kubelet-inactive', severity: 'warning', path: CONFIG, line: 3 }]);
      const same = rowOf(await node('systemd', running('systemd'), cri('systemd')));
      expect(same.findings).toMatchObject([{ code: 'kubelet-inactive', severity: 'info' }]);
    });

    it('is no difference by a wrong word that nobody reads', async () => {
      const row = rowOf(await node('Systemd', running('systemd'), cri('systemd')));
      expect(row.findings.map(({ severity }) => severity)).toEqual(['warning']);
    });

    it('gets no setting that it had not', async () => {
      const facts = { ...(await readNode({ ...NODE, [CONFIG]: config() })), followed: cri('systemd') };
      expect(planOf(facts).files).toEqual([]);
    });
  });

  describe('while a runtime below it changes', () => {
    it('is stopped and started around', async () => {
      const plan = kubelet.around?.(await node('systemd', running('systemd')), request('systemd'));
      expect(plan).toMatchObject({
        files: [],
        before: [{ verb: 'stop' }],
        after: [{ verb: 'start' }, { expect: { driver: 'systemd' } }],
        refusals: [],
      });
    });

    it('is to have the driver that its runtime will tell it', async () => {
      const plan = kubelet.around?.(await node('cgroupfs', running('cgroupfs'), cri('cgroupfs')), request('systemd'));
      expect(plan?.after.at(-1)).toMatchObject({ expect: { driver: 'systemd' } });
    });

    it('is refused under pods, also where the kubelet itself is stopped', async () => {
      const stopped = { ...running(undefined, ['a/b']), activeState: 'inactive', isRunning: false };
      expect(kubelet.around?.(await node('systemd', stopped), request('systemd'))).toMatchObject({
        before: [],
        after: [],
        refusals: [{ override: '--drained' }],
      });
    });

    it('is nothing to think of where it neither runs nor has pods', async () => {
      const stopped = { ...running(undefined), activeState: 'inactive', isRunning: false };
      expect(kubelet.around?.(await node('systemd', stopped), request('systemd'))).toBeUndefined();
      expect(kubelet.around?.(await node('systemd', undefined), request('systemd'))).toBeUndefined();
    });
  });
});

describe('any node', () => {
  const value = fc.constantFrom('systemd', 'cgroupfs', 'Systemd');
  const place = fc.record({
    file: fc.option(value, { nil: undefined }),
    dropIns: fc.array(fc.option(value, { nil: undefined }), { maxLength: 3 }),
    kubeadm: fc.option(value, { nil: undefined }),
    extra: fc.option(value, { nil: undefined }),
  });

  it('is as wanted after its plan, by one file, and a second plan is empty', async () => {
    await fc.assert(
      fc.asyncProperty(place, fc.constantFrom('systemd', 'cgroupfs'), async ({ file, dropIns, kubeadm, extra }, to) => {
        const line = (driver: string | undefined): string =>
          config(driver === undefined ? '' : `cgroupDriver: ${driver}\n`);
        const flag = (name: string, driver: string | undefined): string =>
          `${name}="--v=2${driver === undefined ? '' : ` --cgroup-driver=${driver}`}"\n`;
        const files: Files = {
          ...NODE,
          [CONFIG]: line(file),
          [KUBEADM_FLAGS]: flag('KUBELET_KUBEADM_ARGS', kubeadm),
          [EXTRA]: flag('KUBELET_EXTRA_ARGS', extra).replace('--v=2', `--config-dir=${D}`),
          [`${D}/README`]: '',
          ...Object.fromEntries(dropIns.map((driver, at) => [`${D}/${at}.conf`, line(driver)])),
        };
        const facts = await readNode(files);
        // What go's flags and JSON patches make of it: the last word counts, and only systemd is systemd.
        const word = extra ?? kubeadm ?? dropIns.findLast((driver) => driver !== undefined) ?? file;
        expect(rowOf(facts).configured.driver).toBe(word === 'systemd' ? 'systemd' : 'cgroupfs');
        const changes = written(planOf(facts, to).files);
        expect(changes.length).toBe(word === to || (word === undefined && to === 'cgroupfs') ? 0 : 1);
        const again = await readNode({ ...files, ...Object.fromEntries(changes) });
        expect(rowOf(again).configured.driver).toBe(to);
        expect(planOf(again, to).files).toEqual([]);
      }),
      { numRuns: 30 },
    );
  });
});
