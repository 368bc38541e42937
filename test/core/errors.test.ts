import { describe, expect, it } from 'vitest';
import { badInput, errnoOf, quote, SlicectlError } from '../../src/core/errors.ts';

describe('the error class', () => {
  it('carries code, sentence, hint, facts and cause', () => {
    const cause = new Error('EBUSY');
    const error = new SlicectlError('E_CGROUP', 'the kernel refused', { hint: 'wait', data: { path: '/a' }, cause });
    expect(error).toBeInstanceOf(Error);
    expect({ ...error, message: error.message, cause: error.cause, name: error.name }).toMatchObject({
      name: 'SlicectlError',
      code: 'E_CGROUP',
      message: 'the kernel refused',
      hint: 'wait',
      data: { path: '/a' },
      cause,
    });
  });

  it('has no cause, hint or facts that were not given', () => {
    const error = badInput('no');
    expect('cause' in error).toBe(false);
    expect(error.hint).toBeUndefined();
    expect(error.data).toEqual({});
  });
});

describe('quoted text from outside', () => {
  it.each([
    ['plain', '"plain"'],
    ['say "hi"', '"say \\"hi\\""'],
    ['\u001b[31mred', '"\\u001b[31mred"'],
    ['\u009b31m', '"\\u009b31m"'],
    ['\u007f', '"\\u007f"'],
    ['a\nb', '"a\\nb"'],
    ['moc.\u202eexe', '"moc.\\u202eexe"'],
    ['\u2066x\u2069', '"\\u2066x\\u2069"'],
    ['grün', '"grün"'],
  ])('%j reaches the terminal as %s', (text, quoted) => {
    expect(quote(text)).toBe(quoted);
    expect(JSON.parse(quote(text))).toBe(text);
  });
});

describe('the errno of an error', () => {
  it.each([
    [Object.assign(new Error('x'), { code: 'ENOENT' }), 'ENOENT'],
    [Object.assign(new Error('x'), { code: 2 }), undefined],
    [new Error('x'), undefined],
    [{ code: 'ENOENT' }, undefined],
    [undefined, undefined],
  ])('of %o is %s', (error, code) => {
    expect(errnoOf(error)).toBe(code);
  });
});
