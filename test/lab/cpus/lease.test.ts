import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CpuLab, NUMA_MACHINES } from './support.ts';

/** Eight at once are more than the bus of an emulated machine answers in time. */
const RUN = `run() {
  until slicectl run --exclusive 1 --receipt none "$@" >"/tmp/$NAME.out" 2>"/tmp/$NAME.err"; do
    grep -q 'no message bus answers' "/tmp/$NAME.err" || break
  done
}`;

describe.each(NUMA_MACHINES.slice(0, 1))('leases of cores on $name', ({ name }) => {
  let lab: CpuLab;
  beforeAll(async () => {
    lab = await CpuLab.open(name, 'lease');
  });
  afterAll(() => lab?.down());

  it('give four of eight that ask at once a core of four, and name the holders to the others', async () => {
    await lab.out(
      `${RUN}
       mkfifo /tmp/gate
       for NAME in 1 2 3 4 5 6 7 8; do
         (run --unit "job$NAME" -- sh -c 'grep Cpus_allowed_list /proc/self/status; read -r _ <>/tmp/gate' </dev/null; touch "/tmp/$NAME.done") >/dev/null 2>&1 </dev/null &
       done
       until [ "$(ls /tmp/*.done 2>/dev/null | wc -l)" = 4 ] && [ "$(cat /tmp/*.out | wc -l)" = 4 ]; do sleep 0.5; done`,
    );
    const masks = (await lab.out('sort /tmp/*.out')).replaceAll(/Cpus_allowed_list:\s*/g, '').split('\n');
    expect(masks).toEqual(['0-1', '2-3', '4-5', '6-7']);
    const refusals = (await lab.out('grep -h "none is free" /tmp/*.err')).split('\n');
    expect(refusals).toHaveLength(4);
    for (const line of refusals) expect(line).toMatch(/CPUs 6-7 leased by \S+ \(sh\)/);
  });

  it('hold when slicectl is killed, and are shown, as long as the job runs', async () => {
    const held = async (): Promise<readonly { cpus: string; unit: string }[]> =>
      JSON.parse(await lab.out('slicectl cpus show --json')).leases;
    const before = await held();
    expect(before).toHaveLength(4);
    await lab.out(`for file in /run/slicectl/leases/*.json; do
        pid=$(sed -n 's/^  "pid": \\([0-9]*\\),/\\1/p' "$file"); kill -KILL "$pid"
      done`);
    expect((await held()).map(({ cpus, unit }) => [cpus, unit])).toEqual(before.map(({ cpus, unit }) => [cpus, unit]));
    expect((await lab.sh('slicectl run --exclusive 1 -- true')).code).toBe(125);
  });

  it('are free when the jobs of killed ones have ended, and a sweep removes them', async () => {
    await lab.out("systemctl stop 'job*.scope'");
    await lab.until('test -z "$(systemctl list-units --plain --no-legend \'job*.scope\')"');
    expect(JSON.parse(await lab.out('slicectl cpus show --json')).leases).toEqual([]);
    expect(await lab.out('slicectl sweep')).toContain('lease of CPUs 6-7');
    expect(await lab.out('ls /run/slicectl/leases')).toBe('lock');
  });
});
