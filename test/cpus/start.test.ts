import { expect, it } from 'vitest';
import type { Action } from '../../src/change/plan.ts';
import { startActions } from '../../src/cpus/start.ts';
import { describeWithBus } from '../fake/daemon.ts';
import { PrivateSystemd } from '../fake/private-systemd.ts';

const DB = { unit: 'db.slice' };

const startOf = ({ link }: PrivateSystemd): Action => startActions(link)['cpus.start'] as Action;

const jobsOf = ({ fake }: PrivateSystemd): readonly string[] =>
  fake.calls
    .filter(({ member }) => /^(?:Start|Stop)Unit$/.test(member))
    .map(({ member, body }) => `${member} ${body[0]}`);

describeWithBus('a payload slice', () => {
  it('that does not run is started, and stops again on the way back while nothing is in it', async () => {
    await using systemd = await PrivateSystemd.open();
    systemd.unit('db.slice', {}, 'inactive');
    const action = startOf(systemd);
    const facts = await action.facts(DB);
    expect(facts).toEqual({ ran: false });
    await action.carryOut(DB, facts);
    expect(systemd.fake.units.get('db.slice')?.activeState).toBe('active');
    await action.takeBack(DB, facts);
    expect(jobsOf(systemd)).toEqual(['StartUnit db.slice', 'StopUnit db.slice']);
  });

  it('that is not even loaded is one that does not run', async () => {
    await using systemd = await PrivateSystemd.open();
    expect(await startOf(systemd).facts(DB)).toEqual({ ran: false });
  });

  it('that runs is neither started nor, on the way back, stopped', async () => {
    await using systemd = await PrivateSystemd.open();
    systemd.unit('db.slice');
    const action = startOf(systemd);
    const facts = await action.facts(DB);
    expect(facts).toEqual({ ran: true });
    await action.carryOut(DB, facts);
    await action.takeBack(DB, facts);
    expect(jobsOf(systemd)).toEqual([]);
  });

  it('stays on the way back with whatever was started in it since', async () => {
    await using systemd = await PrivateSystemd.open();
    systemd.fake.units.set('db.slice', {
      properties: new Map(),
      activeState: 'active',
      refs: 0,
      processes: [['/db.slice/pg.service', 4711, 'postgres']],
    });
    await startOf(systemd).takeBack(DB, { ran: false });
    expect(jobsOf(systemd)).toEqual([]);
  });

  it('that went by itself meanwhile is nothing to stop', async () => {
    await using systemd = await PrivateSystemd.open();
    await startOf(systemd).takeBack(DB, { ran: false });
    expect(jobsOf(systemd)).toEqual([]);
  });

  it('that systemd does not start fails the step', async () => {
    await using systemd = await PrivateSystemd.open();
    systemd.unit('db.slice', {}, 'inactive');
    systemd.fake.behaviour.jobResult = 'failed';
    await expect(startOf(systemd).carryOut(DB, { ran: false })).rejects.toMatchObject({ code: 'E_JOB_FAILED' });
  });

  it('is named by the step, which is no step of this kind otherwise', async () => {
    await using systemd = await PrivateSystemd.open();
    await expect(startOf(systemd).facts({})).rejects.toMatchObject({ code: 'E_INPUT' });
  });
});
