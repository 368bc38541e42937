import { beforeAll, describe, expect, it } from 'vitest';
import { CONTAINERS, Lab } from './support.ts';

describe.each(CONTAINERS)('the units that slicectl ships, on $name', ({ name }) => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await Lab.open(name, 'units');
    await lab.out('cp /opt/slicectl/units/* /etc/systemd/system/; systemctl daemon-reload');
  });

  it('load without a warning', async () => {
    const units = (await lab.out('ls /opt/slicectl/units')).replaceAll('\n', ' ');
    expect(units).toContain('slicectl-cpus.service');
    expect(await lab.out(`systemd-analyze verify --man=no ${units} 2>&1`)).toBe('');
  });

  it('sweep what a killed slicectl left', async () => {
    await lab.out(
      `slicectl run --unit left -- sleep 1 >/dev/null 2>&1 & maker=$!
       while ! systemctl is-active --quiet left.scope; do sleep 0.05; done
       kill -KILL $maker; wait $maker; while systemctl is-active --quiet left.scope; do sleep 0.05; done`,
    );
    const leftSlices = "systemctl list-units --all --plain --no-legend '*slicectl_*.slice'";
    expect(await lab.out(leftSlices)).toMatch(/^system-slicectl_/);
    await lab.out('systemctl start slicectl-sweep.service');
    await lab.until(`test -z "$(${leftSlices})"`);
  });

  it('come with a timer that can be enabled', async () => {
    await lab.out('systemctl enable --now --quiet slicectl-sweep.timer');
    expect(await lab.out('systemctl is-active slicectl-sweep.timer')).toBe('active');
  });
});
