import type { ObservedDriver, RuntimeName, RuntimeStatus } from '../../src/drivers/model.ts';

/** A row of the status table with nothing in it but drivers. */
export function row(
  runtime: RuntimeName,
  configured: ObservedDriver | undefined,
  running?: ObservedDriver,
): RuntimeStatus {
  return {
    runtime,
    instance: '',
    version: '1.0',
    unit: `${runtime}.service`,
    running: running && { driver: running, how: 'api', text: 'its API' },
    configured: { driver: configured, source: { kind: 'default', text: 'default' }, shadowed: [] },
    findings: [],
  };
}
