import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SlicectlError } from '../../src/core/errors.ts';
import { busPaths, escapeAddressValue, parseAddress, socketPaths } from '../../src/dbus/address.ts';

describe('a bus address', () => {
  it('gives the paths of its unix alternatives in order and passes over the rest', () => {
    const text = 'tcp:host=localhost,port=1;unix:path=/a,guid=00;unix:abstract=/b;unix:path=/c';
    expect(socketPaths(text)).toEqual(['/a', '/c']);
  });

  it('unescapes %xx, also bytes that make one UTF-8 character', () => {
    expect(socketPaths('unix:path=/tmp/a%3bb%2C%c3%a9')).toEqual(['/tmp/a;b,é']);
  });

  it('keeps an equals sign within a value', () => {
    expect(parseAddress('unix:path=/a=b')[0]?.keys.get('path')).toBe('/a=b');
  });

  it('names an abstract socket when nothing else is there', () => {
    expect(() => socketPaths('unix:abstract=/tmp/dbus-x')).toThrowError(/only an abstract socket/);
  });

  it.each([
    '',
    ';',
    'path=/a',
    ':path=/a',
    'unix:path',
    'unix:=x',
    'unix:path=/a%4',
    'unix:path=/a%zz',
    'unix:path=/a,path=/b',
  ])('refuses %j as E_INPUT and quotes it', (text) => {
    const attempt = () => parseAddress(text);
    expect(attempt).toThrowError(SlicectlError);
    expect(attempt).toThrowError(JSON.stringify(text));
  });

  it('gives any path back that was escaped into it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (path) => {
        expect(socketPaths(`unix:path=${escapeAddressValue(path)},guid=1`)).toEqual([path]);
      }),
    );
  });

  it('throws nothing but E_INPUT, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'unix:path=/a,;%2fg') }), (text) => {
        try {
          parseAddress(text);
        } catch (error) {
          expect(error).toMatchObject({ code: 'E_INPUT' });
        }
      }),
    );
  });
});

describe('the place of a bus', () => {
  const at = (env: Record<string, string>) => ({ env, uid: 1000 });

  it('is the usual one for the system', () => {
    expect(busPaths('system', at({ XDG_RUNTIME_DIR: '/run/user/1000' }))).toEqual([
      '/run/dbus/system_bus_socket',
      '/var/run/dbus/system_bus_socket',
    ]);
  });

  it('is the one of the environment alone, if that names one', () => {
    expect(busPaths('system', at({ DBUS_SYSTEM_BUS_ADDRESS: 'unix:path=/s' }))).toEqual(['/s']);
    expect(busPaths('user', at({ DBUS_SESSION_BUS_ADDRESS: 'unix:path=/u', XDG_RUNTIME_DIR: '/r' }))).toEqual(['/u']);
  });

  it('is in the runtime folder for a user, and in /run/user/UID without one', () => {
    expect(busPaths('user', at({ XDG_RUNTIME_DIR: '/r' }))).toEqual(['/r/bus']);
    expect(busPaths('user', at({ XDG_RUNTIME_DIR: '', DBUS_SESSION_BUS_ADDRESS: '' }))).toEqual(['/run/user/1000/bus']);
  });
});
