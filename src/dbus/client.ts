import { badInput, SlicectlError } from '../core/errors.ts';
import { busError, callName } from './errors.ts';
import { Subscriptions } from './subscriptions.ts';
import type { Bus, Call, CallOptions, MatchRule, Signal } from './types.ts';

/** A message as the wire gives it, variants unwrapped. */
export interface Incoming {
  readonly kind: 'return' | 'error' | 'signal' | 'call';
  readonly replySerial: number;
  readonly errorName: string;
  readonly sender: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly body: readonly unknown[];
}

/** The socket below a client. `send` throws for a value that does not fit its signature. */
export interface Wire {
  send(serial: number, call: Call): void;
  end(): void;
  ref(): void;
  unref(): void;
}

const DEFAULT_TIMEOUT_MS = 25_000;
const MAX_UNDER_WAY = 32;
const MAX_SERIAL = 0xffff_ffff;

interface Pending {
  readonly call: Call;
  readonly about: string | undefined;
  readonly resolve: (body: readonly unknown[]) => void;
  readonly reject: (error: unknown) => void;
  readonly timer: NodeJS.Timeout;
  isSettled: boolean;
}

/** Calls and signals over a wire: deadlines, the queue, the end of the connection. It knows nothing of sockets. */
export class Client implements Bus {
  readonly #wire: Wire;
  readonly #subscriptions: Subscriptions;
  readonly #onHandlerError: (error: unknown) => void;
  readonly #callTimeoutMs: number;
  readonly #underWay = new Map<number, Pending>();
  readonly #queue: Pending[] = [];
  readonly #closedListeners = new Set<(reason: SlicectlError) => void>();
  readonly #holds = new Set<object>();
  #lastSerial = 0;
  #uniqueName = '';
  #lost: SlicectlError | undefined;

  constructor(wire: Wire, onHandlerError: (error: unknown) => void, callTimeoutMs = DEFAULT_TIMEOUT_MS) {
    this.#wire = wire;
    this.#onHandlerError = onHandlerError;
    this.#callTimeoutMs = callTimeoutMs;
    this.#subscriptions = new Subscriptions((call) => this.call(call), onHandlerError);
  }

  get uniqueName(): string {
    return this.#uniqueName;
  }

  get isClosed(): boolean {
    return this.#lost !== undefined;
  }

  /** The first call on every connection; the daemon answers nothing before it. */
  async hello(timeoutMs: number): Promise<void> {
    const name = 'org.freedesktop.DBus';
    const hello: Call = { destination: name, path: '/org/freedesktop/DBus', interface: name, member: 'Hello' };
    const [unique] = await this.call(hello, { timeoutMs });
    this.#uniqueName = String(unique);
  }

  call(call: Call, options: CallOptions = {}): Promise<readonly unknown[]> {
    const { timeoutMs = this.#callTimeoutMs, about } = options;
    return new Promise((resolve, reject) => {
      if (this.#lost !== undefined) {
        reject(this.#lostDuring(call, about, false, this.#lost));
        return;
      }
      const timer = setTimeout(() => this.#expire(pending, timeoutMs), timeoutMs);
      const pending: Pending = { call, about, resolve, reject, timer, isSettled: false };
      this.#queue.push(pending);
      this.#pump();
    });
  }

  subscribe(rule: MatchRule, onSignal: (signal: Signal) => void): Promise<() => Promise<void>> {
    return this.#subscriptions.add(rule, onSignal);
  }

  onClosed(listener: (reason: SlicectlError) => void): () => void {
    if (this.#lost === undefined) this.#closedListeners.add(listener);
    else this.#tell(listener, this.#lost);
    return () => this.#closedListeners.delete(listener);
  }

  hold(): () => void {
    const hold = {};
    this.#holds.add(hold);
    this.#keepAlive();
    return () => {
      this.#holds.delete(hold);
      this.#keepAlive();
    };
  }

  close(): void {
    this.lost(new SlicectlError('E_BUS_LOST', 'the bus connection was closed by this program'));
  }

  /** Called by the wire for each message. */
  receive(message: Incoming): void {
    if (message.kind === 'signal') {
      this.#subscriptions.noteOwner(message);
      this.#subscriptions.dispatch(message);
      return;
    }
    const pending = message.kind === 'call' ? undefined : this.#underWay.get(message.replySerial);
    if (pending === undefined) return; // An answer after its deadline, or a call to us, who offer nothing.
    this.#underWay.delete(message.replySerial);
    this.#settle(pending, () => {
      if (message.kind === 'return') pending.resolve(message.body);
      else pending.reject(busError(message.errorName, String(message.body[0] ?? ''), pending.call, pending.about));
    });
    this.#pump();
  }

  /** Called by the wire when the connection has ended. */
  lost(reason: SlicectlError): void {
    if (this.#lost !== undefined) return;
    this.#lost = reason;
    const sent = [...this.#underWay.values()];
    const waiting = this.#queue.splice(0);
    this.#underWay.clear();
    for (const each of sent)
      this.#settle(each, () => each.reject(this.#lostDuring(each.call, each.about, true, reason)));
    for (const each of waiting) {
      this.#settle(each, () => each.reject(this.#lostDuring(each.call, each.about, false, reason)));
    }
    this.#wire.end();
    for (const listener of this.#closedListeners) this.#tell(listener, reason);
    this.#closedListeners.clear();
  }

  #pump(): void {
    while (this.#underWay.size < MAX_UNDER_WAY) {
      const next = this.#queue.shift();
      if (next === undefined) break;
      if (!next.isSettled) this.#send(next);
    }
    this.#keepAlive();
  }

  #send(pending: Pending): void {
    do this.#lastSerial = this.#lastSerial === MAX_SERIAL ? 1 : this.#lastSerial + 1;
    while (this.#underWay.has(this.#lastSerial));
    try {
      this.#wire.send(this.#lastSerial, pending.call);
      this.#underWay.set(this.#lastSerial, pending);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const message = `The arguments of ${callName(pending.call, pending.about)} do not fit ${pending.call.signature}: ${reason}.`;
      this.#settle(pending, () => pending.reject(badInput(message)));
    }
  }

  #expire(pending: Pending, timeoutMs: number): void {
    for (const [serial, each] of this.#underWay) if (each === pending) this.#underWay.delete(serial);
    const { call, about } = pending;
    const message = `${call.destination} did not answer ${callName(call, about)} within ${timeoutMs / 1000} s`;
    const data = { member: call.member, timeoutMs, ...(about !== undefined && { about }) };
    this.#settle(pending, () => pending.reject(new SlicectlError('E_TIMEOUT', message, { data })));
    this.#pump();
  }

  #settle(pending: Pending, how: () => void): void {
    clearTimeout(pending.timer);
    pending.isSettled = true;
    how();
  }

  #lostDuring(call: Call, about: string | undefined, sent: boolean, reason: SlicectlError): SlicectlError {
    return new SlicectlError(
      'E_BUS_LOST',
      `the bus connection was gone for ${callName(call, about)}: ${reason.message}`,
      {
        data: { member: call.member, sent, ...(about !== undefined && { about }) },
        cause: reason,
      },
    );
  }

  #keepAlive(): void {
    if (this.#underWay.size + this.#queue.length + this.#holds.size > 0) this.#wire.ref();
    else this.#wire.unref();
  }

  #tell(listener: (reason: SlicectlError) => void, reason: SlicectlError): void {
    queueMicrotask(() => {
      try {
        listener(reason);
      } catch (error) {
        this.#onHandlerError(error);
      }
    });
  }
}
