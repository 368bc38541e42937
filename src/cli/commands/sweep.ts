import { Launcher } from '../../job/launcher.ts';
import { print } from '../output.ts';

/** `slicectl sweep`: what went, one name a line. */
export async function sweep(options: { user?: boolean; system?: boolean; json?: boolean }): Promise<number> {
  const launcher = await Launcher.open(
    options.user ? { manager: 'user' } : options.system ? { manager: 'system' } : {},
  );
  try {
    const swept = await launcher.sweep();
    if (options.json) print(`${JSON.stringify({ backend: launcher.backend, swept })}\n`);
    else print(swept.map((name) => `${name}\n`).join(''));
    return 0;
  } finally {
    launcher.close();
  }
}
