import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CONTAINERS, Lab, lastReceipt } from './support.ts';

/** Kills the message bus as a crash would; the manager connects to the next one by itself, and logins need logind to. */
const KILL_BUS = `kill -9 $(systemctl show dbus.service -p MainPID --value); sleep 0.3
  systemctl reset-failed 'dbus*' 'systemd-logind*'; systemctl start dbus.socket dbus.service
  systemctl restart systemd-logind.service`;

const DISTURBANCES = [
  ['daemon-reload', 'systemctl daemon-reload'],
  ['daemon-reexec', 'systemctl daemon-reexec'],
  ['the death of the bus', KILL_BUS],
] as const;

const FORMS = [
  ['scope', []],
  ['service', ['--service', '--wait']],
] as const;

const CASES = DISTURBANCES.flatMap(([what, command]) =>
  FORMS.map(([form, options]) => ({ what, command, form, options })),
);

/** Thirty jobs, some at a time, while the disturbance goes on in a loop: one line a job, `STATUS RAN MESSAGE`. */
const storm = (command: string): string => `
  rm -rf /tmp/storm; mkdir /tmp/storm; cd /tmp/storm
  ( while [ ! -e stop ]; do ${command}; sleep 0.3; done ) >/dev/null 2>&1 & loop=$!
  pids=; i=0
  while [ $i -lt 30 ]; do
    i=$((i+1))
    ( slicectl run --receipt json -p RuntimeMaxSec=300 -- sh -c "echo ran >>ran.$i; exit 7" >/dev/null 2>err.$i; echo $? >status.$i ) & pids="$pids $!"
    [ $((i % 5)) = 0 ] && sleep 0.7
  done
  wait $pids; touch stop; wait $loop
  i=0; while [ $i -lt 30 ]; do i=$((i+1)); echo "$(cat status.$i) $(cat ran.$i 2>/dev/null | wc -l) $(cat err.$i)"; done`;

describe.each(CONTAINERS)('on $name', ({ name }) => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await Lab.open(name, 'storm');
  });
  afterEach(() => lab.sh('rm -f /tmp/go'));

  it.each(CASES)('$what does not touch a running $form: right status, whole receipt, nothing left', async (given) => {
    const job = lab.receipt([
      ...given.options,
      '--unit',
      'steady',
      '--',
      'sh',
      '-c',
      'while [ ! -e /tmp/go ]; do sleep 0.05; done; exit 7',
    ]);
    await lab.until(`systemctl is-active --quiet steady.${given.form}`);
    await lab.sh(given.command);
    await lab.sh('touch /tmp/go');
    const { code, receipt } = await job;
    expect([code, receipt.status, receipt.cause]).toEqual([7, 7, 'exited with status 7']);
    expect(receipt.cpu.usageUsec).toBeGreaterThan(0);
    expect(await lab.leftovers('steady*')).toBe('');
  });

  it.each(CASES)('a $form is ended by RuntimeMaxSec after $what, and that is its cause', async (given) => {
    const job = lab.receipt([...given.options, '--unit', 'timed', '-p', 'RuntimeMaxSec=6', '--', 'sleep', '1000']);
    await lab.until(`systemctl is-active --quiet timed.${given.form}`);
    await lab.sh(given.command);
    const { code, receipt } = await job;
    expect([code, receipt.cause]).toEqual([143, 'ended by RuntimeMaxSec=6s']);
    expect(await lab.leftovers('timed*')).toBe('');
  });

  it.each(
    DISTURBANCES,
  )('%s in a loop: each of 30 jobs runs once, or not at all with one sentence', async (_, command) => {
    const text = await lab.out(storm(command), { timeoutMs: 300_000 });
    const lines = text.split('\n').filter((line) => /^\d+ \d+ /.test(line));
    expect(lines).toHaveLength(30);
    for (const line of lines) {
      const [, status, ran, message = ''] = /^(\d+) (\d+) (.*)$/.exec(line) ?? [];
      if (status === '7') expect([ran, lastReceipt(message).status]).toEqual(['1', 7]);
      else expect([status, ran, message]).toEqual(['125', '0', expect.stringMatching(/^slicectl: \S.+$/)]);
    }
    // So many restarts are too many for logind's own start limit.
    await lab.sh(`slicectl sweep; systemctl reset-failed 'systemd-logind*'`);
    expect(await lab.leftovers()).toBe('');
  });
});
