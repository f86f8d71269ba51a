// The oracle: it stands at the broker's door, reads everything that goes in and out with the test
// codec, and knows from the specification what must come out. The world tells it of each input
// after the broker has handled it; whatever is not as it must be throws a Violation.

import type { Broker } from '../../src/core/broker.ts';
import type { BrokerOptions } from '../../src/core/options.ts';
import { type Connection, ConnectionState } from '../../src/core/session/connection.ts';
import { limits } from '../../src/limits.ts';
import { BrokerModel } from './oracle/broker-model.ts';
import { ConnectionModel } from './oracle/connection.ts';
import { Inbound } from './oracle/inbound.ts';
import { Losses } from './oracle/losses.ts';
import { demand, showPacket } from './oracle/message.ts';
import { Outbound } from './oracle/outbound.ts';
import type { SessionModel } from './oracle/session.ts';

export class Oracle {
  readonly model: BrokerModel;
  readonly #connections = new Map<Connection, ConnectionModel>();
  readonly #broker: Broker;
  readonly #options: BrokerOptions;
  readonly #inbound: Inbound;
  readonly #outbound: Outbound;
  readonly #losses: Losses;
  #opened = 0;

  readonly #note: (what: () => string) => void;

  constructor(
    broker: Broker,
    options: BrokerOptions,
    exactDrops: boolean,
    note: (what: () => string) => void,
  ) {
    this.#note = note;
    this.#broker = broker;
    this.#options = options;
    const queue = { messagesMax: options.queueMessagesMax, policy: options.queuePolicy };
    this.model = new BrokerModel(options.queueQoS0, exactDrops ? queue : null);
    this.#inbound = new Inbound(this.model, options, this.#connections);
    this.#outbound = new Outbound(this.model, options);
    this.#losses = new Losses(this.model, options, broker.state.counters, exactDrops);
  }

  nameOf(c: Connection): string {
    return this.#connections.get(c)?.name ?? 'a connection that is gone';
  }

  // ---- What has happened -----------------------------------------------------------------------

  opened(c: Connection, now: number): void {
    this.#connections.set(c, new ConnectionModel(`#${++this.#opened}`, now));
  }

  /** About to happen: `chunk` is handed over. */
  feeding(c: Connection, chunk: Uint8Array): void {
    this.#of(c).unread.push(chunk);
  }

  /** `c` was fed. */
  afterBytes(c: Connection, now: number): void {
    const m = this.#of(c);
    const packets = this.#read(c, now);
    if (m.unreadBytes > limits.keepAliveStepBytes) m.aliveAt = now;
    this.#after(now, packets === 1);
  }

  afterAuthResult(c: Connection, reason: number, now: number): void {
    const m = this.#of(c);
    if (m.state === 'authenticating') {
      if (reason === 0) {
        this.#inbound.accept(m, now);
      } else {
        m.state = 'closing';
        m.refusal = reason;
        this.model.met.add('a client is refused');
      }
    }
    this.#after(now, false);
  }

  /** The broker's time has come; `resumed` are the connections it may have gone on reading. */
  afterTime(resumed: readonly Connection[], now: number): void {
    const closing = this.#newlyClosing();
    for (const c of this.#timedOut(closing, resumed, now)) {
      const m = this.#of(c);
      this.model.advance(this.#deadlineOf(m));
      if (m.session !== null) m.farewells.add(0x8d);
      this.model.met.add(m.session === null ? 'a CONNECT is too late' : 'a client is silent');
      this.#scan(c, now, true);
      this.#inbound.leave(m, now);
    }
    this.model.advance(now);
    for (const c of resumed) {
      const m = this.#of(c);
      if (m.state === 'closing') continue;
      m.aliveAt = now;
      this.#read(c, now);
    }
    this.#after(now, false);
    this.#checkKeepAlive(now);
  }

  afterDrained(now: number): void {
    this.#after(now, false);
  }

  /** The transport of `c` is gone, and what waits in its output with it. */
  beforeDropped(c: Connection, now: number): void {
    const m = this.#of(c);
    if (m.state === 'connected') this.#read(c, now); // what it sent while it was paused
    this.#scan(c, now, false);
  }

  afterClosed(c: Connection, now: number): void {
    const m = this.#of(c);
    if (m.state !== 'closing') this.#inbound.leave(m, now);
    this.#connections.delete(c);
    this.#after(now, false);
  }

  afterShutdown(now: number): void {
    for (const m of this.#connections.values()) {
      if (m.state === 'closing') continue;
      if (m.version === 5 && m.session !== null) m.farewells.add(0x8b);
      m.will = null;
      this.#inbound.leave(m, now);
    }
    this.#after(now, false);
  }

  /** The driver took `bytes` out of `c`'s output. */
  consumed(c: Connection, bytes: number): void {
    this.#of(c).consumed += bytes;
  }

  // ---- Reading along ---------------------------------------------------------------------------

  #of(c: Connection): ConnectionModel {
    return this.#connections.get(c)!;
  }

  /** Reads what the broker has read of `c`; returns how many packets that were. */
  #read(c: Connection, now: number): number {
    const m = this.#of(c);
    const kept = c.state === ConnectionState.Closing ? 0 : c.partialEnd;
    const packets = m.decoder.push(m.takeUnread(m.unreadBytes - kept));
    let count = 0;
    for (const packet of packets) {
      if (m.state === 'closing') break;
      this.#note(() => `${m.name} → ${showPacket(packet)}`);
      // What its own output holds by now was sent before it said goodbye.
      if (packet.type === 'disconnect') {
        this.#scan(c, now, count === 0);
        this.#losses.settleBeforeGoodbye(m.session!, m);
      }
      this.#inbound.read(m, packet, now);
      count++;
    }
    return count;
  }

  #after(now: number, single: boolean): void {
    for (const c of this.#newlyClosing()) {
      const m = this.#of(c);
      demand(false, () => `${m.name} is closed without a cause: ${this.#lastWords(c)}`);
    }
    for (const [c, m] of this.#connections) {
      this.#scan(c, now, single);
      if (m.state !== 'closing') m.checkAnswered();
      else demand(c.state === ConnectionState.Closing, () => `${m.name} should have been closed`);
    }
    this.#losses.settle(this.#connectionOf);
  }

  /** What stands in the log about `c`, for the message of a failure. */
  #lastWords(c: Connection): string {
    const lines = this.#broker.effects.log.filter(event => event.fields.peer === c.peer);
    return JSON.stringify(lines.at(-1)?.fields ?? {});
  }

  readonly #connectionOf = (session: SessionModel): ConnectionModel | null => {
    for (const m of this.#connections.values()) if (m.session === session) return m;
    return null;
  };

  #newlyClosing(): Connection[] {
    return this.#broker.effects.closing.filter(c => {
      const m = this.#connections.get(c);
      return m !== undefined && m.state !== 'closing';
    });
  }

  /** Checks the packets that were appended to the output of `c`. */
  #scan(c: Connection, now: number, single: boolean): void {
    const m = this.#of(c);
    const total = m.consumed + c.out.length;
    if (total <= m.seen) return;
    const fresh = c.out.buffer.slice(c.out.end - (total - m.seen), c.out.end);
    m.seen = total;
    const batch = { acknowledged: single ? new Set<number>() : null };
    for (const packet of m.sent.push(fresh)) {
      this.#note(() => `${m.name} ← ${showPacket(packet)}`);
      this.#outbound.check(m, packet, batch, now);
    }
    demand(m.sent.pending === 0, () => `${m.name} got half a packet`);
  }

  // ---- Time ------------------------------------------------------------------------------------

  /** When the broker may give `m` up for having been silent. */
  #deadlineOf(m: ConnectionModel): number {
    if (m.session === null) return m.openedAt + this.#options.connectTimeoutMs;
    return m.keepAliveMs === 0 ? Infinity : m.lastPacketAt + 1.5 * m.keepAliveMs;
  }

  /** Of those that are closing now, the ones that were silent for too long, oldest first. */
  #timedOut(
    closing: readonly Connection[],
    resumed: readonly Connection[],
    now: number,
  ): Connection[] {
    const silent = closing.filter(c => {
      const goodbye = resumed.includes(c) && this.#of(c).unreadBytes > 0;
      return !goodbye && this.#deadlineOf(this.#of(c)) <= now;
    });
    return silent.sort((a, b) => this.#deadlineOf(this.#of(a)) - this.#deadlineOf(this.#of(b)));
  }

  /** Silence past the deadline has its consequence, unless the broker itself did not read. */
  #checkKeepAlive(now: number): void {
    for (const [c, m] of this.#connections) {
      if (m.state === 'closing') continue;
      if (c.paused) m.aliveAt = now;
      const silentFor = now - Math.max(m.lastPacketAt, m.aliveAt);
      if (m.keepAliveMs > 0) {
        const most = 1.5 * m.keepAliveMs + 1;
        demand(silentFor <= most, () => `${m.name} was silent for ${silentFor} of ${most} ms`);
      } else if (m.session === null) {
        const most = this.#options.connectTimeoutMs + 1;
        demand(now - m.openedAt <= most, () => `${m.name} does not connect, and is not closed`);
      }
    }
  }

  /** What has happened so far, by name. */
  get met(): string[] {
    const counted = Object.entries(this.#broker.state.counters).filter(([, count]) => count > 0);
    return [...this.model.met, ...counted.map(([name]) => `counter ${name}`)];
  }

  // ---- Rest ------------------------------------------------------------------------------------

  /**
   * The client of `c` has taken everything: nothing that it has room for may still wait.
   */
  checkIdle(c: Connection, now: number): void {
    const m = this.#connections.get(c);
    if (m !== undefined && m.session !== null) this.#losses.checkIdle(m, m.session, now);
  }

  /** Everything is over: what the broker counted is what has happened. */
  finish(now: number): void {
    const { counters } = this.#broker.state;
    this.#losses.finish(now);
    const pairs: [string, number, number][] = [
      ['packets received', counters.packetsReceived, this.#inbound.packets],
      ['PUBLISH packets received', counters.publishReceived, this.#inbound.publishes],
      ['PUBLISH packets sent', counters.publishSent, this.#outbound.publishes],
      ['packets sent', counters.packetsSent, this.#outbound.packets],
      ['publications not authorized', counters.droppedNotAuthorized, this.#inbound.notAuthorized],
      ['errors answered', counters.rejectedByClient, this.#inbound.rejected],
    ];
    for (const [what, counted, happened] of pairs) {
      demand(counted === happened, () => `${what}: counted ${counted}, happened ${happened}`);
    }
  }
}
