import { badInput, quote } from '../errors.ts';
import type { Amount } from '../quantity.ts';
import { parseTimespan, printTimespan } from '../timespan.ts';
import { amountProperty } from './forms.ts';
import { asRow, type OomPolicy, type Row } from './row.ts';

function parseSpan(name: string): (text: string) => Amount {
  return (text) => {
    if (text.trim() === 'infinity') return 'infinity';
    const span = parseTimespan(text, name);
    if (span === 0n) throw badInput(`${name}=0 is no time at all`, 'write a span such as 30s, or infinity');
    return span;
  };
}

const runtimeMax: Row<Amount> = {
  name: 'RuntimeMaxSec',
  summary: 'How long the job may run; then it gets SIGTERM, and SIGKILL after TimeoutStopSec',
  unit: 'µs',
  scope: 'job',
  since: 244,
  example: '10min',
  flags: [
    {
      name: '--timeout',
      placeholder: '<span>',
      help: 'end the job after: 90, 10min, 1h 30min',
      parse: parseSpan('RuntimeMaxSec'),
    },
  ],
  ignored: [],
  parse: parseSpan('RuntimeMaxSec'),
  print: printTimespan,
  dbus: amountProperty('RuntimeMaxUSec'),
  ancestors: 'none',
};

const timeoutStop: Row<Amount> = {
  name: 'TimeoutStopSec',
  summary: 'How long a job that is being ended has between SIGTERM and SIGKILL; 90s is the default',
  unit: 'µs',
  scope: 'job',
  since: 209,
  example: '10s',
  flags: [],
  ignored: [],
  parse: parseSpan('TimeoutStopSec'),
  print: printTimespan,
  dbus: amountProperty('TimeoutStopUSec'),
  ancestors: 'none',
};

const POLICIES: readonly OomPolicy[] = ['continue', 'stop', 'kill'];

const oomPolicy: Row<OomPolicy> = {
  name: 'OOMPolicy',
  summary: 'After the kernel killed a process of the job for memory: continue, stop the job, or kill it all at once',
  unit: 'word',
  scope: 'job',
  since: 253,
  example: 'kill',
  flags: [],
  ignored: [],
  parse: (text) => {
    const policy = POLICIES.find((p) => p === text.trim());
    if (!policy) throw badInput(`OOMPolicy=${quote(text)} is not a policy`, `write ${POLICIES.join(', ')}`);
    return policy;
  },
  print: (value) => value,
  dbus: (value) => [['OOMPolicy', 's', value]],
  v2: {
    controller: 'memory',
    write: (value) => (value === 'kill' ? [{ controller: 'memory', file: 'memory.oom.group', text: '1' }] : []),
    read: (read) => {
      const group = read('memory', 'memory.oom.group')?.trim();
      return group === undefined ? undefined : group === '1' ? 'kill' : 'continue';
    },
  },
  ancestors: 'none',
};

export const lifetimeRows: readonly Row[] = [asRow(runtimeMax), asRow(timeoutStop), asRow(oomPolicy)];
