import { describe, expect, it } from 'vitest';
import { debugText, errorLine, faultLine } from '../../src/cli/render/error.ts';
import { badInput, SlicectlError } from '../../src/core/errors.ts';

describe('errors on the command line', () => {
  it('are one line with the way out', () => {
    expect(errorLine(badInput('"1g" is not a size', 'write 1G'))).toBe('slicectl: "1g" is not a size; write 1G\n');
    expect(errorLine(badInput('the command is empty'))).toBe('slicectl: the command is empty\n');
  });

  it('stay one line with one end when others wrote them', () => {
    const error = new SlicectlError('E_BUS', 'Unit failed.\n  See the journal.\n', { hint: 'Look there.' });
    expect(errorLine(error)).toBe('slicectl: Unit failed. See the journal; Look there\n');
  });

  it('let nothing from a file or a name move the cursor', () => {
    const error = new SlicectlError('E_FILE', 'no \u001b[2Jname', { hint: 'see \u0007it' });
    expect(errorLine(error)).toBe('slicectl: no \\u001b[2Jname; see \\u0007it\n');
  });

  it('ask for a report when nobody foresaw them', () => {
    for (const fault of [new TypeError('x is not\na function'), 'text', undefined]) {
      expect(faultLine(fault)).toMatch(/^slicectl: [^\n]*report[^\n]*\n$/);
    }
    expect(faultLine(new TypeError('x is not a function'))).not.toMatch(/ {4}at /);
  });

  it('show their stack and cause for debugging', () => {
    const text = debugText(new SlicectlError('E_GATE', 'outer', { cause: new Error('inner') }));
    expect(text).toMatch(/outer[\s\S]*\n {4}at [\s\S]*inner/);
  });
});
