import { describe, expect, it } from 'vitest';
import { whenFree } from '../../src/cli/commands/when-free.ts';
import { type ErrorCode, SlicectlError } from '../../src/core/errors.ts';

/** Work that fails in these ways, one a time, and then gives how often it was asked. */
function failing(...codes: readonly ErrorCode[]) {
  let count = 0;
  return async (): Promise<number> => {
    count += 1;
    const code = codes[count - 1];
    if (code !== undefined) throw new SlicectlError(code, code);
    return count;
  };
}

describe('work that waits for its turn', () => {
  it('is done anew while another change is at work or came between', async () => {
    expect(await whenFree(failing('E_LOCKED', 'E_CHANGED', 'E_LOCKED'), 60_000, 0)).toBe(4);
  });

  it('fails as it does where that is no matter of time', async () => {
    await expect(whenFree(failing('E_LOCKED', 'E_STEP'), 60_000, 0)).rejects.toMatchObject({ code: 'E_STEP' });
  });

  it('fails where patience ends', async () => {
    await expect(whenFree(failing('E_LOCKED', 'E_LOCKED'), -1, 0)).rejects.toMatchObject({ code: 'E_LOCKED' });
  });
});
