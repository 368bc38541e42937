import { setTimeout as sleep } from 'node:timers/promises';
import { Message, type MessageBus, sessionBus, Variant } from 'dbus-next';

const NAME = 'org.freedesktop.systemd1';
const PATH = '/org/freedesktop/systemd1';
const MANAGER = `${NAME}.Manager`;
const ERROR = 'org.freedesktop.DBus.Error.';

/** A call as it came in: variants are dbus-next's, with the signature that was on the wire. */
export interface RecordedCall {
  readonly member: string;
  readonly interface: string;
  readonly path: string;
  readonly sender: string;
  readonly signature: string;
  readonly body: readonly unknown[];
}

export interface Behaviour {
  /** When JobRemoved comes, seen from the reply that names the job. */
  jobRemoved: 'before' | 'after' | 'never';
  jobResult: string;
  version: string;
  /** The manager's own cgroup. */
  controlGroup: string;
  /** Properties that this version does not have. */
  readonly unknownProperties: Set<string>;
  /** Methods that are refused with AccessDenied. */
  readonly denied: Set<string>;
  /** Methods that are never answered. */
  readonly silent: Set<string>;
  /** Told of a StartTransientUnit before and after its units are made; `false` leaves it at that, without an answer. */
  onStart: (moment: 'asked' | 'made', start: StartCall) => boolean | undefined;
  /** Told of each call before it is answered. */
  onCall: (call: RecordedCall) => void;
}

/** What StartTransientUnit was called with. */
export interface StartCall {
  readonly unit: string;
  readonly properties: ReadonlyMap<string, Variant>;
  readonly auxiliary: readonly string[];
}

export interface FakeUnit {
  readonly properties: Map<string, Variant>;
  activeState: string;
  refs: number;
  /** `loaded` unless told. */
  readonly loadState?: string;
  /** What runs in it: cgroup, PID and command. */
  readonly processes?: readonly (readonly [string, number, string])[];
}

interface Reply {
  readonly signature?: string;
  readonly body?: unknown[];
  /** What happens after the reply was sent. */
  readonly afterwards?: () => void;
}

class Refusal extends Error {
  readonly errorName: string;

  constructor(errorName: string, text: string) {
    super(text);
    this.errorName = errorName;
  }
}

/** A systemd manager for a private bus, which does what `behaviour` says and writes down what it was asked. */
export class FakeSystemd {
  readonly behaviour: Behaviour = {
    jobRemoved: 'after',
    jobResult: 'done',
    version: '257.9-1~deb13u1',
    controlGroup: '',
    unknownProperties: new Set(),
    denied: new Set(),
    silent: new Set(),
    onStart: () => undefined,
    onCall: () => undefined,
  };
  readonly units = new Map<string, FakeUnit>();
  readonly calls: RecordedCall[] = [];
  readonly #path: string;
  readonly #subscribed = new Set<string>();
  #bus: MessageBus | undefined;
  #lastJob = 0;

  private constructor(path: string) {
    this.#path = path;
  }

  static async start(busPath: string): Promise<FakeSystemd> {
    const fake = new FakeSystemd(busPath);
    await fake.connect();
    return fake;
  }

  async connect(): Promise<void> {
    const bus = sessionBus({ busAddress: `unix:socket=${this.#path}` });
    bus.on('error', () => undefined);
    await new Promise<void>((resolve) => bus.on('connect', resolve));
    bus.addMethodHandler((message: Message) => this.#onCall(bus, message));
    this.#bus = bus;
    await bus.requestName(NAME, 0);
  }

  /** Leaves the bus, as the manager does for daemon-reexec: callers are told NoReply. */
  disconnect(): void {
    this.#bus?.disconnect();
    this.#bus = undefined;
  }

  /** Comes back under a new unique name. */
  async restart(gapMs = 20): Promise<void> {
    this.disconnect();
    await sleep(gapMs);
    await this.connect();
  }

  emit(member: string, signature: string, body: unknown[], path = PATH, iface = MANAGER): void {
    this.#bus?.send(Message.newSignal(path, iface, member, signature, body));
  }

  removeJob(job: string, unit: string, result: string): void {
    this.emit('JobRemoved', 'uoss', [Number(job.slice(job.lastIndexOf('/') + 1)), job, unit, result]);
  }

  callsOf(member: string): readonly RecordedCall[] {
    return this.calls.filter((call) => call.member === member);
  }

  #onCall(bus: MessageBus, message: Message): boolean {
    const { member, path, sender, signature, body } = message;
    if (message.interface !== MANAGER && message.interface !== 'org.freedesktop.DBus.Properties') return false;
    // What came in with the last bytes of a connection that was left.
    if (bus !== this.#bus) return true;
    const call = { member, interface: message.interface, path, sender, signature, body };
    this.calls.push(call);
    this.behaviour.onCall(call);
    if (this.behaviour.silent.has(member)) return true;
    try {
      if (this.behaviour.denied.has(member)) throw new Refusal(`${ERROR}AccessDenied`, 'Access denied');
      const reply = this.#answer(message);
      if (reply === undefined) return true;
      bus.send(Message.newMethodReturn(message, reply.signature ?? '', reply.body ?? []));
      reply.afterwards?.();
    } catch (error) {
      const name = error instanceof Refusal ? error.errorName : `${ERROR}Failed`;
      const text = error instanceof Error ? error.message : String(error);
      bus.send(refuse(message, name, text));
    }
    return true;
  }

  #answer(message: Message): Reply | undefined {
    const [first, second, third] = message.body as [string, unknown, unknown];
    switch (message.member) {
      case 'Subscribe':
        if (this.#subscribed.has(message.sender)) {
          throw new Refusal(`${NAME}.AlreadySubscribed`, 'Client is already subscribed.');
        }
        this.#subscribed.add(message.sender);
        return {};
      case 'StartTransientUnit':
        return this.#start(first, third as [string, Variant][], message.body[3] as [string, [string, Variant][]][]);
      case 'StartUnit':
      case 'RestartUnit': {
        const unit = this.units.get(first);
        if (unit !== undefined && this.behaviour.jobResult === 'done') unit.activeState = 'active';
        return this.#job(first);
      }
      case 'Reload':
        return {};
      case 'GetUnitProcesses':
        return { signature: 'a(sus)', body: [(this.#unit(first).processes ?? []).map((row) => [...row])] };
      case 'StopUnit':
        this.#unit(first);
        this.units.delete(first);
        return this.#job(first);
      case 'KillUnit':
      case 'FreezeUnit':
      case 'ThawUnit':
        this.#unit(first);
        return {};
      case 'ResetFailedUnit':
        if (this.#unit(first).activeState === 'failed') this.units.delete(first);
        return {};
      case 'SetUnitProperties':
        this.#set(this.#unit(first), third as [string, Variant][]);
        return {};
      case 'RefUnit':
        this.#unit(first).refs += 1;
        return {};
      case 'UnrefUnit': {
        const unit = this.#unit(first);
        if (unit.refs === 0) throw new Refusal(`${NAME}.NotReferenced`, 'Unit is not referenced by the client.');
        unit.refs -= 1;
        return {};
      }
      case 'GetUnit':
        this.#unit(first);
        return { signature: 'o', body: [unitPath(first)] };
      case 'ListUnitsByNames':
        return { signature: 'a(ssssssouso)', body: [(message.body as [string[]])[0].map((name) => this.#row(name))] };
      case 'ListUnitsByPatterns':
        return { signature: 'a(ssssssouso)', body: [this.#list(message.body as [string[], string[]])] };
      case 'Get': {
        const value = this.#properties(message.path).get(second as string);
        if (value === undefined) throw new Refusal(`${ERROR}UnknownProperty`, `Unknown property ${String(second)}.`);
        return { signature: 'v', body: [value] };
      }
      case 'GetAll':
        return { signature: 'a{sv}', body: [Object.fromEntries(this.#properties(message.path))] };
      default:
        throw new Refusal(`${ERROR}UnknownMethod`, `Unknown method ${message.member}.`);
    }
  }

  #start(unit: string, properties: [string, Variant][], auxiliary: [string, [string, Variant][]][]): Reply | undefined {
    const { onStart } = this.behaviour;
    const start = { unit, properties: new Map(properties), auxiliary: auxiliary.map(([name]) => name) };
    if (onStart('asked', start) === false) return undefined;
    for (const [, own] of auxiliary) this.#check(own);
    this.#make(unit, properties);
    for (const [name, own] of auxiliary) this.#make(name, own);
    if (onStart('made', start) === false) return undefined;
    return this.#job(unit);
  }

  #job(unit: string): Reply {
    this.#lastJob += 1;
    const job = `${PATH}/job/${this.#lastJob}`;
    const { jobRemoved, jobResult } = this.behaviour;
    const remove = () => this.removeJob(job, unit, jobResult);
    if (jobRemoved === 'before') remove();
    return { signature: 'o', body: [job], ...(jobRemoved === 'after' && { afterwards: remove }) };
  }

  #make(name: string, properties: readonly [string, Variant][]): void {
    if (this.units.has(name)) {
      throw new Refusal(`${NAME}.UnitExists`, `Unit ${name} was already loaded or has a fragment file.`);
    }
    const unit: FakeUnit = { properties: new Map(), activeState: 'active', refs: 0 };
    this.#set(unit, properties);
    if (this.behaviour.jobResult !== 'done') unit.activeState = 'failed';
    this.units.set(name, unit);
  }

  // All are checked before any is set.
  #set(unit: FakeUnit, properties: readonly [string, Variant][]): void {
    this.#check(properties);
    for (const [name, value] of properties) unit.properties.set(name, value);
  }

  #check(properties: readonly [string, Variant][]): void {
    for (const [name] of properties) {
      if (!this.behaviour.unknownProperties.has(name)) continue;
      throw new Refusal(`${ERROR}PropertyReadOnly`, `Cannot set property ${name}, or unknown property.`);
    }
  }

  #unit(name: string): FakeUnit {
    const unit = this.units.get(name);
    if (unit === undefined) throw new Refusal(`${NAME}.NoSuchUnit`, `Unit ${name} not loaded.`);
    return unit;
  }

  #properties(path: string): Map<string, Variant> {
    if (path === PATH) {
      const { version, controlGroup } = this.behaviour;
      return new Map([
        ['Version', new Variant('s', version)],
        ['SystemState', new Variant('s', 'running')],
        ['ControlGroup', new Variant('s', controlGroup)],
      ]);
    }
    for (const [name, unit] of this.units) {
      if (unitPath(name) !== path) continue;
      return new Map([
        ['Id', new Variant('s', name)],
        ['ActiveState', new Variant('s', unit.activeState)],
        ...unit.properties,
      ]);
    }
    throw new Refusal(`${ERROR}UnknownObject`, `Unknown object '${path}'.`);
  }

  #list([states, patterns]: [string[], string[]]): unknown[] {
    const isWanted = (name: string, unit: FakeUnit) =>
      (states.length === 0 || states.includes(unit.activeState)) &&
      (patterns.length === 0 || patterns.some((pattern) => glob(pattern).test(name)));
    return [...this.units].filter(([name, unit]) => isWanted(name, unit)).map(([name]) => this.#row(name));
  }

  /** One that is not loaded is listed as inactive. */
  #row(name: string): unknown[] {
    const { activeState = 'inactive', loadState = 'loaded' } = this.units.get(name) ?? {};
    const subState = activeState === 'active' ? 'running' : activeState;
    return [name, name, loadState, activeState, subState, '', unitPath(name), 0, '', '/'];
  }
}

// The fake's own reading of systemd's rule, so that a fault in the library's cannot hide.
function unitPath(name: string): string {
  const escaped = [...Buffer.from(name)].map((byte, at) => {
    const isDigit = byte >= 0x30 && byte <= 0x39;
    const isLetter = (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a);
    return isLetter || (isDigit && at > 0) ? String.fromCharCode(byte) : `_${byte.toString(16).padStart(2, '0')}`;
  });
  return `${PATH}/unit/${escaped.join('') || '_'}`;
}

function glob(pattern: string): RegExp {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 's');
}

// The library's own newError() is typed for a text where it takes the message.
function refuse(message: Message, errorName: string, text: string): Message {
  const { serial, sender } = message;
  const fields = { type: 3, replySerial: serial, destination: sender, errorName, signature: 's', body: [text] };
  return new Message(fields as unknown as ConstructorParameters<typeof Message>[0]);
}
