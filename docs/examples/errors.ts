// What cannot be done is refused before the command has run.
import { launch, type Receipt, SlicectlError } from 'slicectl';

async function run(command: string, args: readonly string[]): Promise<Receipt | undefined> {
  try {
    const job = await launch(command, args, { limits: { MemoryMax: '256M' } });
    return await job.result;
  } catch (error) {
    if (!(error instanceof SlicectlError)) throw error;
    if (error.code === 'E_COMMAND_NOT_FOUND') console.log('no such command:', error.data.command);
    else console.log(`${error.code}: ${error.message}`, error.hint ?? '');
    return undefined;
  }
}

console.log((await run('true', []))?.cause);
await run('no-such-command', []);
