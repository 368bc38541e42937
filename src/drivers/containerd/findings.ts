import type { Finding } from '../model.ts';
import { isVersion2 } from './dialect.ts';
import type { ContainerdFacts } from './facts.ts';
import { at, silentFindings } from './mentions.ts';
import {
  announced,
  goneShims,
  isLinuxShim,
  isTemplate,
  pluginSwitch,
  RUNC_TYPE,
  type RuntimeTable,
  SWITCH,
} from './runtime-tables.ts';
import { findLeaf, findTable } from './tree.ts';

/** Why containerd would not start with these files. */
export function startFaults({ config, main, dump, dialect }: ContainerdFacts): readonly Finding[] {
  if (config.files.length === 0 && config.faults.length === 0 && main.isGiven && !main.isUncertain) {
    return [
      {
        severity: 'error',
        code: 'containerd-config-missing',
        message: `--config names ${main.path}, which does not exist: containerd does not start`,
        hint: 'make the file: "containerd config default" prints one',
        path: main.path,
      },
    ];
  }
  const bom = config.files.find(({ text }) => text.bom);
  const [fault] = config.faults;
  if (fault?.code === 'containerd-syntax') return [dump?.ok === true ? notRead(fault) : unreadable(fault)];
  if (fault !== undefined) return [fault];
  if (bom !== undefined && isVersion2(dialect)) {
    return [
      {
        severity: 'error',
        code: 'containerd-byte-order-mark',
        message: `${bom.path} begins with a byte order mark, with which containerd 2.x does not start`,
        hint: 'save it as UTF-8 without one',
        path: bom.path,
      },
    ];
  }
  if (dump?.ok !== false) return [];
  return [
    {
      severity: 'error',
      code: 'containerd-config-refused',
      message: `containerd does not take its configuration: ${dump.message}`,
      path: main.path,
    },
  ];
}

function unreadable(fault: Finding): Finding {
  const hint = fault.hint ?? 'correct the file first: slicectl does not repair what it cannot read';
  return { ...fault, message: `containerd does not start: ${fault.message}`, hint };
}

/** containerd 1.x takes some files that are not TOML 1.0. */
function notRead(fault: Finding): Finding {
  return {
    ...fault,
    code: 'containerd-not-toml',
    message: `${fault.message}. This containerd takes the file all the same, later ones do not; what it says is not known here`,
    hint: 'write it as TOML 1.0',
  };
}

/** Why the CRI plugin would be left out, with a warning in the log, while the rest of containerd starts. */
export function criFaults({ config, dialect, runtimes }: ContainerdFacts): readonly Finding[] {
  const { cri } = config;
  const isAbsent = (name: string): boolean =>
    findTable(cri, ['containerd', 'runtimes', name]) === undefined &&
    runtimes?.every((runtime) => runtime.name !== name) === true;
  const named = findLeaf(cri, ['containerd', 'default_runtime_name']);
  const first = runtimes?.find(({ isDefault }) => isDefault);
  const forAll = pluginSwitch(cri);
  const faults: Finding[] = [];
  const template = [named, ...(runtimes ?? []).map(({ table }) => findLeaf(table, ['runtime_type']))].find(
    (leaf) => typeof leaf?.value === 'string' && isTemplate(leaf.value),
  );
  if (template !== undefined) {
    return [
      {
        severity: 'error',
        code: 'containerd-template',
        message: `this is a template: something has to put a value for ${String(template.value)} before containerd can use it`,
        hint: 'change what the template is filled in by, such as MicroK8s',
        ...at(template.at),
      },
    ];
  }
  for (const [runtime, type] of dialect === undefined ? [] : goneShims(config, dialect)) {
    faults.push({
      severity: 'error',
      code: 'containerd-gone-shim',
      message: `no pod of the runtime ${runtime} starts: containerd 2.0 has dropped its runtime_type ${type.value}`,
      hint: `set runtime_type = "${RUNC_TYPE}"`,
      ...at(type.at),
    });
  }
  const name = typeof named?.value === 'string' ? named.value : 'runc';
  if (first === undefined && isAbsent(name) && (named !== undefined || cri !== undefined)) {
    faults.push({
      severity: 'error',
      code: 'containerd-no-default-runtime',
      message: `the default runtime ${JSON.stringify(name)} has no table in containerd.runtimes: the CRI plugin does not load`,
      hint: 'give it a table, or set default_runtime_name to one that has',
      ...at(named?.at ?? cri?.at ?? { path: '', line: 1, column: 1, keys: [] }),
    });
  }
  if (!isVersion2(dialect) && forAll?.value === true && first !== undefined && !isLinuxShim(first)) {
    faults.push({
      severity: 'error',
      code: 'containerd-systemd-cgroup',
      message: `systemd_cgroup = true is only for io.containerd.runtime.v1.linux: with ${first.type ?? 'this runtime'} the CRI plugin does not load`,
      hint: `set it to false, and ${SWITCH} = true in the options of the runtimes`,
      ...at(forAll.at),
    });
  }
  return faults;
}

/** What is worth knowing of the whole, besides what stops it. */
export function generalFindings(facts: ContainerdFacts): readonly Finding[] {
  const { version, config, dialect, runtimes, running, command } = facts;
  return [
    ...(version === undefined ? [unknownVersion(facts)] : []),
    ...(version === undefined || runtimes === undefined ? [] : silentFindings(config, dialect, version, runtimes)),
    ...(runtimes === undefined || version === undefined ? [] : mixedFindings(facts, runtimes)),
    ...(command?.problems ?? []),
    ...disagreement(facts),
    ...(running === undefined ? [] : runningFindings(facts)),
  ];
}

function unknownVersion({ runtimes }: ContainerdFacts): Finding {
  const effect = runtimes === undefined ? ', and its versions read these files differently' : '';
  return {
    severity: 'warning',
    code: 'containerd-version-unknown',
    message: `neither the program nor a package says which containerd this is${effect}`,
    hint: 'say it with --assume containerd=1.7.24',
  };
}

/** One kubelet is told one driver, and each runtime does what its own table says. */
function mixedFindings({ dialect }: ContainerdFacts, runtimes: readonly RuntimeTable[]): readonly Finding[] {
  const told = isVersion2(dialect) ? announced(runtimes) : runtimes[0]?.driver;
  const others = runtimes.filter(({ driver }) => driver !== undefined && driver !== told);
  const [first] = others;
  if (told === undefined || first === undefined) return [];
  const names = others.map(({ name }) => name).join(', ');
  const what = isVersion2(dialect) ? `RuntimeConfig tells the kubelet ${told}` : `the default runtime has ${told}`;
  const place = (first.decider ?? first.table)?.at;
  return [
    {
      severity: 'warning',
      code: 'containerd-mixed',
      message: `${what}, but ${names} ${others.length === 1 ? 'has' : 'have'} ${first.driver}: pods of the one or the other fail`,
      hint: `set ${SWITCH} alike in the options of all runtimes`,
      ...(place !== undefined && at(place)),
    },
  ];
}

/** containerd's own merging against ours: one of them would be wrong. */
function disagreement({ dump, config, runtimes, disabledAt, main }: ContainerdFacts): readonly Finding[] {
  if (dump?.ok !== true || config.faults.length > 0 || runtimes === undefined || disabledAt !== undefined) return [];
  const wrong = runtimes.filter(({ name, driver, type }) => {
    const own = dump.drivers.get(name);
    return type === RUNC_TYPE && own !== undefined && driver !== undefined && own !== driver;
  });
  return wrong.map(({ name, driver }) => ({
    severity: 'warning',
    code: 'containerd-dump-differs',
    message: `"containerd config dump" gives ${name} ${dump.drivers.get(name)}, and by its files it is ${driver}`,
    hint: 'please report this with the files; containerd is right',
    path: main.path,
  }));
}

function runningFindings({ running, version, config, disabledAt }: ContainerdFacts): readonly Finding[] {
  const findings: Finding[] = [];
  if (running === undefined) return findings;
  const { loaded, failure, socket } = running;
  if (loaded?.needDaemonReload) {
    findings.push({
      severity: 'warning',
      code: 'need-daemon-reload',
      message: `files of ${loaded.id} have changed since systemd read them`,
      hint: 'systemctl daemon-reload',
    });
  }
  if (running.version !== undefined && version !== undefined && running.version !== version) {
    findings.push({
      severity: 'info',
      code: 'containerd-version-differs',
      message: `containerd ${running.version} runs, and its next start will be ${version}`,
    });
  }
  const isUp = loaded === undefined || loaded.activeState === 'active';
  if (failure !== undefined && disabledAt === undefined && isUp && failure.reason !== 'absent') {
    findings.push({
      severity: failure.reason === 'unimplemented' ? 'warning' : 'info',
      code: 'containerd-cri-silent',
      message: `the driver in force cannot be seen: ${failure.message}`,
      hint: hintFor(failure.reason, socket),
    });
  }
  const startedMs = loaded?.activeState === 'active' ? loaded.activeEnterTimestampMs : undefined;
  const newer = config.files.find(({ mtimeMs }) => startedMs !== undefined && mtimeMs > startedMs);
  if (newer !== undefined && running.drivers === undefined) {
    findings.push({
      severity: 'info',
      code: 'containerd-config-newer',
      message: `${newer.path} has changed since containerd started, which reads it at its start only`,
      path: newer.path,
    });
  }
  return findings;
}

function hintFor(reason: string, socket: string): string {
  if (reason === 'denied') return 'run it as root';
  if (reason === 'unimplemented') return 'look in "journalctl -u containerd" for why the CRI plugin did not load';
  return `see what listens on ${socket}`;
}

/** What is wrong with one runtime's table. */
export function tableFindings({ name, type, decider, driver, table }: RuntimeTable): readonly Finding[] {
  const findings: Finding[] = [];
  if (driver === undefined && decider !== undefined) {
    findings.push({
      severity: 'error',
      code: 'containerd-not-boolean',
      message: `${SWITCH} of ${name} is neither true nor false: no pod of it starts`,
      hint: 'write it without quotes',
      ...at(decider.at),
    });
  }
  if (type === undefined && table !== undefined) {
    findings.push({
      severity: 'warning',
      code: 'containerd-no-runtime-type',
      message: `the runtime ${name} has no runtime_type: no pod of it starts`,
      hint: `set runtime_type = "${RUNC_TYPE}"`,
      ...at(table.at),
    });
  }
  return findings;
}
