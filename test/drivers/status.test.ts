import { describe, expect, it } from 'vitest';
import { judge, markUnused } from '../../src/drivers/status.ts';
import { row } from './rows.ts';

describe('the judgement of a host', () => {
  it('is aligned when all runtimes have one driver, now and next', () => {
    const report = judge(markUnused([row('docker', 'systemd'), row('kubelet', 'systemd')]));
    expect(report).toMatchObject({ aligned: true, driver: 'systemd', differences: [] });
  });

  it('names who uses what when they differ', () => {
    const report = judge(markUnused([row('docker', 'cgroupfs'), row('kubelet', 'systemd'), row('podman', 'systemd')]));
    expect(report.aligned).toBe(false);
    expect(report.driver).toBeUndefined();
    expect(report.differences).toEqual(['Docker uses cgroupfs; the kubelet, podman use systemd']);
  });

  it('sees a runtime whose next start will be with another driver', () => {
    const report = judge(markUnused([row('docker', 'systemd', 'cgroupfs')]));
    expect(report.differences[0]).toBe('Docker runs with cgroupfs and its next start will be with systemd');
  });

  it('takes what stops a runtime from starting for a difference', () => {
    const broken = {
      ...row('docker', undefined),
      findings: [{ severity: 'error', code: 'x', message: 'dockerd would not start' } as const],
    };
    expect(judge(markUnused([broken])).differences).toEqual(['dockerd would not start']);
  });

  it('lets warnings pass', () => {
    const odd = { ...row('docker', 'systemd'), findings: [{ severity: 'warning', code: 'x', message: 'm' } as const] };
    expect(judge(markUnused([odd])).aligned).toBe(true);
  });

  it('does not judge a containerd that no kubelet uses, unless it was named', () => {
    const rows = [row('docker', 'systemd'), row('containerd', 'cgroupfs')];
    expect(judge(markUnused(rows)).aligned).toBe(true);
    expect(judge(markUnused(rows, ['containerd'])).aligned).toBe(false);
    expect(judge(markUnused([...rows, row('kubelet', 'systemd')])).aligned).toBe(false);
    const asking = (asks: 'containerd' | 'cri-dockerd') => ({ ...row('kubelet', 'systemd'), asks });
    expect(judge(markUnused([...rows, asking('containerd')])).aligned).toBe(false);
    expect(judge(markUnused([...rows, asking('cri-dockerd')])).aligned).toBe(true);
  });

  it('compares with what is expected', () => {
    const rows = markUnused([row('docker', 'cgroupfs')]);
    expect(judge(rows, 'cgroupfs').aligned).toBe(true);
    expect(judge(rows, 'systemd').differences).toEqual(['Docker would start next with cgroupfs, not with systemd']);
    expect(judge(markUnused([row('docker', 'cgroupfs', 'cgroupfs')]), 'systemd').differences).toEqual([
      'Docker runs with cgroupfs and would start next with cgroupfs, not with systemd',
    ]);
  });

  it('finds nothing to complain of where there is no runtime', () => {
    expect(judge([])).toMatchObject({ aligned: true, driver: undefined });
  });
});
