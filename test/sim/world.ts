// A simulated world: one broker, its driver, a network with faults, and model clients that come and
// go. Everything happens in virtual time and is drawn from one seed. The oracle watches each input
// of the broker; at the end the faults stop, everybody drains, and what is left is checked.

import { Broker } from '../../src/core/broker.ts';
import type { Connection } from '../../src/core/session/connection.ts';
import { Prng } from '../prng.ts';
import { Acting } from './acting.ts';
import { Client, drawCharacter } from './client.ts';
import { Clock } from './clock.ts';
import { drawConfig, type WorldConfig } from './config.ts';
import { Link } from './link.ts';
import { demand } from './oracle/message.ts';
import { Oracle } from './oracle.ts';
import { FORBIDDEN } from './topics.ts';

/** What everybody's last moments looked like, for the message of a failure. */
const TRACE_LENGTH = 60;
/** Things that may happen at one moment. */
const BUSY_MAX = 10_000;

export class World {
  readonly config: WorldConfig;
  readonly prng: Prng;
  readonly clock: Clock;
  readonly broker: Broker;
  readonly oracle: Oracle;
  readonly clients: Client[] = [];
  readonly #trace: (() => string)[] = [];
  /** Faults have stopped: everybody is well behaved and nothing new is published. */
  healed = false;
  /** A digest of everything the broker has written: equal seeds have equal ones. */
  digest = 0;
  readonly #acting: Acting;
  readonly #links = new Map<Connection, Link>();
  readonly #owners = new Map<Link, Client>();
  #flushPlanned = false;

  constructor(seed: number) {
    this.prng = new Prng(seed);
    this.config = drawConfig(this.prng);
    const randomness = this.prng.fork();
    this.clock = new Clock(this.prng.between(0, 1_000_000) + 0.5);
    const access = {
      mayPublish: (_: unknown, topic: string) => !topic.startsWith(`${FORBIDDEN}/`),
      maySubscribe: (_: unknown, filter: string) => !filter.startsWith(`${FORBIDDEN}/`),
    };
    const { options } = this.config;
    this.broker = new Broker(options, access, () => randomness.fraction(), this.clock.now);
    const note = (what: () => string) => this.note(what);
    this.oracle = new Oracle(this.broker, options, this.config.exactDrops, note);
    for (let i = 0; i < this.config.clients; i++) {
      const character = drawCharacter(this.prng, this.config.exactDrops);
      const unnamed = character.version > 3 && this.prng.oneIn(12);
      const id = unnamed ? '' : `c${i}`;
      this.clients.push(new Client(id, character, this.clock, this.prng));
    }
    this.#acting = new Acting(this);
  }

  /** Remembers what happened for a while; `what` is called only if somebody asks for the trace. */
  note(what: () => string): void {
    const at = this.clock.now.toFixed(1);
    this.#trace.push(() => `${at} ${what()}`);
    if (this.#trace.length > TRACE_LENGTH) this.#trace.shift();
  }

  get trace(): string[] {
    return this.#trace.map(line => line());
  }

  // ---- Running ---------------------------------------------------------------------------------

  /** Takes `steps` steps, each one act of one client, with the network in between. */
  run(steps: number): void {
    for (let i = 0; i < steps; i++) {
      this.pass(this.prng.interval(this.config.paceMs));
      this.#acting.step();
    }
  }

  /** Lets `ms` go by. */
  pass(ms: number): void {
    const time = this.clock.now + ms;
    let { now } = this.clock;
    let busy = 0;
    while (this.#nextTime() <= time) {
      this.#proceed();
      busy = this.clock.now > now ? 0 : busy + 1;
      ({ now } = this.clock);
      demand(busy < BUSY_MAX, () => 'time stands still: something always wants to happen at once');
    }
    this.clock.now = Math.max(this.clock.now, time);
  }

  #nextTime(): number {
    return Math.min(this.clock.next, this.broker.nextDeadline());
  }

  /** Lets the next thing happen, in the network or in the broker. */
  #proceed(): void {
    const deadline = this.broker.nextDeadline();
    if (deadline > this.clock.next) {
      this.clock.step();
      return;
    }
    this.clock.now = Math.max(this.clock.now, deadline);
    this.flush(); // a turn ends before time moves on
    this.#time();
    this.flush();
  }

  #time(): void {
    const { state, effects } = this.broker;
    const { now } = this.clock;
    const resumed = [...state.resumed];
    const known = effects.paused.length;
    this.broker.handleTime(now);
    resumed.push(...effects.paused.slice(known)); // some of them may be paused again
    this.oracle.afterTime(
      [...new Set(resumed)].filter(c => this.#links.has(c)),
      now,
    );
  }

  /** Heals the network, waits until everybody has what they are owed, and checks what is left. */
  finish(): void {
    this.healed = true;
    this.#acting.heal();
    this.#rest();
    this.oracle.finish(this.clock.now);
    this.#acting.checkRetained();
    this.#rest();
    this.#checkTables();
    if (this.prng.oneIn(4)) {
      this.#shutDown();
      return;
    }
    this.#acting.leaveForGood();
    this.#rest();
    this.#checkEmpty();
  }

  /** The broker stops: everybody is told and closed, and nobody is let in any more. */
  #shutDown(): void {
    const { now } = this.clock;
    this.#acting.stop();
    this.broker.handleShutdown(now);
    this.oracle.afterShutdown(now);
    demand(this.broker.handleOpen('late', now) === null, () => 'somebody was let in at the end');
    this.pass(this.config.options.drainTimeoutMs + 1_000);
    this.#same('connections', this.broker.state.connectionCount, 0);
    this.#same('clients', this.broker.state.clientCount, 0);
  }

  /** Lets time pass until nobody has anything left to do. */
  #rest(): void {
    const limit = this.clock.now + 600_000;
    do {
      this.pass(100);
      demand(this.clock.now < limit, () => `no rest: ${this.#acting.busy()}`);
    } while (this.#acting.busy() !== null);
    this.flush();
    for (const c of this.#links.keys()) this.oracle.checkIdle(c, this.clock.now);
  }

  #checkTables(): void {
    const { state } = this.broker;
    const { model } = this.oracle;
    const subscriptions = [...model.sessions.values()].reduce(
      (sum, session) => sum + session.subscriptions.size,
      0,
    );
    this.#same('sessions', state.sessions.size, model.sessions.size);
    this.#same('subscriptions', state.router.subscriptionCount, subscriptions);
    if (this.config.options.sysIntervalMs === 0) {
      this.#same('retained messages', state.retained.count, model.retained.size);
    }
    this.#same('bytes queued', state.queuedBytes, 0);
  }

  /** Everybody has left for good: nothing may remain, neither in tables nor as timers. */
  #checkEmpty(): void {
    const { state } = this.broker;
    this.#same('connections', state.connectionCount, 0);
    this.#same('clients', state.clientCount, 0);
    this.#same('sessions', state.sessions.size, 0);
    this.#same('subscriptions', state.router.subscriptionCount, 0);
    this.#same('shares', state.router.groupCount, 0);
    this.#same('bytes queued', state.queuedBytes, 0);
    this.#same('bytes in flight', state.inflightBytes, 0);
    this.#same('bytes of outputs and parts', state.pool.lentBytes, 0);
    if (this.config.options.sysIntervalMs > 0) return; // its topics stay, and its timer
    // Wills that came due at the very end may have been retained, with their expiry's timer.
    const { retained } = this.oracle.model;
    const expiring = [...retained.values()].filter(each => each.expiresAt < Infinity).length;
    this.#same('retained messages', state.retained.count, retained.size);
    if (retained.size === 0) this.#same('retained bytes', state.retained.bytes, 0);
    this.#same('timers', state.timers.size, expiring);
  }

  #same(what: string, found: number, expected: number): void {
    demand(found === expected, () => `${what} at the end: ${found}, expected ${expected}`);
  }

  // ---- Links -----------------------------------------------------------------------------------

  /** A new transport for `client`. */
  open(client: Client): Link {
    const { now } = this.clock;
    const c = this.broker.handleOpen(`${client.id}:${this.clock.pending}`, now);
    demand(c !== null, () => 'a connection was refused');
    this.oracle.opened(c, now);
    const weather = { ...this.config.weather };
    const link = new Link(c, this.clock, this.prng, weather, !this.config.exactDrops, {
      toBroker: (link, piece) => this.#feed(link, piece),
      toClient: (link, piece) => this.#deliver(link, piece),
      writable: link => this.#write(link),
      gone: link => this.#gone(link),
    });
    this.#links.set(c, link);
    this.#owners.set(link, client);
    this.#planFlush();
    return link;
  }

  /** Every link that the broker's driver still holds. */
  get links(): Link[] {
    return [...this.#links.values()];
  }

  #feed(link: Link, piece: Uint8Array): void {
    if (link.closed) return;
    const c = link.connection;
    this.oracle.feeding(c, piece);
    const borrowed = Buffer.from(piece); // as from a socket: its slices are views
    this.broker.handleBytes(c, borrowed, this.clock.now);
    borrowed.fill(0xee); // it was only lent
    this.oracle.afterBytes(c, this.clock.now);
    if (this.broker.effects.urgent.length > 0 || this.prng.oneIn(50)) this.#writeDirty();
    this.#planFlush();
  }

  #deliver(link: Link, piece: Uint8Array): void {
    const client = this.#owners.get(link)!;
    if (client.link !== link) return;
    if (piece.length > 0) {
      client.receive(piece);
    } else {
      link.abandon(null);
      client.lost();
    }
  }

  #gone(link: Link): void {
    const c = link.connection;
    if (!this.#links.delete(c)) return;
    link.close();
    // What is still said to a client that has gone is counted as sent, and then thrown away.
    const { out } = c;
    out.drop = () => {
      this.oracle.beforeDropped(c, this.clock.now);
      Object.getPrototypeOf(out).drop.call(out);
    };
    this.broker.handleClosed(c, this.clock.now);
    this.oracle.afterClosed(c, this.clock.now);
    this.#planFlush();
  }

  // ---- Turns -----------------------------------------------------------------------------------

  /** A turn gathers what comes in a short while. */
  #planFlush(): void {
    if (this.#flushPlanned) return;
    this.#flushPlanned = true;
    this.clock.after(this.prng.oneIn(3) ? this.prng.interval(2) : 0, () => {
      this.flush();
    });
  }

  /** The end of a turn: ask, write, close, pause, in this order. */
  flush(): void {
    this.#flushPlanned = false;
    const { effects } = this.broker;
    for (const c of effects.authenticate.splice(0)) this.#authenticate(c);
    this.#writeDirty();
    for (const c of effects.closing.splice(0)) {
      const link = this.#links.get(c);
      if (link === undefined) continue;
      link.closing = true;
      if (c.aborted || c.out.length === 0) this.#gone(link);
    }
    for (const c of effects.paused.splice(0)) this.#links.get(c)?.pause(c.paused);
    effects.log.length = 0;
    if (effects.dirty.length > 0 || effects.closing.length > 0) this.#planFlush();
  }

  #writeDirty(): void {
    for (const c of this.broker.effects.takeDirty()) {
      const link = this.#links.get(c);
      if (link !== undefined) this.#write(link);
    }
  }

  #write(link: Link): void {
    const c = link.connection;
    const { now } = this.clock;
    const bytes = Math.min(c.out.length, link.room);
    if (bytes > 0) {
      const written = c.out.buffer.slice(c.out.start, c.out.start + bytes);
      for (const byte of written) this.digest = (Math.imul(this.digest, 31) + byte) | 0;
      link.write(written);
      this.oracle.consumed(c, bytes);
      c.out.consume(bytes);
    }
    if (c.out.length > 0) return;
    if (link.closing) {
      this.#gone(link);
      return;
    }
    this.broker.handleDrained(c, now);
    this.oracle.afterDrained(now);
    if (c.out.length > 0) this.#planFlush();
    else if (this.broker.nextDeadline() > now) this.oracle.checkIdle(c, now);
  }

  #authenticate(c: Connection): void {
    const reason = !this.healed && this.prng.oneIn(40) ? 0x87 : 0;
    const answer = () => {
      if (!this.#links.has(c)) return;
      this.broker.handleAuthResult(c, { reason }, this.clock.now);
      this.oracle.afterAuthResult(c, reason, this.clock.now);
      this.#planFlush();
    };
    if (this.prng.oneIn(2)) answer();
    else this.clock.after(this.prng.interval(50), answer);
  }
}
