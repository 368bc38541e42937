import { expect, it } from 'vitest';
import { layoutOf } from '../../../src/drivers/docker/probe.ts';

const ID = '2abcb4013ed58382a8336b80a656c045a0703463a8a461c8c29ad2784c77956e';

it.each([
  [`0::/system.slice/docker-${ID}.scope\n`, 'systemd'],
  [`0::/user.slice/user-1000.slice/user@1000.service/user.slice/docker-${ID}.scope\n`, 'systemd'],
  [`0::/docker/${ID}\n`, 'cgroupfs'],
  [`12:memory:/docker/${ID}\n1:name=systemd:/docker/${ID}\n`, 'cgroupfs'],
  [`0::/jobs/${ID}\n`, 'cgroupfs'],
  ['0::/\n', undefined],
  ['', undefined],
])('the group %j was made by %s', (text, driver) => {
  expect(layoutOf(text, ID)).toBe(driver);
});
