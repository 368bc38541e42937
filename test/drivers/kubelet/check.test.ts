import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { askHealth, checkKubelet, type Moment, type Watch } from '../../../src/drivers/kubelet/check.ts';

const PATIENCE = { stableMs: 3, deadlineMs: 20, pauseMs: 1 };
const up = (mainPid: number): Moment => ({ activeState: 'active', subState: 'running', result: 'success', mainPid });
const waiting: Moment = {
  activeState: 'activating',
  subState: 'auto-restart',
  result: 'exit-code',
  mainPid: undefined,
};

/** Moments one after the other, the last one for ever. */
const watch = (moments: readonly Moment[], more: Partial<Watch> = {}): Watch => {
  let at = 0;
  return {
    look: () => Promise.resolve(moments[Math.min(at++, moments.length - 1)] ?? waiting),
    driver: () => Promise.resolve({ driver: 'systemd', text: 'its group' }),
    healthy: () => Promise.resolve(undefined),
    ...more,
  };
};

describe('the check of the kubelet', () => {
  it('is content with one process that stays and has the driver', async () => {
    expect(await checkKubelet('systemd', watch([waiting, up(7)]), PATIENCE)).toEqual({
      ok: true,
      found: 'the kubelet runs with systemd, by its group',
    });
  });

  it('is not content with another driver, or with none to be seen', async () => {
    expect(await checkKubelet('cgroupfs', watch([up(7)]), PATIENCE)).toMatchObject({ ok: false });
    const blind = watch([up(7)], { driver: () => Promise.resolve({ driver: undefined, text: '' }) });
    expect(await checkKubelet('systemd', blind, PATIENCE)).toMatchObject({
      ok: false,
      found: expect.stringContaining('cannot be seen'),
    });
  });

  it('is not content with a kubelet that ends again and again', async () => {
    const moments = Array.from({ length: 30 }, (_, at) => (at % 2 === 0 ? up(at) : waiting));
    for (const last of [waiting, up(7)]) {
      const { ok, found } = await checkKubelet('systemd', watch(moments.slice(0, 20).with(-1, last)), {
        ...PATIENCE,
        deadlineMs: 19,
      });
      expect([ok, found]).toEqual([
        false,
        expect.stringMatching(/^the kubelet is activating \(auto-restart, exit-code\)/),
      ]);
    }
  });

  it('counts anew where another process stands in its place', async () => {
    let pid = 0;
    const look = () => Promise.resolve(up(pid++));
    expect(await checkKubelet('systemd', watch([], { look }), PATIENCE)).toMatchObject({
      ok: false,
      found: expect.stringContaining('another process again and again'),
    });
  });

  it('waits for health where healthz answers', async () => {
    let asked = 0;
    const healthy = () => Promise.resolve(++asked > 3);
    expect((await checkKubelet('systemd', watch([up(7)], { healthy }), PATIENCE)).ok).toBe(true);
    const ill = watch([up(7)], { healthy: () => Promise.resolve(false) });
    expect(await checkKubelet('systemd', ill, PATIENCE)).toMatchObject({
      ok: false,
      found: expect.stringContaining('not healthy'),
    });
  });
});

describe('healthz', () => {
  it('is asked on the loopback, and nobody there is no answer', async () => {
    let status = 200;
    const server = createServer((_, response) => response.writeHead(status).end('ok'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    expect(await askHealth(port)).toBe(true);
    status = 500;
    expect(await askHealth(port)).toBe(false);
    await new Promise((resolve) => server.close(resolve));
    expect(await askHealth(port)).toBeUndefined();
    expect(await askHealth(0)).toBeUndefined();
  });
});
