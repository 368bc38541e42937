import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Bus, connect } from '../../src/dbus/bus.ts';
import { JOB_RESULTS, Jobs, jobFailure } from '../../src/dbus/jobs.ts';
import { Manager } from '../../src/dbus/systemd1.ts';
import { type Daemon, describeWithBus, startDaemon } from '../fake/daemon.ts';
import { FakeSystemd } from '../fake/systemd.ts';

describeWithBus('a job', () => {
  let daemon: Daemon;
  let bus: Bus;
  let fake: FakeSystemd;
  let jobs: Jobs;
  let manager: Manager;
  beforeEach(async () => {
    daemon = await startDaemon({ maxRepliesPerConnection: 40 });
    fake = await FakeSystemd.start(daemon.path);
    bus = await connect([daemon.path]);
    jobs = await Jobs.open(bus);
    manager = new Manager(bus);
  });
  afterEach(async () => {
    bus.close();
    fake.disconnect();
    await daemon.stop();
  });

  const start = (unit: string, timeoutMs?: number) =>
    jobs.run(() => manager.startTransientUnit(unit, 'fail', []), {
      unit,
      ...(timeoutMs !== undefined && { timeoutMs }),
    });

  it.each(['before', 'after'] as const)('whose JobRemoved comes %s its reply gives its result', async (order) => {
    fake.behaviour.jobRemoved = order;
    await expect(start('a.scope')).resolves.toEqual({
      job: '/org/freedesktop/systemd1/job/1',
      unit: 'a.scope',
      result: 'done',
    });
  });

  it('of 500 at once, whose results come before and after the replies in turn, gets each its own', async () => {
    const names = Array.from({ length: 500 }, (_, at) => `job-${at}.scope`);
    const results = await Promise.all(
      names.map((unit, at) => {
        fake.behaviour.jobRemoved = at % 2 === 0 ? 'before' : 'after';
        return start(unit);
      }),
    );
    expect(results.map(({ unit }) => unit)).toEqual(names);
    expect(new Set(results.map(({ job }) => job)).size).toBe(500);
  });

  it('in batches of 50, each as soon as the last is over, loses none', async () => {
    let seen = 0;
    for (let batch = 0; batch < 10; batch += 1) {
      fake.behaviour.jobRemoved = batch % 2 === 0 ? 'before' : 'after';
      const units = Array.from({ length: 50 }, (_, at) => `b${batch}-${at}.scope`);
      seen += (await Promise.all(units.map((unit) => start(unit)))).length;
    }
    expect(seen).toBe(500);
  });

  it('that is never reported ends at its deadline with E_TIMEOUT that names the unit', async () => {
    fake.behaviour.jobRemoved = 'never';
    const job = start('lost.scope', 60);
    await expect(job).rejects.toMatchObject({ code: 'E_TIMEOUT', data: { unit: 'lost.scope', timeoutMs: 60 } });
    await expect(job).rejects.toThrowError(/did not report the end of the job of "lost\.scope" within 0\.06 s/);
  });

  it('whose request is never answered ends at its deadline and says that', async () => {
    fake.behaviour.silent.add('StartTransientUnit');
    await expect(start('a.scope', 60)).rejects.toThrowError(/did not answer the request for "a\.scope"/);
  });

  it('rejects with E_BUS_LOST that names the unit when the bus dies', async () => {
    fake.behaviour.jobRemoved = 'never';
    const lost = expect(start('a.scope')).rejects.toMatchObject({ code: 'E_BUS_LOST', data: { unit: 'a.scope' } });
    await expect.poll(() => fake.callsOf('StartTransientUnit')).toHaveLength(1);
    await daemon.kill();
    await lost;
  });

  it('whose bus dies between reply and result rejects too', async () => {
    fake.behaviour.jobRemoved = 'never';
    const lost = expect(start('a.scope')).rejects.toMatchObject({ code: 'E_BUS_LOST' });
    await expect.poll(() => fake.units.has('a.scope')).toBe(true);
    await manager.getUnit('a.scope');
    await daemon.kill();
    await lost;
  });

  it('that is refused rejects with what refused it', async () => {
    fake.units.set('a.scope', { properties: new Map(), activeState: 'active', refs: 0 });
    await expect(start('a.scope')).rejects.toMatchObject({ code: 'E_UNIT_EXISTS' });
  });

  it.each(['failed', 'newer-word'])('that ends with %s resolves with that word', async (word) => {
    fake.behaviour.jobResult = word;
    expect((await start('a.scope')).result).toBe(word);
  });

  it('is not mixed up with results of others that carry no path of its own', async () => {
    fake.behaviour.jobRemoved = 'never';
    const running = start('a.scope');
    await expect.poll(() => fake.callsOf('StartTransientUnit')).toHaveLength(1);
    fake.removeJob('/org/freedesktop/systemd1/job/77', 'a.scope', 'canceled');
    fake.emit('JobRemoved', 's', ['odd']);
    fake.removeJob('/org/freedesktop/systemd1/job/1', 'a.scope', 'done');
    expect((await running).result).toBe('done');
  });

  it('finds its result among thousands of others that came first', async () => {
    fake.behaviour.jobRemoved = 'before';
    const slow = jobs.run(
      async () => {
        const path = await manager.startTransientUnit('a.scope', 'fail', []);
        for (let other = 0; other < 4000; other += 1) {
          fake.removeJob(`/org/freedesktop/systemd1/job/${1000 + other}`, 'other.scope', 'done');
        }
        await manager.getUnit('a.scope');
        return path;
      },
      { unit: 'a.scope', timeoutMs: 5000 },
    );
    expect((await slow).unit).toBe('a.scope');
  });

  it('needs no Manager.Subscribe', async () => {
    await start('a.scope');
    expect(fake.callsOf('Subscribe')).toEqual([]);
  });
});

describe('the word a job ends with', () => {
  const result = (word: string) => ({ job: '/org/freedesktop/systemd1/job/1', unit: 'a.scope', result: word });

  it('is no failure when it is done', () => {
    expect(jobFailure(result('done'))).toBeUndefined();
  });

  it.each(Object.entries(JOB_RESULTS).filter(([word]) => word !== 'done'))('%s is explained', (word, meaning) => {
    expect(jobFailure(result(word))).toMatchObject({ code: 'E_JOB_FAILED', data: { unit: 'a.scope', result: word } });
    expect(jobFailure(result(word))?.message).toContain(meaning);
  });

  it('is quoted when it is unknown, without its control characters', () => {
    expect(jobFailure(result('odd\u001b[2J'))?.message).toContain('"odd\\u001b[2J"');
  });
});
