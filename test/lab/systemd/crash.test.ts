import { beforeAll, describe, expect, it } from 'vitest';
import { CONTAINERS, Lab } from './support.ts';

/** Stops at each moment of a launch that its argument names, and is then killed by the test. */
const SLOW_LAUNCH = `
import { writeFileSync } from 'node:fs';
import { SystemdBackend } from '/opt/slicectl/dist/backend/systemd.js';
import { SystemdLink } from '/opt/slicectl/dist/backend/systemd-link.js';
import { startGate } from '/opt/slicectl/dist/job/gate.js';
const HOST = { proc: '/proc', sys: '/sys', etc: '/etc', run: '/run' };
const backend = await SystemdBackend.open(new SystemdLink('system', { env: process.env, uid: 0 }), HOST);
const gate = await startGate({
  argv: ['touch', '/tmp/has-run'], env: process.env, cwd: '/tmp', stdio: ['ignore', 'ignore', 'ignore'],
  openFiles: undefined, ignoredSignals: [],
});
const plan = await backend.plan({ limits: [], slice: undefined, sliceInherit: false, unit: 'gated', description: 'gated', bestEffort: false });
const [when] = process.argv.slice(2);
if (when === 'gate-dies') {
  process.kill(gate.pid, 'SIGKILL');
  await gate.exited;
  const error = await backend.place(plan, gate.pid).then(() => undefined, (reason) => reason);
  console.log(error?.code);
  backend.close();
} else {
  if (when === 'placed') await backend.place(plan, gate.pid);
  writeFileSync('/tmp/ready', '');
  setInterval(() => undefined, 1000);
}
`;

describe.each(CONTAINERS)('a launch that breaks off on $name', ({ name }) => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await Lab.open(name, 'crash');
    await lab.out(`cat >/tmp/slow.mjs <<'END'\n${SLOW_LAUNCH}\nEND\nrm -f /tmp/has-run /tmp/ready`);
  });

  it('because the process died before it was placed is refused and leaves no failed scope', async () => {
    expect(await lab.out('node /tmp/slow.mjs gate-dies; test ! -e /tmp/has-run')).toMatch(/^E_(BUS|JOB_FAILED)$/);
    expect(await lab.leftovers('gated*')).toBe('');
  });

  it.each(['before', 'placed'])('with SIGKILL of slicectl (%s) never runs the command', async (when) => {
    await lab.out(
      `node /tmp/slow.mjs ${when} & maker=$!
       while [ ! -e /tmp/ready ]; do sleep 0.05; done
       kill -KILL $maker; wait $maker; rm /tmp/ready; test ! -e /tmp/has-run`,
    );
    await lab.until('! systemctl is-active --quiet gated.scope');
    await lab.out('test ! -e /tmp/has-run; slicectl sweep');
    expect(await lab.leftovers('gated*')).toBe('');
  });

  it('after its release lets the job go on, and its slice is swept when the job is over, by the next run', async () => {
    await lab.out(
      `slicectl run --unit orphan -- sh -c 'touch /tmp/orphan-up; while [ ! -e /tmp/orphan-end ]; do sleep 0.05; done; echo done >/tmp/orphan-done' >/dev/null 2>&1 & maker=$!
       while [ ! -e /tmp/orphan-up ]; do sleep 0.05; done
       kill -KILL $maker; wait $maker; true`,
    );
    expect(await lab.out('slicectl sweep; systemctl is-active orphan.scope')).toBe('active');
    await lab.out('touch /tmp/orphan-end; while [ ! -e /tmp/orphan-done ]; do sleep 0.05; done; rm /tmp/orphan-*');
    await lab.until('! systemctl is-active --quiet orphan.scope');
    const left = await lab.out(`systemctl list-units --plain --no-legend '*slicectl_*.slice'`);
    expect(left).toMatch(/^system-slicectl_[0-9a-z_]+\.slice +loaded +active/);
    // The sweep goes along while the job runs.
    expect((await lab.run(['--', 'sleep', '5'])).code).toBe(0);
    expect(await lab.leftovers('orphan*')).toBe('');
  });

  it('is swept by hand, and what a living launcher holds is not', async () => {
    await lab.out(
      `slicectl run --unit orphan -- sh -c 'touch /tmp/orphan-up; sleep 1' >/dev/null 2>&1 & maker=$!
       while [ ! -e /tmp/orphan-up ]; do sleep 0.05; done
       kill -KILL $maker; wait $maker; rm /tmp/orphan-up`,
    );
    const living = lab.run(['--unit', 'living', '--', 'sh', '-c', 'while [ ! -e /tmp/living ]; do sleep 0.05; done']);
    await lab.until('systemctl is-active --quiet living.scope && ! systemctl is-active --quiet orphan.scope');
    await lab.out('slicectl sweep');
    const slice = (await lab.show('living.scope', 'Slice')).Slice;
    expect(await lab.out(`slicectl sweep; systemctl is-active living.scope ${slice}`)).toBe('active\nactive');
    await lab.out('touch /tmp/living');
    expect((await living).code).toBe(0);
    await lab.out('rm /tmp/living');
    expect(await lab.leftovers('living*', 'orphan*')).toBe('');
  });
});
