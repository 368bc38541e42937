import { describe, expect, it } from 'vitest';
import { driftFindings } from '../../../src/cpus/audit/drift.ts';
import type { Layer, UnitProof } from '../../../src/cpus/hold/proof.ts';
import { ALL, DB, group, SYSTEM, unit, type ViewChange, viewWith } from './ground.ts';

const OURS = '/etc/systemd/system/db.slice.d/zz-slicectl-cpus.conf';

function proof(name: string, ...layers: Layer[]): UnitProof {
  return {
    unit: name,
    name: 'AllowedCPUs',
    wanted: SYSTEM,
    layers: { dropIn: [], property: [], asked: [], effective: [], masks: [] },
    findings: layers.map((layer) => ({ layer, what: `${layer} differs` })),
  };
}

const found = (change: ViewChange, ...proofs: UnitProof[]) => driftFindings(viewWith(change), proofs);
const kinds = (change: ViewChange): string[] => found(change).map(({ severity, kind }) => `${severity} ${kind}`);
const causeOf = (change: ViewChange, one: UnitProof): string | undefined => found(change, one)[0]?.cause;

describe('who undid the set of a unit', () => {
  it('is told in one finding for all its layers', () => {
    expect(found({}, proof('system.slice', 'property', 'asked'))).toMatchObject([
      { kind: 'unit-property', subject: 'system.slice', what: 'property differs; asked differs', isFixable: true },
    ]);
  });

  it('is systemctl revert where its drop-in is gone', () => {
    const files = [{ path: OURS, text: 'x', purpose: 'p' }];
    const change: ViewChange = { wanted: { files }, traces: { texts: new Map([[OURS, undefined]]) } };
    expect(causeOf(change, proof('db.slice', 'dropIn'))).toMatch(/is gone: somebody ran systemctl revert db\.slice/);
    expect(kinds(change)).toEqual(['drift file-gone']);
  });

  it.each([
    ['/etc/systemd/system.control/system.slice.d/50-AllowedCPUs.conf', /set-property wrote .*=0-3\), which hides/],
    ['/run/systemd/system.control/system.slice.d/50-AllowedCPUs.conf', /such as a hook, set it until reboot/],
    ['/etc/systemd/system/system.slice.d/90-local.conf', /is read after the drop-in of the reservation/],
  ])('is who wrote %s', (path, cause) => {
    const ours = '/etc/systemd/system/slice.d/10-slicectl-cpus.conf';
    const change: ViewChange = {
      facts: { units: [unit('system.slice', [0, 1, 2, 3], { dropIns: [ours, path] })] },
      traces: { texts: new Map([[path, '[Slice]\nAllowedCPUs=\nAllowedCPUs=0-3\n']]) },
    };
    expect(causeOf(change, proof('system.slice', 'property'))).toMatch(cause);
  });

  it('is nobody where a unit came to the root slice later', () => {
    const units = [unit('odd.service', [], { slice: '-.slice' })];
    const wanted: ViewChange['wanted'] = {
      units: [{ unit: 'odd.service', role: 'system', cpus: SYSTEM, memoryNodes: [] }],
    };
    expect(causeOf({ facts: { units }, wanted }, proof('odd.service', 'property'))).toMatch(
      /started after the reservation/,
    );
  });

  it('is not what slicectl itself set until reboot', () => {
    const live = '/run/systemd/system.control/system.slice.d/50-AllowedCPUs.conf';
    const change: ViewChange = {
      facts: { units: [unit('system.slice', SYSTEM, { dropIns: [live] })] },
      tree: { groups: [group('/system.slice', ALL, ALL)] },
      traces: { texts: new Map([[live, '[Slice]\nAllowedCPUs=\nAllowedCPUs=0-5\n']]) },
    };
    expect(causeOf(change, proof('system.slice', 'asked'))).toMatch(/wrote cpuset\.cpus beside systemd/);
  });

  it('is intel-lpmd, or who else takes the controller away', () => {
    const traces = { rootControllers: ['memory'], meddlers: ['intel_lpmd'] as const };
    expect(causeOf({ traces }, proof('system.slice', 'asked'))).toMatch(/somebody \(intel_lpmd runs\) wrote -cpuset/);
  });

  it('is who wrote beside systemd where only the kernel differs', () => {
    const tree = { groups: [group('/system.slice', ALL, ALL)] };
    expect(causeOf({ tree }, proof('system.slice', 'asked'))).toMatch(/wrote cpuset\.cpus beside systemd/);
    const emptied = { groups: [group('/system.slice', [], ALL)] };
    expect(causeOf({ tree: emptied }, proof('system.slice', 'asked'))).toMatch(/switched off and on again/);
  });

  it('is nobody where its CPUs went offline', () => {
    const machine = { offline: [6, 7] };
    expect(causeOf({ machine }, proof('db.slice', 'effective'))).toMatch(/all of CPUs 6-7 are offline/);
    expect(kinds({ machine })).toEqual(['breach payload-offline']);
    expect(kinds({ machine: { offline: [7] } })).toEqual(['info payload-offline']);
  });
});

describe('what else is not as written down', () => {
  it('is nothing where all is', () => {
    expect(kinds({})).toEqual([]);
  });

  it('is a drop-in of ours without a reservation', () => {
    expect(kinds({ records: [], traces: { leftovers: [OURS] } })).toEqual(['drift file-left']);
  });

  it('is a file that somebody edited', () => {
    const files = [{ path: OURS, text: 'x', purpose: 'p' }];
    expect(kinds({ wanted: { files }, traces: { texts: new Map([[OURS, 'y']]) } })).toEqual(['drift file-changed']);
  });

  it('is a group of another maker that was made anew', () => {
    const tree = { groups: [group('/docker', [], ALL, { unit: undefined })] };
    expect(kinds({ tree, wanted: { groups: [{ path: '/docker', cpus: SYSTEM }] } })).toEqual(['drift group-cpuset']);
  });

  it("is a partition, with the kernel's reason and who overlaps", () => {
    const partition = { type: 'root' as const, invalid: 'Cpu list in cpuset.cpus not exclusive' };
    const tree = { groups: [group('/db.slice', [6, 7], [6, 7], { partition }), group('/vm.slice', [7], [7])] };
    const wanted = { partitions: [{ unit: 'db.slice', type: 'root' as const }] };
    expect(found({ tree, wanted })).toMatchObject([
      { kind: 'partition-invalid', severity: 'breach', cause: '/vm.slice asks for 7' },
    ]);
    const lost = {
      groups: [group('/db.slice', [6, 7], [6, 7], { partition: { type: 'member', invalid: undefined } })],
    };
    expect(kinds({ tree: lost, wanted })).toEqual(['drift partition-lost']);
  });

  it('is a CPU that a partition leaked', () => {
    const partition = { type: 'isolated' as const, invalid: undefined };
    const groups = [group('/db.slice', [6], [6], { partition })];
    expect(kinds({ tree: { groups, isolated: [6] } })).toEqual([]);
    expect(found({ tree: { groups, isolated: [4, 5, 6] } })).toMatchObject([
      { kind: 'isolated-leak', subject: 'CPUs 4-5' },
    ]);
  });

  it('is no program that meddles, but it is named', () => {
    const traces = { meddlers: ['intel_lpmd', 'tuned', 'irqbalance'] as const };
    expect(kinds({ traces })).toEqual(['info meddler', 'info meddler']);
    expect(kinds({ traces, records: [] })).toEqual([]);
  });

  it('is told of a reservation of several CPUs by their roles', () => {
    expect(found({ machine: { offline: [7] }, records: [DB] })[0]?.what).toBe(
      'payload CPUs 7 of db.slice are offline; it has 6',
    );
  });
});
