// A broker under the fuzzer, with the driver's part played for it: it takes any bytes on any number
// of connections, and every output is read by the strict test codec. Whatever comes in, the broker
// must not throw, must answer in reasonable time, must close what it refuses, and must forget
// everything once its clients are gone.

import { strict as assert } from 'node:assert';
import { Broker } from '../../src/core/broker.ts';
import { type BrokerOptions, defaultOptions } from '../../src/core/options.ts';
import { type Connection, ConnectionState } from '../../src/core/session/connection.ts';
import type { Prng } from '../prng.ts';
import { PacketDecoder, type Version, type WirePacket } from '../wire.ts';

/** No input may keep the broker busy for longer, milliseconds. */
const INPUT_MS_MAX = 2_000;

const options = {
  packetSizeMax: 8_000,
  receiveMaximum: 20,
  topicAliasMaximum: 5,
  topicAliasOutMax: 3,
  inflightMax: 4,
  queueMessagesMax: 20,
  queueBytesMax: 20_000,
  outputHighWater: 5_000,
  outputBytesMax: 10_000,
  subscriptionsPerSessionMax: 10,
  retainedMessagesMax: 60,
  retainedBytesMax: 10_000,
  sessionsMax: 6,
  sessionExpiryMaxSeconds: 10,
  authMethods: ['known'],
  responseInformation: 'answers/',
} satisfies Partial<BrokerOptions>;

/** One transport as the fuzzer sees it. */
export interface Wire {
  readonly connection: Connection;
  /** What the broker has sent, decoded strictly. */
  readonly output: PacketDecoder;
  /** What the client has sent, decoded strictly, until it turned out malformed. */
  readonly input: PacketDecoder;
  /** What it has received and not looked at yet. */
  readonly inbox: WirePacket[];
  /** The last packet it was sent. */
  last: WirePacket | null;
  /** It was let in, and it has not said DISCONNECT. */
  inside: boolean;
  /** Set once the client has sent what no strict decoder takes. */
  malformed: string | null;
  /** The broker wants it closed. */
  closing: boolean;
  gone: boolean;
}

export class Victim {
  now = 1_000;
  readonly broker: Broker;
  readonly wires: Wire[] = [];
  readonly #prng: Prng;

  constructor(prng: Prng) {
    this.#prng = prng;
    const access = {
      mayPublish: (_: unknown, topic: string) => !topic.startsWith('forbidden/'),
      maySubscribe: (_: unknown, filter: string) => filter !== 'ä/€',
    };
    const drawn = {
      queuePolicy: prng.pick(['drop-newest', 'drop-oldest'] as const),
      queueQoS0: prng.oneIn(2),
      maximumQoS: prng.oneIn(20) ? prng.pick<0 | 1>([0, 1]) : (2 as const),
      retainAvailable: !prng.oneIn(20),
      sharedSubscriptionAvailable: !prng.oneIn(20),
      subscriptionIdentifierAvailable: !prng.oneIn(20),
      wildcardSubscriptionAvailable: !prng.oneIn(20),
      sysIntervalMs: prng.pick([0, 500]),
    };
    this.broker = new Broker(
      { ...defaultOptions, ...options, ...drawn },
      access,
      () => prng.fraction(),
      this.now,
    );
  }

  /** A new transport; its client will speak `version`. */
  open(version: Version): Wire {
    const connection = this.broker.handleOpen(`wire ${this.wires.length}`, this.now);
    assert.ok(connection !== null, 'a connection was refused');
    const wire = {
      connection,
      output: new PacketDecoder(version),
      input: new PacketDecoder(version, 'client'),
      inbox: [],
      last: null,
      inside: false,
      malformed: null,
      closing: false,
      gone: false,
    };
    this.wires.push(wire);
    return wire;
  }

  feed(wire: Wire, chunk: Uint8Array): void {
    if (wire.gone || wire.connection.paused) return;
    this.#readAlong(wire, chunk);
    const borrowed = Buffer.from(chunk); // as from a socket: its slices are views
    this.#timed(() => this.broker.handleBytes(wire.connection, borrowed, this.now));
    borrowed.fill(0xee);
    this.turn();
  }

  #readAlong(wire: Wire, chunk: Uint8Array): void {
    if (wire.malformed !== null || wire.closing) return;
    try {
      wire.input.push(chunk);
    } catch (error) {
      wire.malformed = error instanceof Error ? error.message : String(error);
    }
  }

  #timed(input: () => void): void {
    const began = performance.now();
    const before = process.cpuUsage();
    input();
    if (performance.now() - began < INPUT_MS_MAX) return;
    // Or else others had the processor meanwhile.
    const { user, system } = process.cpuUsage(before);
    const took = (user + system) / 1000;
    assert.ok(took < INPUT_MS_MAX, `one input took ${took} ms`);
  }

  /** The end of a turn, until the broker wants nothing more at this time. */
  turn(): void {
    const { effects } = this.broker;
    for (let rounds = 0; ; rounds++) {
      assert.ok(rounds < 1_000, 'the broker does not come to rest');
      for (const c of effects.authenticate.splice(0)) this.#authenticate(c);
      for (const c of effects.takeDirty()) this.#write(c);
      for (const { event, fields } of effects.log.splice(0)) {
        const wire = this.wires.find(each => each.connection.peer === fields.peer);
        if (wire === undefined) continue;
        if (event === 'connect') wire.inside = true;
        if (event === 'disconnect' && fields.by === 'client') wire.inside = false;
      }
      for (const c of effects.closing.splice(0)) this.#close(c);
      effects.paused.length = 0;
      if (this.broker.nextDeadline() <= this.now) {
        this.#timed(() => this.broker.handleTime(this.now));
      } else if (
        effects.dirty.length + effects.closing.length + effects.authenticate.length ===
        0
      ) {
        return;
      }
    }
  }

  #authenticate(c: Connection): void {
    const asksMore = c.login?.method != null && this.#prng.oneIn(2);
    const reason = this.#prng.oneIn(30) ? 0x87 : asksMore ? 0x18 : 0;
    this.broker.handleAuthResult(c, { reason }, this.now);
  }

  #wireOf(c: Connection): Wire | undefined {
    return this.wires.find(wire => wire.connection === c && !wire.gone);
  }

  #write(c: Connection): void {
    const wire = this.#wireOf(c);
    const { out } = c;
    if (wire === undefined) return;
    const most = options.outputBytesMax + 2 * options.packetSizeMax;
    assert.ok(out.length <= most, `${out.length} bytes wait for one client`);
    // A slow client takes a part, or nothing.
    const bytes = this.#prng.oneIn(6) ? this.#prng.below(out.length + 1) : out.length;
    wire.output.version = c.version;
    const packets = wire.output.push(out.buffer.slice(out.start, out.start + bytes));
    wire.inbox.push(...packets);
    wire.last = packets.at(-1) ?? wire.last;
    out.consume(bytes);
    if (out.length === 0 || this.#prng.oneIn(3)) this.broker.handleDrained(c, this.now);
  }

  #close(c: Connection): void {
    const wire = this.#wireOf(c);
    assert.equal(c.state, ConnectionState.Closing, 'only a closing connection is to be closed');
    if (wire === undefined) return;
    wire.closing = true;
    this.#write(c);
    if (c.out.length === 0) this.#checkLastWord(wire);
    if (this.#prng.oneIn(2) || c.aborted) this.lose(wire);
  }

  /** An MQTT 5 client that was let in is told why it has to go, if it takes packets that large. */
  #checkLastWord({ connection: c, inside, last }: Wire): void {
    if (!inside || c.version !== 5 || c.packetSizeMax < 20) return;
    assert.equal(last?.type, 'disconnect', `closed without a word, after ${JSON.stringify(last)}`);
    assert.ok('reason' in last && last.reason >= 0x80, 'the reason is none');
  }

  /** The transport is gone. */
  lose(wire: Wire): void {
    if (wire.gone) return;
    wire.gone = true;
    this.broker.handleClosed(wire.connection, this.now);
  }

  /** Lets time pass, deadline by deadline. */
  pass(ms: number): void {
    const until = this.now + ms;
    for (;;) {
      const due = this.broker.nextDeadline();
      if (due > until) break;
      this.now = Math.max(this.now, due);
      this.turn();
    }
    this.now = until;
    this.turn();
  }

  /** What no strict decoder takes must have cost its sender the connection. */
  checkRefused(): void {
    this.turn();
    for (const { malformed, closing, gone, connection } of this.wires) {
      const held = connection.paused || connection.state === ConnectionState.Authenticating;
      if (malformed === null || gone || held) continue;
      assert.ok(closing, `a client of version ${connection.version} may go on after: ${malformed}`);
    }
  }

  /** With everybody gone and every session over, nothing may be left. */
  checkForgotten(): void {
    for (const wire of this.wires) this.lose(wire);
    this.turn();
    this.pass(60_000);
    const { state } = this.broker;
    assert.equal(state.connectionCount, 0, 'connections');
    assert.equal(state.clientCount, 0, 'clients');
    assert.equal(state.sessions.size, 0, 'sessions');
    assert.equal(state.router.subscriptionCount, 0, 'subscriptions');
    assert.equal(state.router.groupCount, 0, 'shares');
    assert.equal(state.queuedBytes, 0, 'bytes queued');
    assert.equal(state.inflightBytes, 0, 'bytes in flight');
    assert.equal(state.pool.lentBytes, 0, 'bytes of outputs and parts');
    assert.ok(state.retained.count <= options.retainedMessagesMax, 'retained messages');
    assert.ok(state.timers.size <= state.retained.count + 1, `${state.timers.size} timers`);
  }
}
