import { describe, expect, it } from 'vitest';
import { receiptText } from '../../src/cli/render/receipt.ts';
import type { Receipt } from '../../src/job/receipt.ts';

const RECEIPT: Receipt = {
  command: ['sh', '-c', 'exit 3'],
  unit: 'slicectl_1.scope',
  cgroup: '/a/slicectl_1.scope',
  backend: { kind: 'cgroup-v2', label: 'cgroup v2' },
  limits: [
    { name: 'MemoryMax', asked: '1G', inForce: '512M', heldBy: '/a' },
    { name: 'TasksMax', asked: '64', inForce: '64', heldBy: '/a/slicectl_1.scope' },
    { name: 'AllowedCPUs', asked: '1', inForce: null, heldBy: null },
  ],
  start: new Date(0),
  wallUsec: 2_000_000n,
  figures: {
    cpu: { usageUsec: 500_000n, userUsec: 300_000n, systemUsec: 200_000n },
    throttling: { periods: 10n, throttledPeriods: 4n, throttledUsec: 1_500n },
    memory: { peakBytes: 3_145_728n, swapPeakBytes: 0n },
    tasks: { peak: 3n, refusedForks: 1n },
    io: { readBytes: 4096n, writeBytes: 0n, readOperations: 1n, writeOperations: 0n },
    pressure: { cpuUsec: 12n, memoryUsec: 0n, ioUsec: 61_000_000n },
    unavailable: {},
  },
  exit: { code: 3, signal: null },
  status: 3,
  cause: 'exited with status 3; fork refused once by TasksMax=64',
  events: [
    { kind: 'tasks', text: 'fork refused once by TasksMax=64', count: 1, cgroup: null },
    { kind: 'memory', text: 'killed: MemoryMax=1G of the job was reached', count: 1, cgroup: null },
  ],
  leftRunning: 0,
  notes: [],
};

describe('the receipt for people', () => {
  it('begins with the command, the cause and the time', () => {
    expect(receiptText(RECEIPT)).toMatch(
      /^slicectl: sh -c "exit 3": exited with status 3; fork refused once by TasksMax=64 after 2\.00s\n/,
    );
  });

  it('names the events that the cause does not, the group above that holds a limit, and a limit that is not in force', () => {
    const text = receiptText(RECEIPT);
    expect(text.match(/fork refused/g)).toHaveLength(1);
    expect(text).toContain('killed: MemoryMax=1G of the job was reached');
    expect(text).toContain('MemoryMax=512M (of a), TasksMax=64, AllowedCPUs=1 not in force');
  });

  it('says how much of a CPU was used and how long it was throttled', () => {
    expect(receiptText(RECEIPT)).toContain(
      '500ms (25% of a CPU), user 300ms, system 200ms, throttled 1.5ms in 4 of 10 periods',
    );
  });

  it('is coloured on request only', () => {
    expect(receiptText(RECEIPT)).not.toContain('\u001b');
    expect(receiptText(RECEIPT, true)).toMatch(/^slicectl: \u001b\[31msh .*\u001b\[39m\n/);
    expect(receiptText({ ...RECEIPT, status: 0 }, true)).toMatch(/^slicectl: \u001b\[32m/);
  });

  it('shortens a long command and quotes what would reach the terminal', () => {
    const [head = ''] = receiptText({ ...RECEIPT, command: ['echo', '\u001b[2J', 'x'.repeat(200)] }).split('\n');
    expect(head).toContain('echo "\\u001b[2J" xxx');
    expect(head).toContain('…: ');
  });
});
