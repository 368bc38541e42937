import { describe, expect, it } from 'vitest';
import { type HostStatus, statusText } from '../../src/cli/render/driver.ts';
import type { Finding, RuntimeStatus } from '../../src/drivers/model.ts';

const FILE = '/etc/containerd/config.toml';

function text(finding: Finding, row: Partial<RuntimeStatus> = {}): string {
  const status: RuntimeStatus = {
    runtime: 'containerd',
    instance: '',
    version: '1.7.24',
    unit: 'containerd.service',
    running: undefined,
    configured: { driver: undefined, source: { kind: 'file', path: FILE, line: 1, text: 'x' }, shadowed: [] },
    findings: [finding],
    ...row,
  };
  const host: HostStatus = {
    root: '/',
    aligned: true,
    driver: undefined,
    differences: [],
    rows: [{ ...status, unused: undefined }],
    expected: undefined,
    recognised: [],
    interrupted: undefined,
  };
  return statusText(host, { colour: false });
}

describe('a finding in a line', () => {
  const at = { severity: 'error', code: 'x', path: FILE, line: 3 } as const;

  it('has runtime and place before and after its sentence', () => {
    expect(text({ ...at, message: 'no pod starts' })).toContain(`error: containerd: no pod starts (${FILE}:3)\n`);
  });

  it('has neither twice', () => {
    const message = `containerd does not start: ${FILE}:3:1: unexpected token "{%"`;
    expect(text({ ...at, message, hint: 'fill it in' })).toContain(`error: ${message}; fill it in\n`);
  });
});

describe('a row without a driver', () => {
  it('says that a runtime with a fault does not start', () => {
    expect(text({ severity: 'error', code: 'x', message: 'y' })).toMatch(/1\.7\.24 +- +does not start/);
  });

  it('does not say so of one whose driver is set by another', () => {
    const finding: Finding = { severity: 'info', code: 'x', message: 'the CRI plugin is disabled' };
    expect(text(finding, { follows: 'docker' })).toMatch(/1\.7\.24 +- +- +\/etc/);
  });
});
