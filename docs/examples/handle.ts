// The handle of a running job: output, figures so far, a new limit, freeze and thaw, signals.
import { text } from 'node:stream/consumers';
import { launch } from 'slicectl';

const job = await launch('sh', ['-c', 'echo ready; exec sleep 60'], {
  limits: { MemoryMax: '64M' },
  stdio: ['ignore', 'pipe', 'inherit'],
});
const output = job.stdout ? text(job.stdout) : '';
console.log('pid', job.pid, 'in', job.cgroup);

console.log('notes:', await job.set({ MemoryMax: '32M', TasksMax: 8 }));
await job.freeze();
await job.thaw();
console.log('peak so far', job.stats().memory.peakBytes, 'bytes');

await job.kill('SIGTERM');
const receipt = await job.result;
console.log(JSON.stringify(await output), receipt.exit.signal);
