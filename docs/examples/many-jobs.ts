// A hundred jobs over one connection, eight at a time.
import { Launcher, type Receipt } from 'slicectl';

const launcher = await Launcher.open();
const waiting = Array.from({ length: 100 }, (_, index) => `echo ${index} >/dev/null`);
const receipts: Receipt[] = [];

async function work(): Promise<void> {
  for (let script = waiting.shift(); script !== undefined; script = waiting.shift()) {
    const job = await launcher.launch('sh', ['-c', script], { limits: { TasksMax: 16 } });
    receipts.push(await job.result);
  }
}

try {
  await Promise.all(Array.from({ length: 8 }, work));
} finally {
  launcher.close();
}
console.log(receipts.filter(({ status }) => status === 0).length, 'jobs succeeded');
