import { isAtLeast } from '../../core/program-version.ts';

/** What depends on dockerd's version. */
export interface DockerRules {
  /** In words: `until 20.10`. */
  readonly versions: string;
  /** First version they hold for. */
  readonly since: string;
  /** Which of two entries for the driver counts. */
  readonly winner: 'first' | 'last';
  /** An unknown option or one without `=` in exec-opts keeps the daemon from starting. */
  readonly strictExecOpts: boolean;
  /** A byte order mark is understood, UTF-16 with it. */
  readonly bom: boolean;
  /** A file without a value counts as an empty one. */
  readonly empty: boolean;
  /** What follows the first value is not looked at. */
  readonly ignoresMore: boolean;
  /** The file must be UTF-8. */
  readonly utf8: boolean;
  /** There is `dockerd --validate`. */
  readonly validate: boolean;
  /** The default is systemd where systemd and cgroup v2 are (4714ab5d6c of 2020); else always cgroupfs. */
  readonly systemdByDefault: boolean;
  /** A multicast fixed-cidr-v6 keeps the daemon from starting. */
  readonly checksSubnets: boolean;
  /** Addresses of dns are read as Go's net.IP: blanks around one are no longer cut off, and an empty one is passed over. */
  readonly exactAddresses: boolean;
}

const OLD = {
  winner: 'first',
  strictExecOpts: false,
  bom: false,
  empty: false,
  ignoresMore: true,
  utf8: false,
  validate: false,
  systemdByDefault: true,
  checksSubnets: false,
  exactAddresses: false,
} as const;

const MIDDLE = { ...OLD, bom: true, empty: true, ignoresMore: false, utf8: true, validate: true } as const;

const NEW = { ...MIDDLE, winner: 'last', strictExecOpts: true, checksSubnets: true, exactAddresses: true } as const;

/**
 * Tried with 20.10.24, 26.1.5 and 28.5.2; the bounds are from moby's tags (daemon/config/config.go, daemon/daemon_unix.go;
 * exec-opts: d7f59cec05 of 2025).
 */
const TABLE: readonly DockerRules[] = [
  { versions: 'before 20.10', since: '0', ...OLD, systemdByDefault: false },
  { versions: '20.10', since: '20.10', ...OLD },
  { versions: '23 and 24', since: '23.0', ...MIDDLE },
  { versions: '25 to 27', since: '25.0', ...MIDDLE, exactAddresses: true },
  { versions: '28 and later', since: '28.0', ...NEW },
];

/** The rules of a version; of an unknown one, those of the newest. */
export function rulesOf(version: string | undefined): DockerRules {
  const found = TABLE.findLast(({ since }) => version === undefined || isAtLeast(version, since));
  return found ?? (TABLE[0] as DockerRules);
}
