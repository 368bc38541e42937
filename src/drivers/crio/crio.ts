import { setTimeout as sleep } from 'node:timers/promises';
import type { CheckTable } from '../../change/plan.ts';
import { packageVersion } from '../../host/packages.ts';
import { ifReadable } from '../../host/readable.ts';
import type { RootTree } from '../../host/root-tree.ts';
import type { Finding, Runtime, RuntimeStatus } from '../model.ts';
import { readServiceCommand, type ServiceCommand } from '../service/command.ts';
import { readLoaded } from '../service/loaded.ts';
import { PlannedTree } from '../service/planned-tree.ts';
import { askCrio, type CrioDaemon, readInfo } from './daemon.ts';
import { type CrioPlaces, placesOf } from './files.ts';
import { planCrio } from './plan.ts';
import { type CrioSettings, readSettings } from './settings.ts';
import { validateFiles } from './validate.ts';
import { type CrioRules, rulesOf } from './versions.ts';

export interface CrioFacts {
  readonly tree: RootTree;
  readonly isLive: boolean;
  readonly unit: string;
  readonly command: ServiceCommand | undefined;
  readonly version: string | undefined;
  readonly rules: CrioRules;
  readonly places: CrioPlaces;
  readonly settings: CrioSettings;
  /** On this host, where the CRI is spoken. */
  readonly socket: string;
  /** Undefined where nothing runs. */
  readonly daemon: CrioDaemon | undefined;
  readonly isActive: boolean;
  readonly needDaemonReload: boolean;
}

const UNIT = 'crio.service';
const PROGRAMS = ['/usr/bin/crio', '/usr/local/bin/crio', '/usr/libexec/crio/crio'];
const PATIENCE_MS = 30_000;
const PAUSE_MS = 300;

/** CRI-O: one instance a host. */
export const crio: Runtime<CrioFacts> = {
  name: 'crio',

  async read(host) {
    const { tree, live, assumed } = host;
    const command = readServiceCommand(tree, UNIT);
    const packaged = assumed.get('crio') ?? packageVersion(tree, ['cri-o', 'crio'])?.version;
    const program = programOf(tree, command);
    const isThere = command ?? packaged ?? program ?? ifReadable(() => tree.text('/etc/crio/crio.conf'));
    if (isThere === undefined) return [];
    const unit = command?.unit ?? UNIT;
    const loaded = live?.system && (await readLoaded(live.system, unit));
    const first = readWith(tree, command, packaged);
    const socket = tree.onHost(tree.follow(first.settings.listen));
    const daemon = live && (await askCrio(socket));
    const version = daemon?.version ?? packaged;
    const isActive = loaded === undefined ? daemon?.observed !== undefined : loaded.activeState === 'active';
    return [
      {
        ...(version === packaged ? first : readWith(tree, command, version)),
        tree,
        isLive: live !== undefined,
        unit,
        command,
        version,
        socket,
        daemon,
        isActive,
        needDaemonReload: loaded?.needDaemonReload ?? false,
      },
    ];
  },

  status: (facts) => [statusOf(facts)],
  plan: planCrio,

  async validate({ tree, command, places }, plan) {
    const program = programOf(tree, command);
    if (program === undefined) return [];
    return validateFiles(tree.onHost(program), new PlannedTree(tree, plan.files), places);
  },

  checks: () => CHECKS,
};

function readWith(
  tree: RootTree,
  command: ServiceCommand | undefined,
  version: string | undefined,
): Pick<CrioFacts, 'rules' | 'places' | 'settings'> {
  const rules = rulesOf(version);
  const places = placesOf(command, rules);
  return { rules, places, settings: readSettings(tree, places, rules) };
}

function programOf(tree: RootTree, command: ServiceCommand | undefined): string | undefined {
  const named = command?.wrapper === false ? command.program?.text : undefined;
  const paths = [...(named?.startsWith('/') && /\/crio$/.test(named) ? [named] : []), ...PROGRAMS];
  const found = paths.find((path) => ifReadable(() => tree.kind(path)) === 'file');
  return found === undefined ? undefined : tree.follow(found);
}

function statusOf(facts: CrioFacts): RuntimeStatus {
  const { version, unit, command, daemon, settings } = facts;
  return {
    runtime: 'crio',
    instance: '',
    version,
    unit: command === undefined ? undefined : unit,
    running: daemon?.observed,
    configured: settings.configured,
    findings: [...settings.findings, ...(command?.problems ?? []), ...stale(facts), ...silent(facts)],
  };
}

function stale({ needDaemonReload, unit }: CrioFacts): Finding[] {
  if (!needDaemonReload) return [];
  return [
    {
      severity: 'warning',
      code: 'need-daemon-reload',
      message: `systemd has an older ${unit} loaded than its files say`,
      hint: 'systemctl daemon-reload',
    },
  ];
}

function silent({ isActive, daemon, socket }: CrioFacts): Finding[] {
  if (!isActive || daemon?.observed !== undefined) return [];
  const message = `CRI-O runs and does not say its driver on ${JSON.stringify(socket)}`;
  return [{ severity: 'warning', code: 'crio-silent', message, hint: 'run it as root' }];
}

const CHECKS: CheckTable = {
  'crio-driver': async ({ driver = '', socket = '' }) => {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      const { driver: found, reason } = await readInfo(socket);
      if (found !== undefined) return { ok: found === driver, found: `CRI-O says that it uses ${found}` };
      if (Date.now() > end) return { ok: false, found: `CRI-O on ${JSON.stringify(socket)} ${reason}` };
      await sleep(PAUSE_MS);
    }
  },
};
