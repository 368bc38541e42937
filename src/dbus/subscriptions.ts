import { SlicectlError } from '../core/errors.ts';
import { matches, matchText } from './match.ts';
import type { Call, MatchRule, Signal } from './types.ts';

const DAEMON = 'org.freedesktop.DBus';

type Handler = (signal: Signal) => void;
type Send = (call: Call) => Promise<readonly unknown[]>;

interface Entry {
  readonly rule: MatchRule;
  readonly handlers: Set<{ readonly run: Handler }>;
  readonly added: Promise<unknown>;
}

function daemonCall(member: string, argument: string): Call {
  return {
    destination: DAEMON,
    path: '/org/freedesktop/DBus',
    interface: DAEMON,
    member,
    signature: 's',
    body: [argument],
  };
}

function isWellKnown(name: string): boolean {
  return !name.startsWith(':') && name !== DAEMON;
}

/**
 * The match rules of one connection, counted, and the owners of the well-known names in them. A signal carries only its
 * sender's unique name, and the system bus lets anybody send a signal to anybody, so the sender is compared here.
 */
export class Subscriptions {
  readonly #send: Send;
  readonly #onHandlerError: (error: unknown) => void;
  readonly #entries = new Map<string, Entry>();
  readonly #owners = new Map<string, string>();
  readonly #watched = new Map<string, Promise<void>>();

  constructor(send: Send, onHandlerError: (error: unknown) => void) {
    this.#send = send;
    this.#onHandlerError = onHandlerError;
  }

  async add(rule: MatchRule, handler: Handler): Promise<() => Promise<void>> {
    const text = matchText(rule);
    const entry = this.#entries.get(text) ?? this.#open(text, rule);
    const item = { run: handler };
    entry.handlers.add(item);
    let removed: Promise<void> | undefined;
    const remove = (): Promise<void> => {
      removed ??= this.#drop(text, entry, item);
      return removed;
    };
    try {
      await entry.added;
    } catch (error) {
      await remove();
      throw error;
    }
    return remove;
  }

  /** Hands a signal to every handler whose rule it fits, each in a microtask of its own. */
  dispatch(signal: Signal): void {
    for (const { rule, handlers } of [...this.#entries.values()]) {
      if (!matches(rule, signal) || !this.#isFrom(rule.sender, signal.sender)) continue;
      for (const handler of [...handlers]) {
        queueMicrotask(() => {
          if (!handlers.has(handler)) return;
          try {
            handler.run(signal);
          } catch (error) {
            this.#onHandlerError(error);
          }
        });
      }
    }
  }

  #isFrom(wanted: string | undefined, sender: string): boolean {
    return wanted === undefined || wanted === sender || this.#owners.get(wanted) === sender;
  }

  #open(text: string, rule: MatchRule): Entry {
    const { sender } = rule;
    // The owner first, then the rule: no signal of the rule can come before its sender can be judged.
    const owner = sender !== undefined && isWellKnown(sender) ? this.#watchOwner(sender) : undefined;
    const addMatch = () => this.#send(daemonCall('AddMatch', text));
    const entry: Entry = { rule, handlers: new Set(), added: owner === undefined ? addMatch() : owner.then(addMatch) };
    this.#entries.set(text, entry);
    return entry;
  }

  async #drop(text: string, entry: Entry, item: { readonly run: Handler }): Promise<void> {
    entry.handlers.delete(item);
    if (entry.handlers.size > 0 || this.#entries.get(text) !== entry) return;
    this.#entries.delete(text);
    const wasAdded = await entry.added.then(
      () => true,
      () => false,
    );
    if (wasAdded) await this.#send(daemonCall('RemoveMatch', text)).catch(ignoreLoss);
  }

  // One rule a name, kept for the connection's life: the few names of a program are asked for again and again.
  async #watchOwner(name: string): Promise<void> {
    const known = this.#watched.get(name);
    if (known !== undefined) return known;
    const rule: MatchRule = { sender: DAEMON, interface: DAEMON, member: 'NameOwnerChanged', arg0: name };
    const watching = this.#send(daemonCall('AddMatch', matchText(rule))).then(() => this.#askOwner(name));
    this.#watched.set(name, watching);
    watching.catch(() => this.#watched.delete(name));
    return watching;
  }

  async #askOwner(name: string): Promise<void> {
    const owner = await this.#send(daemonCall('GetNameOwner', name)).then(
      ([unique]) => String(unique),
      (error: unknown) => {
        if (isNoOwner(error)) return '';
        throw error;
      },
    );
    // A NameOwnerChanged that was read together with this reply has been handled before it, and is newer.
    if (!this.#owners.has(name)) this.#owners.set(name, owner);
  }

  /** Keeps the owners current; called for every signal, before `dispatch`. */
  noteOwner(signal: Signal): void {
    if (signal.sender !== DAEMON || signal.member !== 'NameOwnerChanged') return;
    const [name, , owner] = signal.body;
    if (typeof name === 'string' && typeof owner === 'string' && this.#watched.has(name)) this.#owners.set(name, owner);
  }
}

function isNoOwner(error: unknown): boolean {
  return error instanceof SlicectlError && error.data.name === 'org.freedesktop.DBus.Error.NameHasNoOwner';
}

function ignoreLoss(error: unknown): void {
  if (!(error instanceof SlicectlError)) throw error;
}
