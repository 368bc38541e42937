import { appendFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ChangeContext } from '../../src/change/engine.ts';
import { fileStep } from '../../src/change/file-step.ts';
import { openStore } from '../../src/change/journal.ts';
import type { ActionStep, ActionTable, CheckStep, CheckTable, Plan, Step, UnitStep } from '../../src/change/plan.ts';
import type { UnitControl } from '../../src/change/units.ts';
import { SlicectlError } from '../../src/core/errors.ts';
import { DISK, type Disk } from '../../src/host/disk.ts';
import { RootTree } from '../../src/host/root-tree.ts';
import { readSelf } from '../../src/host/self.ts';

/** Of every knob after a boot. */
const DEFAULT = 'all';

/** What a unit of the model host is doing: with which configuration it was started last. */
interface ModelUnit {
  activeState: string;
  sinceMs: number;
  /** The content of its file when it started or reloaded. */
  config: string | undefined;
}

/** The paths of plans for this host begin at `/`: a tree below a folder that takes itself for one. */
class ModelTree extends RootTree {
  override get isHost(): boolean {
    return true;
  }

  override onHost(target: string): string {
    return join(this.root, target);
  }
}

/**
 * A host in a folder: files below it, and units whose state is a file too, so that it outlives the process. Each unit
 * reads /etc/UNIT.conf when it starts; `broken` in it keeps the unit from starting.
 */
export class ModelHost {
  readonly root: string;
  readonly tree: RootTree;
  /** Called at the beginning of whatever a manager is asked to do. */
  onCall: (what: string) => void = () => undefined;

  constructor(root: string) {
    this.root = root;
    this.tree = new ModelTree(root);
    mkdirSync(join(root, 'etc'), { recursive: true });
    mkdirSync(join(root, 'units'), { recursive: true });
  }

  write(path: string, text: string): void {
    writeFileSync(join(this.root, path), text);
  }

  text(path: string): string | undefined {
    return this.tree.text(path);
  }

  unit(name: string): ModelUnit {
    const text = this.tree.text(`/units/${name}`);
    return text ? (JSON.parse(text) as ModelUnit) : { activeState: 'inactive', sinceMs: 0, config: undefined };
  }

  setUnit(name: string, unit: Partial<ModelUnit>): void {
    writeFileSync(join(this.root, 'units', name), JSON.stringify({ ...this.unit(name), ...unit }));
  }

  start(name: string): void {
    const config = this.#configOf(name);
    const isBroken = config?.includes('broken') ?? false;
    this.setUnit(name, { activeState: isBroken ? 'failed' : 'active', sinceMs: Date.now(), config });
    if (isBroken) throw new SlicectlError('E_JOB_FAILED', `the job of "${name}" ended with "failed": the unit failed`);
  }

  /** As a reboot: what is enabled starts with the files that are there, and nothing else runs. */
  reboot(enabled: readonly string[]): void {
    rmSync(join(this.root, 'knobs'), { recursive: true, force: true });
    for (const name of readdirSync(join(this.root, 'units'))) this.setUnit(name, { activeState: 'inactive' });
    for (const name of enabled) this.start(name);
  }

  readonly control: UnitControl = {
    job: async (verb, unit) => {
      this.#call(`${verb} ${unit}`);
      if (verb === 'stop') this.setUnit(unit, { activeState: 'inactive' });
      else if (verb === 'reload') this.setUnit(unit, { config: this.#configOf(unit) });
      else if (verb === 'restart' || this.unit(unit).activeState !== 'active') this.start(unit);
    },
    resetFailed: async (unit) => {
      this.#call(`reset-failed ${unit}`);
      if (this.unit(unit).activeState === 'failed') this.setUnit(unit, { activeState: 'inactive' });
    },
    reload: async () => this.#call('daemon-reload'),
    state: async (unit) => {
      const { activeState, sinceMs } = this.unit(unit);
      return { activeState, activeSinceMs: activeState === 'active' ? sinceMs : 0 };
    },
  };

  /** `runs-with`: the unit runs, and with just this configuration. */
  readonly checks: CheckTable = {
    'runs-with': async ({ unit = '', config }) => {
      const now = this.unit(unit);
      const ok = now.activeState === 'active' && now.config === config;
      return { ok, found: `${unit} is ${now.activeState} with ${now.config}` };
    },
  };

  /** A value of the kernel's: a boot forgets it, and so does `reboot`. */
  knob(name: string): string {
    return this.tree.text(`/knobs/${name}`) ?? DEFAULT;
  }

  setKnob(name: string, value: string): void {
    this.#call(`turn ${name} to ${value}`);
    mkdirSync(join(this.root, 'knobs'), { recursive: true });
    writeFileSync(join(this.root, 'knobs', name), value);
  }

  /** `turn` gives a knob a value; `stuck` is refused after it was set. */
  readonly actions: ActionTable = {
    turn: {
      assertAsPlanned: async ({ name, before }) => {
        if (this.knob(String(name)) !== before) throw new SlicectlError('E_CHANGED', `the knob ${name} changed`);
      },
      facts: async ({ name }) => ({ was: this.knob(String(name)) }),
      carryOut: async ({ name, after }) => {
        this.setKnob(String(name), String(after));
        if (after === 'stuck') throw new SlicectlError('E_NOT_IN_FORCE', `the knob ${name} is stuck`);
        return { turned: true };
      },
      takeBack: async ({ name, after }, { was }) => {
        const now = this.knob(String(name));
        if (now === after) this.setKnob(String(name), String(was));
        else if (now !== was) throw new SlicectlError('E_CHANGED', `somebody turned the knob ${name} to ${now}`);
      },
    },
  };

  context(disk: Disk = DISK): ChangeContext {
    const self = { ...readSelf(), uid: readSelf().uid, env: { HOME: join(this.root, 'home') } };
    return {
      tree: this.tree,
      uid: self.uid,
      disk,
      checks: this.checks,
      actions: this.actions,
      store: openStore(this.tree, { ...self, uid: 0 }, disk),
      manager: async () => this.control,
    };
  }

  /** Everything that lies in a folder and below, but for the model's own records. */
  files(folder = 'etc'): readonly string[] {
    return readdirSync(join(this.root, folder), { recursive: true, encoding: 'utf8' }).sort();
  }

  #configOf(unit: string): string | undefined {
    return this.tree.text(`/etc/${unit}.conf`);
  }

  #call(what: string): void {
    this.onCall(what);
    appendFileSync(join(this.root, 'calls'), `${what}\n`);
  }

  get calls(): readonly string[] {
    return (this.tree.text('/calls') ?? '').split('\n').filter((line) => line !== '');
  }

  file(path: string, text: string): readonly Step[] {
    return fileStep(this.tree, path, new TextEncoder().encode(text), `what ${path} is for`);
  }

  plan(...steps: readonly (Step | readonly Step[])[]): Plan {
    return { title: 'a test', root: this.tree.root, steps: steps.flat(), refusals: [], notes: [] };
  }
}

export function job(verb: UnitStep['verb'], unit: string, reset?: readonly string[]): Step {
  return { kind: 'unit', manager: 'system', unit, verb, ...(reset && { reset }), purpose: `that ${unit} reads it` };
}

export function turn(name: string, before: string, after: string): ActionStep & Step {
  return {
    kind: 'action',
    action: 'turn',
    parameters: { name, before, after },
    does: `turn ${name} to ${after}`,
    doesBack: `turn ${name} to ${before}`,
    details: [`${before} → ${after}`],
    subjects: [`the knob ${name}`],
    purpose: 'a test',
  };
}

export const RELOAD: Step = { kind: 'reload', manager: 'system', purpose: 'new unit files' };

export function runsWith(unit: string, config: string, before?: string): Step {
  const check: CheckStep & Step = {
    kind: 'check',
    check: 'runs-with',
    expect: { unit, config },
    ...(before !== undefined && { expectBefore: { unit, config: before } }),
    purpose: `${unit} runs with ${config}`,
  };
  return check;
}
