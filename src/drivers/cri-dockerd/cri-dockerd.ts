import { setTimeout as sleep } from 'node:timers/promises';
import type { CheckTable, Step } from '../../change/plan.ts';
import { isAtLeast } from '../../core/program-version.ts';
import { packageVersion } from '../../host/packages.ts';
import { ifReadable } from '../../host/readable.ts';
import { CriClient } from '../cri/client.ts';
import { docker } from '../docker/docker.ts';
import type {
  AlignRequest,
  Configured,
  DriverHost,
  Finding,
  Observed,
  Runtime,
  RuntimePlan,
  RuntimeStatus,
} from '../model.ts';
import { readServiceCommand } from '../service/command.ts';
import { findFlags } from '../service/flags.ts';
import { readLoaded } from '../service/loaded.ts';

export interface CriDockerdFacts {
  readonly unit: string;
  readonly version: string | undefined;
  /** On this host. */
  readonly socket: string;
  readonly isActive: boolean;
  readonly observed: Observed | undefined;
  /** Docker's own row, where Docker is there. */
  readonly docker: RuntimeStatus | undefined;
  readonly problems: readonly Finding[];
}

const UNIT = 'cri-docker.service';
const PROGRAMS = ['/usr/bin/cri-dockerd', '/usr/local/bin/cri-dockerd'];
/** %t/cri-dockerd.sock of cri-docker.socket. */
const SOCKET = '/run/cri-dockerd.sock';
/** The first one with RuntimeConfig. */
const TELLS_SINCE = '0.4.0';
const PATIENCE_MS = 30_000;
const PAUSE_MS = 300;

/** cri-dockerd has no driver of its own: at its start it takes Docker's, and keeps that until its next start. */
export const criDockerd: Runtime<CriDockerdFacts> = {
  name: 'cri-dockerd',

  async read(host) {
    const { tree, live, assumed } = host;
    const command = readServiceCommand(tree, UNIT);
    const packaged = packageVersion(tree, ['cri-dockerd', 'cri-docker'])?.version;
    const program = PROGRAMS.find((path) => ifReadable(() => tree.kind(path)) === 'file');
    const isThere = command !== undefined || packaged !== undefined || program !== undefined;
    const isToCome = live === undefined && assumed.has('cri-dockerd');
    if (!isThere && !isToCome) return [];
    const endpoint = command && findFlags(command, ['--container-runtime-endpoint']).at(-1)?.value;
    const path = endpoint?.startsWith('unix://') ? endpoint.slice('unix://'.length) : SOCKET;
    const socket = tree.onHost(tree.follow(path));
    const unit = command?.unit ?? UNIT;
    const loaded = live?.system && (await readLoaded(live.system, unit));
    const answer = live && (await new CriClient(socket).runtimeConfig());
    const driver = answer?.ok ? answer.value : undefined;
    return [
      {
        unit,
        version: assumed.get('cri-dockerd') ?? packaged,
        socket,
        isActive: loaded === undefined ? driver !== undefined : loaded.activeState === 'active',
        observed: driver && { driver, how: 'cri', text: `RuntimeConfig on ${socket}` },
        docker: await dockerRow(host),
        problems: command?.problems ?? [],
      },
    ];
  },

  status: (facts) => [statusOf(facts)],
  plan: planCriDockerd,
  checks: () => CHECKS,
};

/** The Docker that it speaks to: the one of the whole host. */
async function dockerRow(host: DriverHost): Promise<RuntimeStatus | undefined> {
  const rows = (await docker.read(host)).flatMap((facts) => docker.status(facts));
  return rows.find(({ instance }) => instance === '') ?? rows[0];
}

function statusOf({ version, unit, observed, docker: followed, problems }: CriDockerdFacts): RuntimeStatus {
  return {
    runtime: 'cri-dockerd',
    instance: '',
    version,
    unit,
    running: observed,
    configured: configuredOf(followed),
    findings: [...problems, ...withoutDocker(followed), ...tellsNothing(version)],
    follows: 'docker',
  };
}

function configuredOf(followed: RuntimeStatus | undefined): Configured {
  const source = { kind: 'runtime', text: "Docker's driver" } as const;
  return { driver: followed?.configured.driver, source, shadowed: [] };
}

function withoutDocker(followed: RuntimeStatus | undefined): Finding[] {
  if (followed !== undefined) return [];
  return [
    {
      severity: 'error',
      code: 'cri-dockerd-without-docker',
      message: 'cri-dockerd is there and Docker is not, so that it does not start',
      hint: 'install Docker, or remove cri-dockerd',
    },
  ];
}

function tellsNothing(version: string | undefined): Finding[] {
  if (version === undefined || isAtLeast(version, TELLS_SINCE)) return [];
  return [
    {
      severity: 'info',
      code: 'cri-dockerd-no-runtime-config',
      message: `cri-dockerd ${version} does not tell the kubelet its driver: the kubelet's own setting must be Docker's`,
      hint: `cri-dockerd ${TELLS_SINCE} does`,
    },
  ];
}

/** No file: it is restarted after Docker, since it keeps the driver of its own start (core/docker_service.go). */
function planCriDockerd(facts: CriDockerdFacts, { to }: AlignRequest): RuntimePlan {
  const { isActive, docker: followed, observed, unit, socket } = facts;
  const dockerChanges = followed?.configured.driver !== to || (followed.running?.driver ?? to) !== to;
  const restarts = isActive && (dockerChanges || (observed !== undefined && observed.driver !== to));
  const check: Step = {
    kind: 'check',
    check: 'cri-dockerd-driver',
    expect: { driver: to, socket },
    ...(observed !== undefined && { expectBefore: { driver: observed.driver, socket } }),
    ...(observed !== undefined && { purposeBefore: `cri-dockerd tells the kubelet ${observed.driver}` }),
    purpose: `cri-dockerd tells the kubelet ${to}`,
  };
  const purpose = "cri-dockerd takes Docker's driver at its start only";
  const restart: Step = { kind: 'unit', manager: 'system', unit, verb: 'restart', reset: [unit], purpose };
  return {
    runtime: 'cri-dockerd',
    instance: '',
    files: [],
    reload: false,
    before: [],
    after: restarts ? [restart, ...(observed === undefined ? [] : [check])] : [],
    refusals: [],
    notes: restarts
      ? [
          {
            severity: 'impact',
            text: "cri-dockerd is restarted after Docker, and Docker's pods are those of the kubelet",
          },
        ]
      : [],
  };
}

const CHECKS: CheckTable = {
  'cri-dockerd-driver': async ({ driver = '', socket = '' }) => {
    const client = new CriClient(socket);
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      const answer = await client.runtimeConfig();
      if (answer.ok) return { ok: answer.value === driver, found: `cri-dockerd says ${answer.value ?? 'no driver'}` };
      if (Date.now() > end) return { ok: false, found: answer.failure.message };
      await sleep(PAUSE_MS);
    }
  },
};
