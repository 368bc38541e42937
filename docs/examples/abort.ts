// An AbortSignal kills every process of the job.
import { launch } from 'slicectl';

const job = await launch('sh', ['-c', 'sleep 60 & sleep 60'], { signal: AbortSignal.timeout(500) });
const { cause, status, leftRunning } = await job.result;
console.log(`${cause}; status ${status}, ${leftRunning} left running`);
