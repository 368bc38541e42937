import { type IndexSet, indexSetToBytes, parseIndexSet, printIndexSet } from '../cpuset.ts';
import { badInput, quote } from '../errors.ts';
import { asRow, type CgroupForm, type Controller, type Row } from './row.ts';

function setFile(file: 'cpuset.cpus' | 'cpuset.mems', effective: string): CgroupForm<IndexSet> {
  const controller: Controller = 'cpuset';
  return {
    controller,
    write: (value) => [{ controller, file, text: printIndexSet(value) }],
    read: (read) => {
      const content = read(controller, effective);
      return content === undefined ? undefined : parseIndexSet(content, file);
    },
  };
}

/** A set with a member: systemd and the kernel take the empty one as "all", which nobody means by `,`. */
function someOf(text: string, name: string): IndexSet {
  const set = parseIndexSet(text, name);
  if (set.length === 0) throw badInput(`${name}=${quote(text)} names no index`, 'write 0-3,8');
  return set;
}

function setRow(
  spec: Pick<Row<IndexSet>, 'summary' | 'flags'> & { readonly name: 'AllowedCPUs' | 'AllowedMemoryNodes' },
): Row<IndexSet> {
  const file = spec.name === 'AllowedCPUs' ? 'cpuset.cpus' : 'cpuset.mems';
  return {
    ...spec,
    unit: 'set of indices',
    scope: 'group',
    since: 244,
    example: '0-3,8',
    ignored: [
      'on cgroup v1, where systemd does not manage cpuset',
      'in a user manager that has no cpuset controller delegated, which is the default',
      'when no index of the set is online: the kernel then allows them all',
    ],
    parse: (text) => someOf(text, spec.name),
    join: (before, next) => [...new Set([...before, ...next])].sort((a, b) => a - b),
    print: printIndexSet,
    dbus: (value) => [[spec.name, 'ay', indexSetToBytes(value)]],
    v2: setFile(file, `${file}.effective`),
    v1: setFile(file, file === 'cpuset.cpus' ? 'cpuset.effective_cpus' : 'cpuset.effective_mems'),
    ancestors: 'effective',
  };
}

const allowedCpus = setRow({
  name: 'AllowedCPUs',
  summary: 'The CPUs that the job may run on',
  flags: [
    {
      name: '--cpus',
      placeholder: '<list>',
      help: 'CPUs to run on: 0-3,8',
      parse: (text) => someOf(text, '--cpus'),
    },
  ],
});

const allowedMemoryNodes = setRow({
  name: 'AllowedMemoryNodes',
  summary: 'The NUMA nodes that the job may take memory from',
  flags: [],
});

export const setRows: readonly Row[] = [asRow(allowedCpus), asRow(allowedMemoryNodes)];
