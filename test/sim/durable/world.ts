// A world whose broker crashes: model clients, a network and a disk with faults around one life of
// the broker after the other. Everything is drawn from one seed and happens in virtual time.

import type { Connection } from '../../../src/core/session/connection.ts';
import { Prng } from '../../prng.ts';
import { ModelDisk } from '../../store/model-store.ts';
import { PacketDecoder, text } from '../../wire.ts';
import { Client } from '../client.ts';
import { Clock } from '../clock.ts';
import { Link } from '../link.ts';
import { demand } from '../oracle/message.ts';
import { Acting } from './acting.ts';
import { type DurableConfig, drawDurableCharacter, drawDurableConfig, workers } from './config.ts';
import { Life, ruleOf } from './life.ts';
import { Oracle } from './oracle.ts';
import { neededAfter } from './session.ts';
import { Talk } from './talk.ts';

const TRACE_LENGTH = 80;
/** In windows of one message, from a slow disk that is sick too, backlogs take their time. */
const REST_MS_MAX = 1_000_000;
/** Things that may happen at one moment. */
const BUSY_MAX = 10_000;
const YEAR_MS = 366 * 86_400_000;

/** One connection as it is overheard. */
interface Line {
  readonly client: Client;
  readonly talk: Talk;
  readonly up: PacketDecoder;
  readonly down: PacketDecoder;
  readonly arriving: PacketDecoder;
  readonly life: Life;
}

export class DurableWorld {
  readonly config: DurableConfig;
  readonly prng: Prng;
  readonly clock: Clock;
  readonly oracle: Oracle;
  readonly clients: Client[] = [];
  readonly disk = new ModelDisk();
  readonly #trace: (() => string)[] = [];
  readonly #acting: Acting;
  #life: Life;
  #lines = new Map<Link, Line>();
  #links = new Map<Connection, Link>();
  #wallAhead = 1_000_000;
  #flushPlanned = false;
  #answerPlanned = false;
  /** A broker is running. */
  #up = true;
  crashes = 0;
  healed = false;

  constructor(seed: number) {
    this.prng = new Prng(seed);
    this.config = drawDurableConfig(this.prng);
    this.clock = new Clock(0);
    const { defaultClass } = this.config.log;
    this.oracle = new Oracle(defaultClass, topic => ruleOf(topic) ?? defaultClass);
    for (let i = 0; i < this.config.clients; i++) {
      this.clients.push(this.#client(`c${i}`, drawDurableCharacter(this.prng)));
    }
    for (const [i, worker] of workers.entries()) {
      this.clients.push(this.#client(`worker${i}`, worker));
    }
    this.#life = this.#start();
    this.#acting = new Acting(this);
  }

  #client(id: string, character: ReturnType<typeof drawDurableCharacter>): Client {
    return new Client(id, character, this.clock, this.prng);
  }

  note(what: () => string): void {
    const at = this.clock.now.toFixed(1);
    this.#trace.push(() => `${at} ${what()}`);
    if (this.#trace.length > TRACE_LENGTH) this.#trace.shift();
  }

  get trace(): string[] {
    return this.#trace.map(line => line());
  }

  // ---- Lives -----------------------------------------------------------------------------------

  #start(): Life {
    const { clock } = this;
    const random = this.prng.fork();
    const time = () => clock.now;
    const wall = () => clock.now + this.#wallAhead;
    const turn = () => this.#planFlush();
    return new Life(this.config, this.disk, random, time, wall, turn);
  }

  /** The broker dies and comes back. */
  crash(powerCut: boolean): void {
    const { prng, oracle } = this;
    this.crashes++;
    const through = this.#life.crash(powerCut, prng);
    this.#up = false;
    this.note(() => `${powerCut ? 'the power is cut' : 'the broker is killed'} at ${through}`);
    for (const [link, line] of this.#lines) {
      // What was written may still arrive, in whole or in part.
      if (prng.oneIn(2)) link.close();
      else link.abandon(null);
      link.closed = true;
      if (line.client.link !== link) continue;
      if (link.abandoned) line.client.lost();
    }
    this.#lines.clear();
    this.#links.clear();
    this.#flushPlanned = false;
    this.#answerPlanned = false;
    if (prng.oneIn(3)) {
      // Nobody is there meanwhile.
      const until = this.clock.now + prng.interval(2_000);
      while (this.clock.next <= until) this.clock.step();
      this.clock.now = until;
    }
    for (const client of this.clients) client.lost();
    if (prng.oneIn(20)) this.#wallAhead += prng.pick([-3, 3]) * YEAR_MS;
    this.#life = this.#start();
    this.#up = true;
    const life = this.#life;
    if (life.dividing) oracle.met.add('a crash interrupts the division of what a member left');
    oracle.at(life.now, 0);
    oracle.crash(through, neededAfter(powerCut));
    demand(life.now <= this.clock.now + 0.001, () => 'the clock has jumped');
    oracle.at(life.now, life.log.last);
    oracle.restarted();
    life.checkTables();
    this.#time(); // what came due while nobody was there
    life.compare(oracle);
    this.flush();
  }

  // ---- Running ---------------------------------------------------------------------------------

  run(crashes: number): void {
    while (this.crashes < crashes) {
      this.pass(this.prng.interval(this.config.paceMs));
      this.#acting.step();
      const { sick, stepsPerLife } = this.config;
      if (sick > 0 && this.prng.oneIn(sick)) this.#sicken();
      if (!this.prng.oneIn(stepsPerLife)) continue;
      if (this.prng.oneIn(2)) this.#rush();
      this.crash(this.prng.oneIn(2));
    }
  }

  /** Everybody is in the middle of something. */
  #rush(): void {
    this.#acting.publishAll();
    this.pass(this.prng.interval(this.config.weather.delayMs));
  }

  /** Commits fail for a while. */
  #sicken(): void {
    const { store } = this.#life;
    this.note(() => 'the disk fails');
    this.oracle.met.add('the disk fails');
    store.failing = true;
    this.clock.after(this.prng.interval(1_000), () => {
      store.failing = false;
    });
  }

  pass(ms: number): void {
    const time = this.clock.now + ms;
    let { now } = this.clock;
    let busy = 0;
    while (Math.min(this.clock.next, this.#life.nextDeadline()) <= time) {
      this.#proceed();
      busy = this.clock.now > now ? 0 : busy + 1;
      ({ now } = this.clock);
      demand(
        busy < BUSY_MAX,
        () => 'time stands still: something always wants to be called at once',
      );
    }
    this.clock.now = Math.max(this.clock.now, time);
  }

  #proceed(): void {
    const deadline = this.#life.nextDeadline();
    if (deadline > this.clock.next) {
      this.clock.step();
      return;
    }
    this.clock.now = Math.max(this.clock.now, deadline);
    this.#life.reachDeadline();
    this.flush();
    this.#time();
    this.flush();
  }

  #time(): void {
    const { broker, log } = this.#life;
    const { now } = this.#life;
    if (broker.nextDeadline() <= now) broker.handleTime(now);
    this.oracle.at(now, log.last);
    this.oracle.advance();
    for (const { state, will } of this.oracle.records()) {
      const session = broker.state.sessions.get(state.clientId);
      demand(
        session !== undefined && (session.will === null) === (will === null),
        () => `${state.clientId} or its will went at the wrong time`,
      );
    }
  }

  /** Faults stop, everybody comes back and gets what is theirs; then one crash more. */
  finish(): void {
    this.healed = true;
    this.#life.store.failing = false;
    this.note(() => 'all is well from now on');
    this.#rest();
    this.#life.compare(this.oracle);
    this.crash(this.prng.oneIn(2));
    this.#rest();
    this.#life.checkTables();
  }

  #rest(): void {
    const limit = this.clock.now + REST_MS_MAX;
    do {
      this.#acting.comeBack();
      this.pass(200);
      demand(this.clock.now < limit, () => `no rest: ${this.#busy()}`);
    } while (this.#busy() !== null);
    this.pass(1_000); // the last batch
    while (this.#life.store.asked.length > 0) this.pass(100);
  }

  #busy(): string | null {
    const unpaid = this.oracle.unpaid();
    if (unpaid.length > 0) return `owed: ${unpaid.join('; ')}`;
    if (this.#life.dividesStill) return 'what an ended session left is not divided';
    // Also what nobody is owed, because a crash might have taken it, is on its way to somebody.
    const { queuedBytes, inflightBytes } = this.#life.broker.state;
    if (queuedBytes + inflightBytes > 0) return `${queuedBytes} + ${inflightBytes} bytes wait`;
    for (const [link, line] of this.#lines) if (!link.quiet) return line.client.id;
    const busy = this.clients.find(client => !client.idle);
    return busy === undefined ? null : `${busy.id} waits for an answer`;
  }

  // ---- Links -----------------------------------------------------------------------------------

  open(client: Client): Link {
    const life = this.#life;
    const c = life.broker.handleOpen(`${client.id}:1`, life.now)!;
    const { version } = client.character;
    const link = new Link(c, this.clock, this.prng, { ...this.config.weather }, true, {
      toBroker: (link, piece) => this.#feed(link, piece),
      toClient: (link, piece) => this.#arrive(link, line, piece),
      writable: link => this.#write(link),
      gone: link => this.#gone(link),
    });
    const line: Line = {
      client,
      talk: new Talk(client.id, version),
      up: new PacketDecoder(version, 'client'),
      down: new PacketDecoder(version),
      arriving: new PacketDecoder(version),
      life,
    };
    this.#lines.set(link, line);
    this.#links.set(c, link);
    this.#planFlush();
    return link;
  }

  #feed(link: Link, piece: Uint8Array): void {
    const line = this.#lines.get(link);
    if (line === undefined || link.closed) return;
    const { broker, log, now } = this.#life;
    const { degraded } = log;
    const borrowed = Buffer.from(piece); // as from a socket: its slices are views
    broker.handleBytes(link.connection, borrowed, now);
    borrowed.fill(0xee);
    this.oracle.at(now, log.last);
    for (const packet of line.up.push(piece)) this.oracle.handled(line.talk, packet, degraded);
    this.#planFlush();
  }

  #arrive(link: Link, line: Line, piece: Uint8Array): void {
    const { client } = line;
    if (client.link !== link) return;
    if (piece.length === 0) {
      link.abandon(null);
      client.lost();
      return;
    }
    for (const packet of line.arriving.push(piece)) this.oracle.arrivals.arrived(line.talk, packet);
    client.receive(piece);
  }

  #gone(link: Link): void {
    const line = this.#lines.get(link);
    if (line === undefined) return;
    this.#lines.delete(link);
    this.#links.delete(link.connection);
    link.close();
    const { broker, log, now } = this.#life;
    broker.handleClosed(link.connection, now);
    this.oracle.at(now, log.last);
    this.oracle.lost(line.talk);
    this.#planFlush();
  }

  // ---- Turns -----------------------------------------------------------------------------------

  #planFlush(): void {
    if (this.#flushPlanned) return;
    this.#flushPlanned = true;
    const life = this.#life;
    this.clock.after(this.prng.oneIn(3) ? this.prng.interval(2) : 0, () => {
      if (this.#up && life === this.#life) this.flush();
    });
  }

  /** The end of a turn, as the hallway ends it: ask, hand over, write, close. */
  flush(): void {
    this.#flushPlanned = false;
    const { broker, log, now } = this.#life;
    const { effects } = broker;
    for (const c of effects.authenticate.splice(0)) this.#letIn(c);
    log.flush(now);
    this.#planAnswer();
    for (const c of effects.takeDirty()) {
      const link = this.#links.get(c);
      if (link !== undefined) this.#write(link);
    }
    for (const c of effects.closing.splice(0)) {
      const link = this.#links.get(c);
      if (link === undefined) continue;
      link.closing = true;
      if (c.aborted || c.out.length === 0) this.#gone(link);
    }
    for (const c of effects.paused.splice(0)) this.#links.get(c)?.pause(c.paused);
    effects.log.length = 0;
    const { dirty, closing, authenticate } = effects;
    if (dirty.length + closing.length + authenticate.length > 0) this.#planFlush();
  }

  #letIn(c: Connection): void {
    const link = this.#links.get(c);
    if (link === undefined) return;
    const { broker, log, now } = this.#life;
    broker.handleAuthResult(c, { reason: 0 }, now);
    this.oracle.at(now, log.last);
    this.oracle.connected(this.#lines.get(link)!.talk);
    this.#planFlush();
  }

  /** The disk answers one request after the other, in its own time. */
  #planAnswer(): void {
    const life = this.#life;
    if (this.#answerPlanned || life.store.asked.length === 0) return;
    this.#answerPlanned = true;
    this.clock.after(this.prng.interval(this.config.diskMs), () => {
      if (!this.#up || life !== this.#life) return;
      this.#answerPlanned = false;
      life.store.unreadable = this.#unreadable();
      life.store.answer();
      this.#planFlush();
      this.#planAnswer();
    });
  }

  /** Whether what waits on a sick disk cannot be read this time: sooner or later it can. */
  #unreadable(): boolean {
    const unreadable = this.config.sick > 0 && this.prng.oneIn(this.healed ? 8 : 3);
    if (unreadable) this.oracle.met.add('the disk cannot be read');
    return unreadable;
  }

  #write(link: Link): void {
    const line = this.#lines.get(link);
    if (line === undefined) return;
    const c = link.connection;
    const { broker, log, now } = this.#life;
    // What waits for the store stays.
    const bytes = Math.min(c.out.limit - c.out.start, link.room);
    if (bytes > 0) {
      const written = c.out.buffer.slice(c.out.start, c.out.start + bytes);
      this.oracle.at(now, log.last);
      for (const packet of line.down.push(written)) this.oracle.wrote(line.talk, packet);
      link.write(written);
      c.out.consume(bytes);
    }
    if (c.out.length > 0) return;
    if (link.closing) this.#gone(link);
    else broker.handleDrained(c, now);
    this.#planFlushIfDirty();
  }

  #planFlushIfDirty(): void {
    const { dirty, closing } = this.#life.broker.effects;
    if (dirty.length + closing.length > 0 || this.#life.log.nextDeadline() <= this.#life.now) {
      this.#planFlush();
    }
  }

  /** The name of a message, which is also its payload. */
  payload(name: string): Uint8Array {
    return text(name);
  }
}
