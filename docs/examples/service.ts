// A command that systemd starts, and that goes on when this process ends. Needs systemd.
import { Launcher, SlicectlError } from 'slicectl';

const launcher = await Launcher.open();
try {
  const service = await launcher.startDetached('sleep', ['1'], {
    limits: { MemoryMax: '64M', RuntimeMaxSec: '10min' },
  });
  console.log('started', service.unit);
  const job = await launcher.launchService('sh', ['-c', 'exit 3'], { limits: { MemoryMax: '64M' } });
  console.log((await job.result).cause);
} catch (error) {
  if (!(error instanceof SlicectlError) || error.code !== 'E_INPUT') throw error;
  console.log(error.message);
} finally {
  launcher.close();
}
