import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseVersion, unitNameOf, unitPath } from '../../src/dbus/names.ts';

const ROOT = '/org/freedesktop/systemd1/unit/';

describe('the object path of a unit', () => {
  it.each([
    ['foo-bar.scope', 'foo_2dbar_2escope'],
    ['a_b', 'a_5fb'],
    ['1-a2.slice', '_31_2da2_2eslice'],
    ['-.slice', '_2d_2eslice'],
    ['run\\x2d1.mount', 'run_5cx2d1_2emount'],
    ['é.service', '_c3_a9_2eservice'],
    ['', '_'],
  ])('of %j ends in %s', (name, label) => {
    expect(unitPath(name)).toBe(ROOT + label);
  });

  it('has only characters that D-Bus allows, and gives the name back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (name) => {
        const path = unitPath(name);
        expect(path.slice(ROOT.length)).toMatch(/^[A-Za-z0-9_]+$/);
        expect(unitNameOf(path)).toBe(name);
      }),
    );
  });

  it('is no unit path when it is elsewhere or badly escaped', () => {
    expect(unitNameOf('/org/freedesktop/systemd1/job/12')).toBeUndefined();
    expect(unitNameOf(`${ROOT}a_zz`)).toBeUndefined();
    expect(unitNameOf(`${ROOT}a/b`)).toBeUndefined();
  });
});

describe("systemd's version", () => {
  it.each([
    ['"245.4-1.fc32"', 245],
    ['v241-1', 241],
    ['252.39-1~deb12u1', 252],
    ['258~rc2', 258],
    ['systemd 249', 249],
    ['"v250"', 250],
    ['262', 262],
  ])('%s is %i', (text, major) => {
    expect(parseVersion(text)).toEqual({ major, text });
  });

  it('without a number is an error that quotes it', () => {
    expect(() => parseVersion('unknown')).toThrowError('"unknown"');
  });
});
