import type { SlicectlError } from '../core/errors.ts';

export interface Call {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  /** Of the whole body; absent for no arguments. */
  readonly signature?: string;
  /** Numbers for `u` and smaller, bigint for `t` and `x`, `variant()` for `v`. */
  readonly body?: readonly unknown[];
}

export interface CallOptions {
  /** From the moment of the call, the time in the queue included. Default 25 s, as in libdbus and sd-bus. */
  readonly timeoutMs?: number;
  /** What the call is about, usually a unit's name: errors name it. */
  readonly about?: string;
}

export interface Signal {
  /** The sender's unique name (`:1.5`), or `org.freedesktop.DBus` for the daemon's own signals. */
  readonly sender: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly body: readonly unknown[];
}

export interface MatchRule {
  /** A unique or a well-known name. Signals of anybody else are dropped, those sent straight to this connection too. */
  readonly sender?: string;
  readonly path?: string;
  readonly pathNamespace?: string;
  readonly interface?: string;
  readonly member?: string;
  readonly arg0?: string;
}

/** One connection to a message bus. It never reconnects: see `connection.ts` for one that does. */
export interface Bus {
  /**
   * Resolves with the reply's arguments, variants unwrapped, dictionaries as plain objects, `t` and `x` as bigint,
   * `ay` as Uint8Array. Rejects with `E_BUS` (`data.name`), `E_PRIVILEGE`, `E_UNIT_EXISTS`, `E_TIMEOUT`, `E_BUS_LOST`
   * (`data.sent` says whether the call had left), or `E_INPUT` for a value that does not fit the signature.
   * At most 32 calls are under way, the rest waits: a daemon refuses a client with more than 128 replies pending.
   */
  call(call: Call, options?: CallOptions): Promise<readonly unknown[]>;
  /**
   * Resolves once the rule is in force. Equal rules are counted and removed from the daemon when the last one goes.
   * The handler runs in a microtask of its own; what it throws goes to `ConnectOptions.onHandlerError`.
   */
  subscribe(rule: MatchRule, onSignal: (signal: Signal) => void): Promise<() => Promise<void>>;
  readonly uniqueName: string;
  /** Called once when the connection has ended, for whatever reason, `close()` included. */
  onClosed(listener: (reason: SlicectlError) => void): () => void;
  readonly isClosed: boolean;
  /** Keeps the process alive until released. A call under way does so by itself, an idle connection does not. */
  hold(): () => void;
  /** Ends the connection; calls under way reject with `E_BUS_LOST`. May be called any number of times. */
  close(): void;
}
