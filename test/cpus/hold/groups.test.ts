import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { groupAction } from '../../../src/cpus/hold/groups.ts';
import { FakeHost, GUEST_8 } from '../fake-host.ts';

const PATH = '/lxc';
const parameters = (before: string, after: string) => ({ path: PATH, before, after, all: '0-7' });

/** A v2 host of 8 CPUs with a group that systemd did not make; no task is in it. */
function host(files: Readonly<Record<string, string>>): FakeHost {
  const fake = new FakeHost().machine(GUEST_8);
  const mount = `${fake.root}/sys/fs/cgroup`;
  return fake.write({
    'proc/self/mountinfo': `30 1 0:26 / ${mount} rw - cgroup2 cgroup2 rw\n`,
    'proc/cmdline': 'quiet\n',
    'sys/fs/cgroup/cpuset.cpus.effective': '0-7\n',
    'sys/fs/cgroup/lxc/cgroup.procs': '',
    ...files,
  });
}

const actionOn = ({ paths }: FakeHost) => groupAction({ paths });

describe('the CPUs of a group that systemd did not make', () => {
  const file = 'sys/fs/cgroup/lxc/cpuset.cpus';

  it('are all of them when the controller is gone, both ways, so that a repeated step is done', async () => {
    using fake = host({});
    const action = actionOn(fake);
    await action.carryOut(parameters('0-5', ''), {});
    await action.takeBack(parameters('', '0-5'), {});
    await action.takeBack(parameters('0-7', '0-5'), {});
  });

  it('are not there for a reservation without the controller, which is an error', async () => {
    using fake = host({});
    await expect(actionOn(fake).carryOut(parameters('', '0-5'), {})).rejects.toMatchObject({ code: 'E_NOT_IN_FORCE' });
  });

  it('are given to one that is to be made and is not there', async () => {
    using fake = host({ 'sys/fs/cgroup/lxc/cpuset.cpus': '0-7\n' });
    const made = { ...parameters('', '0-5'), path: '/docker' };
    await actionOn(fake).carryOut(made, {});
    expect(existsSync(`${fake.root}/sys/fs/cgroup/docker`)).toBe(false);
    // A folder of this host gets no files of the kernel by itself, so that nothing is held there.
    await expect(actionOn(fake).carryOut({ ...made, make: true }, {})).rejects.toMatchObject({
      code: 'E_NOT_IN_FORCE',
    });
    expect(existsSync(`${fake.root}/sys/fs/cgroup/docker`)).toBe(true);
  });

  it('are written explicitly where the controller is', async () => {
    using fake = host({ [file]: '0-5\n', [`${file}.effective`]: '0-5\n' });
    await actionOn(fake).carryOut(parameters('0-5', ''), {});
    expect(readFileSync(`${fake.root}/${file}`, 'utf8')).toMatch(/^0-7/);
  });

  it.each([
    ['the controller has gone', {}],
    ['nothing is asked for', { [file]: '\n' }],
  ])('were all in the plan, and are as planned when %s since', async (_, files) => {
    using fake = host(files);
    await expect(actionOn(fake).assertAsPlanned(parameters('0-7', '0-3'))).resolves.toBeUndefined();
  });

  it('are not as planned once somebody gives the group others', async () => {
    using fake = host({ [file]: '0-5\n' });
    await expect(actionOn(fake).assertAsPlanned(parameters('0-7', '0-3'))).rejects.toMatchObject({
      code: 'E_CHANGED',
      message: '/lxc asks for CPUs 0-5 now; nothing was written',
    });
  });
});
