import { expect, it } from 'vitest';
import { SlicectlError } from '../../src/core/errors.ts';
import { dial } from '../../src/dbus/dial.ts';
import type { Bus } from '../../src/dbus/types.ts';

const bus = { uniqueName: ':1.1' } as unknown as Bus;
const crowded = Object.assign(new Error('connect EAGAIN /bus'), { code: 'EAGAIN' });
const full = new SlicectlError('E_BUS', 'x', { data: { name: 'org.freedesktop.DBus.Error.LimitsExceeded' } });

it.each([
  ['a full listen queue', crowded],
  ['a daemon at its limit of connections', full],
])('%s is tried again after a pause that grows', async (_, error) => {
  const times: number[] = [];
  const open = async () => {
    times.push(performance.now());
    if (times.length < 3) throw error;
    return bus;
  };
  expect(await dial(['/bus'], {}, open)).toBe(bus);
  const [first = 0, second = 0, third = 0] = times;
  expect(second - first).toBeGreaterThanOrEqual(85);
  expect(third - second).toBeGreaterThanOrEqual(170);
});

it('another failure goes to the next path at once, and each path gets the deadline', async () => {
  const tried: unknown[] = [];
  const open = async (path: string, timeoutMs: number) => {
    tried.push([path, timeoutMs]);
    if (path === '/a') throw Object.assign(new Error('connect EACCES /a'), { code: 'EACCES' });
    return bus;
  };
  expect(await dial(['/a', '/b', '/c'], { timeoutMs: 70 }, open)).toBe(bus);
  expect(tried).toEqual([
    ['/a', 70],
    ['/b', 70],
  ]);
});

it('the reasons of all paths are in the error, for people and for programs', async () => {
  const open = async (path: string) => {
    throw Object.assign(new Error(`connect ${path}`), { code: path === '/a' ? 'EACCES' : 'ECONNREFUSED' });
  };
  await expect(dial(['/a', '/b'], {}, open)).rejects.toMatchObject({
    code: 'E_NO_BUS',
    message: 'no message bus answers ("/a": permission denied; "/b": nobody listens)',
    data: {
      paths: [
        { path: '/a', reason: 'permission denied' },
        { path: '/b', reason: 'nobody listens' },
      ],
    },
  });
});
