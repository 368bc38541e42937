import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matches, matchText } from '../../src/dbus/match.ts';

const signal = { sender: ':1.2', path: '/a/b', interface: 'x.Y', member: 'Z', body: ['arg', 1] };

describe('a match rule', () => {
  it('is written in one order, whatever the order of its keys', () => {
    const text = "type='signal',sender='x.y',path='/a',interface='x.Y',member='Z',arg0='v'";
    expect(matchText({ sender: 'x.y', path: '/a', interface: 'x.Y', member: 'Z', arg0: 'v' })).toBe(text);
    expect(matchText({ arg0: 'v', member: 'Z', interface: 'x.Y', path: '/a', sender: 'x.y' })).toBe(text);
    expect(matchText({ pathNamespace: '/a' })).toBe("type='signal',path_namespace='/a'");
  });

  it('cannot be broken out of by an apostrophe', () => {
    expect(matchText({ arg0: "a',member='b" })).toBe("type='signal',arg0='a'\\'',member='\\''b'");
  });

  it('has different texts for different values', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        expect(matchText({ arg0: a }) === matchText({ arg0: b })).toBe(a === b);
      }),
    );
  });

  it.each([
    [{}, true],
    [{ path: '/a/b', interface: 'x.Y', member: 'Z', arg0: 'arg' }, true],
    [{ path: '/a' }, false],
    [{ interface: 'x' }, false],
    [{ member: 'ZZ' }, false],
    [{ arg0: '1' }, false],
    [{ pathNamespace: '/a' }, true],
    [{ pathNamespace: '/a/b' }, true],
    [{ pathNamespace: '/' }, true],
    [{ pathNamespace: '/a/b/c' }, false],
    [{ pathNamespace: '/a/' }, false],
  ])('%j fits the signal: %s', (rule, expected) => {
    expect(matches(rule, signal)).toBe(expected);
  });

  it('does not take a longer name for a path below', () => {
    expect(matches({ pathNamespace: '/a' }, { ...signal, path: '/ab' })).toBe(false);
  });
});
