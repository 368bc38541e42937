import type { CgroupDriver, Finding, Source } from '../model.ts';
import type { DockerRules } from './rules.ts';

export const DRIVER_OPTION = 'native.cgroupdriver';

/** One entry of exec-opts or one `--exec-opt`, with its place. */
export interface ExecOpt {
  readonly text: string;
  readonly source: Source;
}

/** The driver that exec-opts give. */
export interface ChosenDriver {
  /** Undefined for the default, where no entry names one; `invalid` where dockerd refuses it. */
  readonly driver: CgroupDriver | 'invalid' | undefined;
  readonly source: Source | undefined;
  /** Entries for the driver that do not count. */
  readonly losers: readonly { readonly source: Source; readonly value: string }[];
}

/** `native.cgroupdriver` is trimmed and its letter case does not matter; the value is trimmed (daemon/daemon_unix.go). */
export function driverOf(text: string): string | undefined {
  const equals = text.indexOf('=');
  if (equals < 0 || text.slice(0, equals).trim().toLowerCase() !== DRIVER_OPTION) return undefined;
  return text.slice(equals + 1).trim();
}

export function chooseDriver(options: readonly ExecOpt[], { winner }: DockerRules): ChosenDriver {
  const entries = options.flatMap(({ text, source }) => {
    const value = driverOf(text);
    return value === undefined ? [] : [{ value, source }];
  });
  const chosen = winner === 'first' ? entries[0] : entries.at(-1);
  if (!chosen) return { driver: undefined, source: undefined, losers: [] };
  const { value, source } = chosen;
  const driver = value === '' ? undefined : value === 'systemd' || value === 'cgroupfs' ? value : 'invalid';
  return { driver, source, losers: entries.filter((entry) => entry !== chosen) };
}

/** What dockerd will not like in exec-opts, and what it takes without a word. */
export function lintExecOpts(options: readonly ExecOpt[], rules: DockerRules): readonly Finding[] {
  const findings = options.flatMap((option) => lintOne(option, rules));
  const { driver, source, losers } = chooseDriver(options, rules);
  const value = source === undefined ? '' : (driver ?? '');
  for (const loser of losers) {
    const isSame = loser.value === value;
    findings.push({
      severity: isSame ? 'info' : 'warning',
      code: 'docker-driver-twice',
      message: `${DRIVER_OPTION} is set more than once, and Docker ${rules.versions} takes the ${rules.winner} one, not ${loser.value || 'this one'}`,
      hint: 'leave one of them: the first counts until Docker 27, the last from 28',
      ...placeOf(loser.source),
    });
  }
  return findings;
}

function lintOne({ text, source }: ExecOpt, rules: DockerRules): Finding[] {
  const place = placeOf(source);
  const value = driverOf(text);
  if (value !== undefined && value !== '') return lintDriver(value, place);
  const [name = '', ...rest] = text.split('=');
  const isWhole = rest.length > 0 && name.trim() !== '' && rest.join('=').trim() !== '';
  const what = isWhole
    ? `${JSON.stringify(name.trim())} is no option of Docker`
    : `${JSON.stringify(text)} is not name=value`;
  return [
    rules.strictExecOpts
      ? {
          severity: 'error',
          code: 'docker-exec-opt',
          message: `Docker ${rules.versions} does not start with this entry of exec-opts: ${what}`,
          hint: `the only option on Linux is ${DRIVER_OPTION}`,
          ...place,
        }
      : {
          severity: 'warning',
          code: 'docker-exec-opt',
          message: `this entry of exec-opts does nothing, and Docker 28 will not start with it: ${what}`,
          hint: 'remove it',
          ...place,
        },
  ];
}

function lintDriver(value: string, place: Place): Finding[] {
  if (value === 'systemd' || value === 'cgroupfs') return [];
  const lower = value.toLowerCase();
  const isCase = lower === 'systemd' || lower === 'cgroupfs';
  return [
    {
      severity: 'error',
      code: 'docker-driver-value',
      message:
        value === 'none'
          ? `Docker does not start with ${DRIVER_OPTION}=none, which rootless Docker only reports`
          : `Docker does not start with ${DRIVER_OPTION}=${value}${isCase ? ', whose letters must be small' : ''}`,
      hint: isCase ? `write ${DRIVER_OPTION}=${lower}` : 'it is systemd or cgroupfs',
      ...place,
    },
  ];
}

type Place = Pick<Finding, 'path' | 'line' | 'column'>;

export function placeOf({ path, line, column }: Source): Place {
  return {
    ...(path !== undefined && { path }),
    ...(line !== undefined && { line }),
    ...(column !== undefined && { column }),
  };
}
