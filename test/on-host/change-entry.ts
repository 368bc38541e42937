import process from 'node:process';
import { apply } from '../../src/change/apply.ts';
import { removeFileStep } from '../../src/change/file-step.ts';
import { undo } from '../../src/change/undo.ts';
import { SlicectlError } from '../../src/core/errors.ts';
import { ModelHost } from '../change/ground.ts';

// A program of change-disk.test.ts: `entry.mjs ROOT apply|undo`, in a mount namespace that the test made.
const [root = '', action = ''] = process.argv.slice(2);
const host = new ModelHost(root);

async function act(): Promise<unknown> {
  if (action === 'undo') return undo(undefined, host.context());
  const plan = host.plan(
    host.file('/etc/big.conf', 'new\n'.repeat(10_000)),
    host.file('/etc/made/small.conf', 'new\n'.repeat(5_000)),
    removeFileStep(host.tree, '/etc/gone.conf', 'not needed any more'),
  );
  return apply(plan, host.context());
}

try {
  process.stdout.write(JSON.stringify(await act()));
} catch (error) {
  if (!(error instanceof SlicectlError)) throw error;
  const { code, message, hint } = error;
  process.stdout.write(JSON.stringify({ code, message, hint }));
}
