import { EventEmitter, once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { tellChanges, type WatchEvent, watchAudit } from '../../../src/cpus/audit/watch.ts';
import type { Finding } from '../../../src/cpus/finding.ts';
import { describeWithBus } from '../../fake/daemon.ts';
import { ReservedHost } from '../reserved-host.ts';

const finding = (kind: string, subject: string, more: Partial<Finding> = {}): Finding => ({
  kind,
  severity: 'drift',
  subject,
  what: '',
  cause: '',
  cure: '',
  isFixable: false,
  ...more,
});

describe('what is told of two looks', () => {
  const told = (...looks: readonly (readonly Finding[])[]): readonly string[] => {
    const events: string[] = [];
    let known: ReadonlyMap<string, Finding> = new Map();
    for (const look of looks) {
      known = tellChanges(known, look, ({ state, finding: { kind, subject } }) =>
        events.push(`${state} ${kind} ${subject}`),
      );
    }
    return events;
  };
  const a = finding('files', 'a.slice');

  it('is what became wrong and what is right again, each once', () => {
    expect(told([], [a], [a], [], [])).toEqual(['wrong files a.slice', 'right files a.slice']);
  });

  it('is nothing where the same is wrong in other words', () => {
    expect(told([a], [{ ...a, what: 'more of it', severity: 'breach' }])).toEqual(['wrong files a.slice']);
  });

  it('is each thing apart, by kind and by what it is about', () => {
    expect(told([a], [finding('masks', 'a.slice'), finding('files', 'b.slice')])).toEqual([
      'wrong files a.slice',
      'right files a.slice',
      'wrong masks a.slice',
      'wrong files b.slice',
    ]);
  });

  it('is nothing of what is no fault', () => {
    const info = finding('cache', 'a.slice', { severity: 'info' });
    expect(told([], [info, finding('kworker', 'x', { severity: 'unmovable' })], [])).toEqual([]);
  });

  it('is told when a fault becomes none and comes back', () => {
    expect(told([a], [{ ...a, severity: 'info' }], [a])).toEqual([
      'wrong files a.slice',
      'right files a.slice',
      'wrong files a.slice',
    ]);
  });
});

/** A watch of a host, and what it tells. */
class Watch {
  readonly #told = new EventEmitter();
  readonly #ending = new AbortController();
  readonly #events: WatchEvent[] = [];
  readonly #host: ReservedHost;
  /** Whether all was right at last. */
  readonly done: Promise<boolean>;
  readonly begun: Promise<unknown>;

  constructor(host: ReservedHost) {
    this.#host = host;
    this.begun = once(this.#told, 'begin');
    this.done = watchAudit(host, {
      signal: this.#ending.signal,
      onBegin: (report) => this.#told.emit('begin', report),
      onEvent: (event) => {
        this.#events.push(event);
        this.#told.emit('event');
      },
    });
  }

  get told(): readonly string[] {
    return this.#events.map(({ state, finding: { subject } }) => `${state} ${subject}`);
  }

  /** Resolves when this many events were told. */
  async until(count: number): Promise<void> {
    while (this.#events.length < count) await once(this.#told, 'event');
  }

  /** Resolves when a look that began after this call is over: the next one has begun then. */
  async looksAgain(): Promise<void> {
    const { fake } = this.#host.systemd;
    for (let left = 2; left > 0; left -= 1) {
      const looked = new Promise<void>((resolve) => {
        fake.behaviour.onCall = ({ member }) => {
          if (member === 'ListUnitsByPatterns') resolve();
        };
      });
      fake.emit('Reloading', 'b', [false]);
      await looked;
    }
  }

  end(): Promise<boolean> {
    this.#ending.abort();
    return this.done;
  }
}

describeWithBus('a watch', () => {
  it('tells a change of a cpuset file, that it is right again once, and ends with its signal', async () => {
    await using host = await ReservedHost.open();
    await host.hold();
    const watch = new Watch(host);
    await watch.begun;
    host.group('system.slice', '0-7');
    await watch.until(1);
    host.group('system.slice', '0-5');
    await watch.until(2);
    await watch.looksAgain();
    expect(watch.told).toEqual(['wrong system.slice', 'right system.slice']);
    expect(await watch.end()).toBe(true);
  });

  it('tells what systemd holds after it said that it reloaded', async () => {
    await using host = await ReservedHost.open();
    await host.hold();
    const watch = new Watch(host);
    await watch.begun;
    host.unit('user.slice', '0-7');
    host.systemd.fake.emit('Reloading', 'b', [false]);
    await watch.until(1);
    expect(watch.told).toEqual(['wrong user.slice']);
    expect(await watch.end()).toBe(false);
  });

  it('tells nothing of what was wrong when it began but that it is right', async () => {
    await using host = await ReservedHost.open();
    await host.hold();
    host.unit('user.slice', '0-7');
    const watch = new Watch(host);
    const [report] = (await watch.begun) as [{ isClean: boolean }];
    expect(report.isClean).toBe(false);
    await watch.looksAgain();
    expect(watch.told).toEqual([]);
    host.unit('user.slice', '0-5');
    host.systemd.fake.emit('Reloading', 'b', [false]);
    await watch.until(1);
    expect(watch.told).toEqual(['right user.slice']);
    expect(await watch.end()).toBe(true);
  });

  it('looks again when systemd is back on the bus', async () => {
    await using host = await ReservedHost.open();
    await host.hold();
    const watch = new Watch(host);
    await watch.begun;
    host.systemd.fake.disconnect();
    host.unit('user.slice', '0-7');
    await host.systemd.fake.connect();
    await watch.until(1);
    expect(watch.told).toEqual(['wrong user.slice']);
    expect(await watch.end()).toBe(false);
  });

  it('ends with the error of a record that cannot be read any more', async () => {
    await using host = await ReservedHost.open();
    await host.hold();
    const watch = new Watch(host);
    await watch.begun;
    host.files.write({ 'etc/slicectl/reservations/db.slice.conf': '[Reservation]\n' });
    await expect(watch.done).rejects.toMatchObject({ code: 'E_SYNTAX' });
  });
});
