// The parts of dbus-next 0.10.2 (pinned exactly) that bus.ts uses: its wire format and its authentication. The package
// types only its high level, which has no deadlines, leaks match rules and ends the process when Hello is refused.

interface WireFields {
  readonly type?: number;
  readonly serial?: number;
  readonly replySerial?: number;
  readonly errorName?: string;
  readonly sender?: string;
  readonly destination?: string;
  readonly path?: string;
  readonly interface?: string;
  readonly member?: string;
  readonly signature?: string;
  readonly body?: readonly unknown[];
}

interface ReadableSource {
  on(event: 'readable', listener: () => void): unknown;
  read(size: number): Buffer | null;
}

declare module 'dbus-next/lib/handshake.js' {
  /** Authenticates over a connected stream. A failure comes as an Error or as the server's line. */
  function handshake(
    stream: import('node:net').Socket,
    options: { readonly authMethods: readonly string[] },
    done: (failure: unknown) => void,
  ): void;
  export default handshake;
}

declare module 'dbus-next/lib/message.js' {
  const message: {
    /** Cuts a stream into messages. What it throws, on a message that it cannot decode, it throws in the listener. */
    unmarshalMessages(stream: ReadableSource, onMessage: (raw: WireFields) => void, options: object): void;
  };
  export default message;
}

declare module 'dbus-next/lib/marshall-compat.js' {
  const compat: {
    messageToJsFmt(raw: WireFields): WireFields;
    /** Replaces the message's body, so a message can be sent only once. */
    marshallMessage(message: WireFields): [data: Buffer, fds: unknown[]];
  };
  export default compat;
}

declare module 'dbus-next/lib/message-type.js' {
  const messageType: {
    /** Its constructor refuses names and paths for which a bus daemon would end the connection. */
    readonly Message: new (
      fields: WireFields,
    ) => WireFields;
  };
  export default messageType;
}

declare module 'dbus-next/lib/variant.js' {
  const variants: {
    readonly Variant: new (
      signature: string,
      value: unknown,
    ) => { readonly signature: string; readonly value: unknown };
  };
  export default variants;
}
