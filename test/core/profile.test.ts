import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { layered, readAssignments, valuesOf } from '../../src/core/limits.ts';
import { parseProfile, profilePaths } from '../../src/core/profile.ts';
import { PROPERTIES } from '../../src/core/properties/table.ts';
import { MACHINE, refusal } from './support.ts';

const parse = (text: string) => parseProfile(text, 'build.ini');
const values = (text: string) => valuesOf(layered([readAssignments(parse(text), MACHINE)]));

describe('a profile', () => {
  it('gives its keys with the lines they stand on', () => {
    const text = '# for builds\n\nMemoryMax=1G\n; half a CPU\n[Limits]\r\nCPUQuota = 50%\n\tTasksMax=64';
    expect(parse(text)).toEqual([
      { name: 'MemoryMax', text: '1G', source: 'build.ini:3' },
      { name: 'CPUQuota', text: '50%', source: 'build.ini:6' },
      { name: 'TasksMax', text: '64', source: 'build.ini:7' },
    ]);
  });

  it('gives a repeated key once for each line, across sections too', () => {
    const text = 'AllowedCPUs=0\nAllowedCPUs=2\n[Slice]\nAllowedCPUs=4\n[Scope]\nAllowedCPUs=6\n';
    expect(parse(text).map(({ text, source }) => [text, source])).toEqual([
      ['0', 'build.ini:1'],
      ['2', 'build.ini:2'],
      ['4', 'build.ini:4'],
      ['6', 'build.ini:6'],
    ]);
    expect(values(text)).toEqual({ AllowedCPUs: [0, 2, 4, 6] });
  });

  it('forgets a property at an empty value', () => {
    expect(parse('MemoryMax=')).toEqual([{ name: 'MemoryMax', text: '', source: 'build.ini:1' }]);
    expect(values('AllowedCPUs=0-3\nAllowedCPUs=\nAllowedCPUs=7')).toEqual({ AllowedCPUs: [7] });
  });

  it.each([
    '[Limits]',
    '[Scope]',
    '[Service]',
    '[Slice]',
    '  [Limits]  ',
    '[Limits] ; ours',
  ])('takes the section %j', (section) => {
    expect(parse(`${section}\nMemoryMax=1G`)).toHaveLength(1);
  });

  it.each([
    ['MemoryMax="1G"', '1G'],
    ["MemoryMax='1G'", '1G'],
    ["TasksMax='64'", '64'],
    ["MemoryMax='18446744073709551614'", '18446744073709551614'],
    ['MemoryMax=1G ; enough', '1G'],
    ['MemoryMax=1G # enough', '1G'],
    ['OOMPolicy=true', 'true'],
    ['OOMPolicy=false # no', 'false'],
    ['OOMPolicy=null', 'null'],
    ['OOMPolicy=\'{"a":1}\'', '{"a":1}'],
    ['IOReadBandwidthMax="/dev/disk/by-id/a b" 10M', '"/dev/disk/by-id/a b" 10M'],
    ['IOReadBandwidthMax=/dev/disk/by-id/a\\x20b 10M', '/dev/disk/by-id/a\\x20b 10M'],
    ['\ufeffMemoryMax=1G', '1G'],
  ])('reads %j as the text %j', (line, text) => {
    expect(parse(line)[0]?.text).toBe(text);
  });

  it('with every example of the table gives every limit', () => {
    const lines = PROPERTIES.map((row) => `${row.name}=${row.example}`);
    expect(Object.keys(values(lines.join('\n')))).toEqual(PROPERTIES.map((row) => row.name));
  });

  it('that is empty, or only comments, gives nothing', () => {
    for (const text of ['', '\n\n', '# nothing\n;\n', '[Limits]\n']) expect(parse(text)).toEqual([]);
  });

  it.each([
    ['MemoryMx=1G', 'build.ini:2: "MemoryMx" is not a limit that slicectl knows', 'did you mean MemoryMax?'],
    ['CPUShares=5', 'build.ini:2: CPUShares is a property that systemd no longer obeys', 'write CPUWeight'],
    ['MemoryMax[]=1', 'build.ini:2: "MemoryMax[]" is not a limit that slicectl knows', 'did you mean MemoryMax?'],
    ['constructor=1', 'build.ini:2: "constructor" is not a limit', 'slicectl run --help lists the properties'],
    ['MemoryMax', 'build.ini:2: "MemoryMax" is not Name=value', 'write a limit such as MemoryMax=1G'],
    ['=1G', 'build.ini:2: "=1G" is not Name=value', 'write a limit such as MemoryMax=1G'],
    ['__proto__=1', 'build.ini:2: "__proto__=1" is not Name=value', 'write a limit such as MemoryMax=1G'],
    ['[Unit]', 'build.ini:2: a profile has no section "Unit"', 'write [Limits], [Scope], [Service], [Slice] or none'],
    ['[limits]', 'build.ini:2: a profile has no section "limits"', 'did you mean [Limits]?'],
    ['[Slice.x]', 'build.ini:2: a profile has no section "Slice.x"', 'did you mean [Slice]?'],
    ['[__proto__]', 'build.ini:2: a profile has no section "__proto__"', 'write [Limits], [Scope], [Service]'],
    ['[]', 'build.ini:2: a profile has no section ""', 'write [Limits], [Scope], [Service]'],
    ['[Limits', 'build.ini:2: "[Limits" is not a section', 'write [Limits]'],
    ['[Limits] TasksMax=5', 'build.ini:2: "[Limits] TasksMax=5" is not a section', 'write [Limits]'],
    ['[a=1', 'build.ini:2: "[a=1" is not a section', 'write [Limits]'],
  ])('refuses the line %j with its number', (line, message, hint) => {
    const error = refusal(() => parse(`TasksMax=1\n${line}`));
    expect(error.code).toBe('E_PROFILE');
    expect(error.message).toContain(message);
    expect(error.hint).toContain(hint);
  });

  it('names the line of a value that cannot be right', () => {
    expect(refusal(() => values('TasksMax=1\n\nMemoryMax=1g'))).toMatchObject({
      code: 'E_PROFILE',
      message: 'build.ini:3: MemoryMax="1g" is not a size',
      hint: 'write 1G: suffixes are upper-case K M G T P E',
      data: { source: 'build.ini:3' },
    });
  });

  it('of any text is read or refused as a profile, and never breaks', () => {
    const pieces = fc.constantFrom(...'=[];#\'"\\ \n\r.', 'MemoryMax', 'Limits', '1G', 'true', '__proto__', '\0', 'é');
    fc.assert(
      fc.property(
        fc.array(pieces, { maxLength: 12 }).map((found) => found.join('')),
        (text) => {
          try {
            for (const { text: value } of parse(text)) expect(typeof value).toBe('string');
          } catch (error) {
            expect(error).toMatchObject({ code: 'E_PROFILE', message: expect.stringMatching(/^build\.ini:\d+: /) });
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('the files of a profile', () => {
  const home = { home: '/home/ann', xdgConfigHome: undefined };

  it.each([
    ['build', ['/home/ann/.config/slicectl/profiles/build.ini', '/etc/slicectl/profiles/build.ini']],
    ['build.ini', ['/home/ann/.config/slicectl/profiles/build.ini', '/etc/slicectl/profiles/build.ini']],
    ['gcc-14.2', ['/home/ann/.config/slicectl/profiles/gcc-14.2.ini', '/etc/slicectl/profiles/gcc-14.2.ini']],
    ['./build.ini', ['./build.ini']],
    ['../build', ['../build']],
    ['/srv/build.ini', ['/srv/build.ini']],
    ['jobs/build', ['jobs/build']],
    ['.build.ini', ['.build.ini']],
  ])('of %j are %j', (name, paths) => {
    expect(profilePaths(name, home)).toEqual(paths);
  });

  it('lie below XDG_CONFIG_HOME when it is absolute, else below ~/.config', () => {
    const of = (xdgConfigHome: string | undefined) => profilePaths('a', { home: '/home/ann', xdgConfigHome })[0];
    expect(of('/cfg')).toBe('/cfg/slicectl/profiles/a.ini');
    expect(of('')).toBe('/home/ann/.config/slicectl/profiles/a.ini');
    expect(of('cfg')).toBe('/home/ann/.config/slicectl/profiles/a.ini');
  });

  it('are only the administrator’s for a user without a home', () => {
    expect(profilePaths('a', { home: undefined, xdgConfigHome: undefined })).toEqual(['/etc/slicectl/profiles/a.ini']);
  });

  it.each(['', '..', 'a..b', '.hidden', '-x', 'a b', 'a\nb', 'ä', 'a*', '~', 'a\0/b'])('%j is refused', (name) => {
    const error = refusal(() => profilePaths(name, home));
    expect(error.code).toBe('E_INPUT');
    expect(error.message).toContain(JSON.stringify(name));
    expect(error.hint).toMatch(/^write a name/);
  });
});
