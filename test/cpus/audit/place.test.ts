import { expect, it } from 'vitest';
import { isInSlice, placeOf } from '../../../src/cpus/audit/place.ts';

const ID = '0123456789ab'.padEnd(64, 'c');
const POD = '1b4e28ba_2fa1_11d2_883f_0016d3cca427';

it.each([
  ['/', 'root', '/', '/', undefined],
  ['/init.scope', 'unit', '/init.scope', 'init.scope', undefined],
  ['/system.slice/nginx.service', 'unit', '/system.slice', 'nginx.service', undefined],
  ['/system.slice/system-getty.slice/getty@tty1.service', 'unit', '/system.slice', 'getty@tty1.service', undefined],
  ['/web.service', 'root-unit', '/web.service', 'web.service', undefined],
  ['/_cpu.slice.service/sub', 'root-unit', '/_cpu.slice.service', 'cpu.slice.service', undefined],
  [`/system.slice/docker-${ID}.scope`, 'container', '/system.slice', `docker-${ID}.scope`, 'container 0123456789ab'],
  [`/docker/${ID}`, 'foreign', '/docker', '/docker', 'container 0123456789ab'],
  ['/lxc/web', 'foreign', '/lxc', '/lxc', undefined],
  [
    '/user.slice/user-1000.slice/user@1000.service/app.slice/run-7.service',
    'session',
    '/user.slice',
    'user@1000.service',
    'user 1000, run-7.service',
  ],
  ['/user.slice/user-1000.slice/session-3.scope', 'session', '/user.slice', 'session-3.scope', 'user 1000'],
  [
    `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${POD}.slice/cri-containerd-${ID}.scope`,
    'pod',
    '/kubepods.slice',
    `cri-containerd-${ID}.scope`,
    `pod ${POD.replaceAll('_', '-')}, container 0123456789ab`,
  ],
  [
    `/kubepods/besteffort/pod${POD.replaceAll('_', '-')}/${ID}`,
    'pod',
    '/kubepods',
    `/kubepods/besteffort/pod${POD.replaceAll('_', '-')}/${ID}`,
    `pod ${POD.replaceAll('_', '-')}, container 0123456789ab`,
  ],
  [
    '/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt/vcpu0',
    'unit',
    '/machine.slice',
    'machine-qemu\\x2d1\\x2dvm.scope',
    undefined,
  ],
])('%s is a place of kind %s', (cgroup, kind, top, name, detail) => {
  expect(placeOf(cgroup)).toEqual({ kind, top, name, detail });
});

it('knows what is in a slice, also in one below another', () => {
  expect(isInSlice('/a.slice/a-b.slice/x.service', 'a-b.slice')).toBe(true);
  expect(isInSlice('/a.slice', 'a.slice')).toBe(true);
  expect(isInSlice('/a.slice.d', 'a.slice')).toBe(false);
  expect(isInSlice('/a-b.slice/x.service', 'a.slice')).toBe(false);
});
