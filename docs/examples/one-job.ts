// One command under limits, and what it used.
import { launch } from 'slicectl';

const job = await launch('sh', ['-c', 'head -c 20M /dev/zero | tail | wc -c'], {
  limits: { MemoryMax: '64M', CPUQuota: '50%' },
});
const receipt = await job.result;

console.log(receipt.cause, 'in', receipt.wallUsec / 1000n, 'ms');
for (const { name, inForce, heldBy } of receipt.limits) console.log(name, inForce, 'by', heldBy);
console.log('peak', receipt.figures.memory.peakBytes, 'bytes');
