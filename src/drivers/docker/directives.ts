import { isAtLeast } from '../../core/program-version.ts';

/** What a directive's value must be in JSON. `flag` has no place in the file: the key is taken and nothing reads it. */
export type DirectiveType =
  | 'string'
  | 'strings'
  | 'boolean'
  | 'integer'
  | 'texts'
  | 'switches'
  | 'object'
  | 'objects'
  | 'groups'
  | 'anything'
  | 'flag';

/** One setting of dockerd: its key in daemon.json and its option, of which only one may be used. */
export interface Directive {
  /** In daemon.json. */
  readonly key: string;
  /** Without dashes; undefined where there is none. */
  readonly flag: string | undefined;
  readonly letter?: string;
  readonly type: DirectiveType;
  /** The option takes no value. */
  readonly isSwitch?: boolean;
  /** First version that has it, `major.minor`. */
  readonly since?: string;
  /** First version that refuses it. */
  readonly until?: string;
  /** First version with the option, where the key is older. */
  readonly flagSince?: string;
  /** The object of the file in which it is read; at the top it is taken for known and does nothing. */
  readonly inside?: string;
}

type Row = readonly [key: string, type: DirectiveType, options?: Partial<Directive>];

/**
 * cmd/dockerd/config*.go and options.go (from 29 daemon/command), and daemon/config/config*.go of moby, v20.10.0 to
 * v29.7.2; what 26.1.5 and 28.5.2 make of the keys was tried.
 */
const ROWS: readonly Row[] = [
  ['allow-direct-routing', 'boolean', { since: '28.2' }],
  ['allow-nondistributable-artifacts', 'strings'],
  ['api-cors-header', 'string', { until: '28.0' }],
  ['authorization-plugins', 'strings', { flag: 'authorization-plugin' }],
  ['bip', 'string'],
  ['bip6', 'string', { since: '28.0' }],
  ['bridge', 'string', { letter: 'b' }],
  ['bridge-accept-fwmark', 'string', { since: '29.0' }],
  ['builder', 'object', { flag: undefined }],
  ['cdi-spec-dirs', 'strings', { flag: 'cdi-spec-dir', since: '25.0' }],
  ['cgroup-parent', 'string'],
  ['cluster-advertise', 'string', { until: '24.0' }],
  ['cluster-store', 'string', { until: '24.0' }],
  ['cluster-store-opts', 'texts', { flag: 'cluster-store-opt', until: '24.0' }],
  ['config-file', 'flag'],
  ['containerd', 'string'],
  ['containerd-namespace', 'string'],
  ['containerd-plugins-namespace', 'flag'],
  ['cpu-rt-period', 'integer'],
  ['cpu-rt-runtime', 'integer'],
  ['cri-containerd', 'boolean'],
  ['data-root', 'string'],
  ['debug', 'boolean', { letter: 'D' }],
  ['default-address-pools', 'objects', { flag: 'default-address-pool' }],
  ['default-cgroupns-mode', 'string'],
  ['default-gateway', 'string'],
  ['default-gateway-v6', 'string'],
  ['default-ipc-mode', 'string'],
  ['default-network-opts', 'groups', { flag: 'default-network-opt', since: '24.0' }],
  ['default-runtime', 'string'],
  ['default-shm-size', 'string'],
  ['default-stop-timeout', 'integer', { since: '29.7' }],
  ['default-ulimits', 'groups', { flag: 'default-ulimit' }],
  ['deprecated-key-path', 'anything', { flag: undefined }],
  ['dns', 'strings'],
  ['dns-opts', 'strings', { flag: 'dns-opt' }],
  ['dns-search', 'strings'],
  ['exec-opts', 'strings', { flag: 'exec-opt' }],
  ['exec-root', 'string'],
  ['experimental', 'boolean'],
  ['features', 'switches', { flag: 'feature', flagSince: '27.3' }],
  ['firewall-backend', 'string', { since: '29.0' }],
  ['fixed-cidr', 'string'],
  ['fixed-cidr-v6', 'string'],
  ['graph', 'string', { letter: 'g', until: '23.0' }],
  ['group', 'string', { letter: 'G' }],
  ['help', 'flag', { letter: 'h', isSwitch: true }],
  ['host-gateway-ip', 'string'],
  ['host-gateway-ips', 'strings', { flag: 'host-gateway-ip', since: '28.0' }],
  ['hosts', 'strings', { flag: 'host', letter: 'H' }],
  ['http-proxy', 'string', { since: '23.0', inside: 'proxies' }],
  ['https-proxy', 'string', { since: '23.0', inside: 'proxies' }],
  ['icc', 'boolean'],
  ['init', 'boolean'],
  ['init-path', 'string'],
  ['insecure-registries', 'strings', { flag: 'insecure-registry' }],
  ['ip', 'string'],
  ['ip-forward', 'boolean'],
  ['ip-forward-no-drop', 'boolean', { since: '28.0' }],
  ['ip-masq', 'boolean'],
  ['ip6tables', 'boolean'],
  ['iptables', 'boolean'],
  ['ipv6', 'boolean'],
  ['labels', 'strings', { flag: 'label' }],
  ['live-restore', 'boolean'],
  ['log-driver', 'string'],
  ['log-format', 'string', { since: '25.0' }],
  ['log-level', 'string', { letter: 'l' }],
  ['log-opts', 'texts', { flag: 'log-opt' }],
  ['max-concurrent-downloads', 'integer'],
  ['max-concurrent-uploads', 'integer'],
  ['max-download-attempts', 'integer'],
  ['metrics-addr', 'string'],
  ['min-api-version', 'string', { flag: undefined, since: '29.0' }],
  ['mtu', 'integer'],
  ['network-control-plane-mtu', 'integer'],
  ['network-diagnostic-port', 'integer'],
  ['no-new-privileges', 'boolean'],
  ['no-proxy', 'string', { since: '23.0', inside: 'proxies' }],
  ['node-generic-resources', 'strings', { flag: 'node-generic-resource' }],
  ['nri-opts', 'object', { since: '29.2' }],
  ['oom-score-adjust', 'integer', { until: '26.0' }],
  ['pidfile', 'string', { letter: 'p' }],
  ['proxies', 'texts', { flag: undefined, since: '23.0' }],
  ['raw-logs', 'boolean'],
  ['registry-mirrors', 'strings', { flag: 'registry-mirror' }],
  ['restart', 'flag', { letter: 'r', isSwitch: true }],
  ['rootless', 'boolean'],
  ['runtimes', 'groups', { flag: 'add-runtime' }],
  ['seccomp-profile', 'string'],
  ['selinux-enabled', 'boolean'],
  ['shutdown-timeout', 'integer'],
  ['storage-driver', 'string', { letter: 's' }],
  ['storage-opts', 'strings', { flag: 'storage-opt' }],
  ['swarm-default-advertise-addr', 'string'],
  ['tls', 'boolean'],
  ['tlscacert', 'string'],
  ['tlscert', 'string'],
  ['tlskey', 'string'],
  ['tlsverify', 'boolean'],
  ['userland-proxy', 'boolean'],
  ['userland-proxy-path', 'string'],
  ['userns-remap', 'string'],
  ['validate', 'flag', { since: '23.0', isSwitch: true }],
  ['version', 'flag', { letter: 'v', isSwitch: true }],
];

export const DIRECTIVES: readonly Directive[] = ROWS.map(([key, type, options = {}]) => ({
  key,
  flag: key,
  type,
  isSwitch: type === 'boolean',
  ...options,
}));

/**
 * Objects whose members are values and not directives. The members of all others are taken for directives of the top
 * (`configValuesSet` in daemon/config/config.go).
 */
export const FLAT: ReadonlySet<string> = new Set([
  'builder',
  'cluster-store-opts',
  'default-network-opts',
  'default-ulimits',
  'features',
  'log-opts',
  'nri-opts',
  'runtimes',
]);

/** The one directive that may be in the file and on the command line (`skipDuplicates`). */
export const MAY_BE_BOTH = 'runtimes';

/** Whether a version takes the key; an unknown version is taken to know all. */
export function isKnown({ since, until }: Directive, version: string | undefined): boolean {
  if (version === undefined) return true;
  return isAtLeast(version, since ?? '0') && !(until !== undefined && isAtLeast(version, until));
}
