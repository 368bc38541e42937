import { Variant } from 'dbus-next';
import { SystemdLink } from '../../src/backend/systemd-link.ts';
import { indexSetToPaddedBytes } from '../../src/core/cpuset.ts';
import { type Daemon, startDaemon } from './daemon.ts';
import { FakeSystemd } from './systemd.ts';

/** What a unit of the fake has: sets as lists of indices, files as lists of paths, all else as D-Bus has it. */
export type FakeProperties = Readonly<
  Record<string, string | boolean | readonly string[] | readonly number[] | Variant>
>;

/** A fake PID 1 on a bus of its own, and the way to it; both end with the block that opened them. */
export class PrivateSystemd {
  readonly fake: FakeSystemd;
  readonly link: SystemdLink;
  readonly #daemon: Daemon;

  private constructor(daemon: Daemon, fake: FakeSystemd) {
    this.#daemon = daemon;
    this.fake = fake;
    this.link = new SystemdLink('system', { env: { DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${daemon.path}` }, uid: 0 });
  }

  static async open(): Promise<PrivateSystemd> {
    const daemon = await startDaemon();
    return new PrivateSystemd(daemon, await FakeSystemd.start(daemon.path));
  }

  /** A loaded unit. An empty list of files is told from an empty set by the name of its property. */
  unit(name: string, properties: FakeProperties = {}, activeState = 'active'): this {
    const own = Object.entries(properties).map(([key, value]): [string, Variant] => [key, variantOf(key, value)]);
    this.fake.units.set(name, { properties: new Map(own), activeState, refs: 0 });
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.link.close();
    this.fake.disconnect();
    await this.#daemon.stop();
  }
}

function variantOf(name: string, value: FakeProperties[string]): Variant {
  if (value instanceof Variant) return value;
  if (typeof value === 'string') return new Variant('s', value);
  if (typeof value === 'boolean') return new Variant('b', value);
  if (name === 'DropInPaths') return new Variant('as', [...value]);
  return new Variant('ay', Buffer.from(indexSetToPaddedBytes(value as readonly number[])));
}
