import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Machine, machine } from './machine.ts';

/** The cure that slicectl prints is carried out as it stands, so the machine is one that nobody else uses. */
describe('a user manager to which cpuset is not delegated', () => {
  let place: Machine;

  beforeAll(async () => {
    place = await machine('v2-257.delegation');
  });

  afterAll(() => place.down());

  const run = (...args: string[]) => place.exec(['slicectl', 'run', ...args], { user: 'alice' });

  it('refuses AllowedCPUs with the cause and the drop-in, and holds the limits that it can', async () => {
    const refused = await run('--cpus', '1', '--', 'true');
    expect(refused.code).toBe(125);
    expect(refused.stderr).toMatch(
      /^slicectl: AllowedCPUs=1 is not in force: the cpuset controller is not delegated to the user manager; as root: /,
    );
    const held = await run('--memory', '64M', '--json', '--', 'cat', '/proc/self/cgroup');
    expect(held.stdout).toMatch(/user@1000\.service\/app\.slice\/app-slicectl_[^/]+\.slice\/slicectl_[^/]+\.scope$/m);
    expect(JSON.parse(held.stderr).limits).toContainEqual(
      expect.objectContaining({ name: 'MemoryMax', inForce: '64M' }),
    );
  });

  it('holds AllowedCPUs after the printed cure', async () => {
    const { stderr } = await run('--cpus', '1', '--', 'true');
    const cure = /as root: (.*)\n/.exec(stderr)?.[1] ?? 'false';
    expect((await place.exec(['sh', '-c', cure])).code).toBe(0);
    const cured = await run('--cpus', '1', '--', 'grep', 'Cpus_allowed_list', '/proc/self/status');
    expect(cured.stdout).toBe('Cpus_allowed_list:\t1\n');
  });
});
