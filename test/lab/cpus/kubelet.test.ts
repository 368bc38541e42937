import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CpuLab, NUMA_MACHINES } from './support.ts';

const CONFIG = '/var/lib/kubelet/config.yaml';
const STATE = '/var/lib/kubelet/cpu_manager_state';
const POD = 'kubepods-burstable-pod6f1c0d0a_9a3e_4b7e_8c55_0f6d3c1c2b11.slice';

/**
 * A stand-in that says to be a kubelet of 1.35, and minds its state as pkg/kubelet/cm/cpumanager does: one of another
 * policy ends it, none is made. It does not start with a static policy where /etc/kubelet-fails is.
 */
const KUBELET = `#!/bin/bash
[ "$1" != --version ] || { echo "Kubernetes v1.35.1"; exit 0; }
config=${CONFIG} state=${STATE}
value() { sed -n "s/^ *$1: *\\"\\{0,1\\}\\([^\\"]*\\)\\"\\{0,1\\}\\$/\\1/p" $config; }
policy=$(value cpuManagerPolicy)
policy=\${policy:-none}
if [ "$policy" = static ] && [ -e /etc/kubelet-fails ]; then echo "no static policy today"; exit 1; fi
if [ -e $state ]; then
	grep -q "\\"policyName\\":\\"$policy\\"" $state || { echo "configured policy $policy differs from state"; exit 1; }
else
	shared=''
	if [ "$policy" = static ]; then
		shared=0-7
		[ "$(value reservedSystemCPUs)/$(value strict-cpu-reservation)" != 0-3/true ] || shared=4-7
	fi
	echo "{\\"policyName\\":\\"$policy\\",\\"defaultCpuSet\\":\\"$shared\\",\\"checksum\\":1}" >$state
fi
trap 'exit 0' TERM
sleep infinity &
wait $!
`;

const RESERVE = ['cpus', 'reserve', '--kubelet', '--cpus', '4-7'];

describe.each(NUMA_MACHINES)('a kubelet on $name', ({ name }) => {
  let lab: CpuLab;

  beforeAll(async () => {
    lab = await CpuLab.open(name, 'kubelet');
    // Its own stand-in waits for Docker, which this one does without.
    await lab.out('lab-kubelet systemd docker; systemctl stop kubelet; cat >/usr/bin/kubelet', { input: KUBELET });
    await lab.out('systemctl reset-failed kubelet; systemctl start kubelet');
    await lab.until(`grep -q none ${STATE}`);
  });

  afterAll(() => lab.down());

  const read = (path: string): Promise<string> => lab.out(`cat ${path}`);
  const maskOf = (unit: string): Promise<string> =>
    lab.out(`taskset -cp $(systemctl show -P MainPID ${unit}) | sed 's/.*: //'`);

  interface Audit {
    readonly findings: readonly { readonly kind: string; readonly severity: string; readonly what: string }[];
  }

  const kubeletFindings = async (): Promise<readonly string[]> => {
    const { stdout } = await lab.slicectl(['cpus', 'audit', '--window', '0', '--json']);
    const { findings } = JSON.parse(stdout) as Audit;
    return findings
      .filter(({ kind }) => kind.startsWith('kubelet-'))
      .map(({ kind, severity }) => `${severity} ${kind}`);
  };

  it('is not changed while pods run, before somebody says that the node is drained', async () => {
    await lab.out(`systemd-run --quiet --unit=pod --slice=${POD} sleep infinity`);
    const config = await read(CONFIG);
    const { code, stdout } = await lab.slicectl([...RESERVE, '--yes']);
    expect(code, stdout).toBe(4);
    expect(stdout).toContain('6f1c0d0a-9a3e-4b7e-8c55-0f6d3c1c2b11');
    expect(stdout).toContain('--drained');
    expect(await read(CONFIG)).toBe(config);
    await lab.out('systemctl stop pod');
  });

  let before = { config: '', state: '' };

  it('has its settings and its state changed while it stands still, and is proved to run with them', async () => {
    before = { config: await read(CONFIG), state: await read(STATE) };
    const { stdout } = await lab.done(...RESERVE, '--drained', '--yes');
    expect(stdout).toMatch(/payload CPUs 4-7/);
    expect(stdout).toMatch(/reservedSystemCPUs: "0-3"/);
    const changed = await read(CONFIG);
    expect(changed).toMatch(/^cpuManagerPolicy: static$/m);
    expect(changed).toMatch(/^reservedSystemCPUs: "0-3"$/m);
    expect(changed).toMatch(/^ +strict-cpu-reservation: "true"$/m);
    expect(changed).toMatch(/^ +full-pcpus-only: "true"$/m);
    expect(JSON.parse(await read(STATE))).toMatchObject({ policyName: 'static', defaultCpuSet: '4-7' });
    expect(await maskOf('kubelet')).toBe('0-3');
    await lab.out(`systemd-run --quiet --unit=pod --slice=${POD} sleep infinity`);
    expect(await maskOf('pod')).toBe('0-7');
  });

  it('agrees with the reservation then, and an audit finds where it no longer does', async () => {
    expect(await kubeletFindings()).toEqual([]);
    await lab.out(`sed -i 's/"0-3"/"0-1"/' ${CONFIG}`);
    expect(await kubeletFindings()).toContain('breach kubelet-reserved-differs');
    await lab.out(`sed -i 's/"0-1"/"0-3"/' ${CONFIG}; systemctl stop pod`);
  });

  it('is asked for nothing twice, and is as before after an undo, over the state that it wrote', async () => {
    const again = await lab.done(...RESERVE, '--drained', '--yes');
    expect(again.stdout).not.toContain('applied as change');
    await lab.done('undo', '--yes');
    expect(await read(CONFIG)).toBe(before.config);
    expect(await read(STATE)).toBe(before.state);
    await lab.until('systemctl is-active --quiet kubelet');
    expect(await maskOf('kubelet')).toBe('0-7');
  });

  it('that does not start with its new settings is as before by itself', async () => {
    const config = await read(CONFIG);
    const state = await read(STATE);
    await lab.out('touch /etc/kubelet-fails');
    const failed = await lab.slicectl([...RESERVE, '--drained', '--yes']);
    expect(failed.code, failed.stdout).not.toBe(0);
    expect(failed.stdout + failed.stderr).toMatch(/the kubelet is (activating|failed)/);
    expect(await read(CONFIG)).toBe(config);
    expect(await read(STATE)).toBe(state);
    await lab.until('systemctl is-active --quiet kubelet');
    expect(await maskOf('kubelet')).toBe('0-7');
  });
});
