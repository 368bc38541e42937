import { expect, it } from 'vitest';
import { isAtLeast } from '../../src/core/program-version.ts';

it.each([
  ['28.5.2', '28.5', true],
  ['28.5.2+dfsg4', '28.5.2', true],
  ['1.6.20~ds1', '1.6.20', true],
  ['v1.33.0-rc1', '1.33', true],
  ['27.10.0', '28', false],
  ['1.9.9', '1.10', false],
  ['1.10', '1.9.9', true],
  ['5', '5.0.1', false],
  ['', '1.0', false],
])('%s is at least %s: %s', (version, minimum, answer) => expect(isAtLeast(version, minimum)).toBe(answer));
