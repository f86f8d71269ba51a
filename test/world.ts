// A broker with clients around it and no network: virtual time, and everything that happens is
// asked for. It does what the hallway does (src/loop.ts): answer the authenticator, write, close,
// pause. Every input is followed by one turn, unless `hold` gathers several into one. $SYS is off
// unless `sysIntervalMs` says otherwise.

import assert from 'node:assert/strict';
import type { Access, AuthResult, Credentials, Origin } from '../src/core/access.ts';
import { Broker } from '../src/core/broker.ts';
import type { LogEvent } from '../src/core/effects.ts';
import type { Journal } from '../src/core/journal.ts';
import { type BrokerOptions, defaultOptions } from '../src/core/options.ts';
import type { Connection } from '../src/core/session/connection.ts';
import { KB } from '../src/limits.ts';
import { Prng } from './prng.ts';
import {
  type ConnackWire,
  encodePacket,
  join,
  PacketDecoder,
  type Version,
  type WireInput,
  type WirePacket,
} from './wire.ts';

/** What a CONNECT says, apart from the version; what is not given has its usual value. */
export type ConnectFields = Omit<Extract<WireInput, { type: 'connect' }>, 'type' | 'version'>;

/** Where a transport comes from, and the listener it comes in by: a plain one without a name. */
export interface Place {
  readonly peer?: string;
  readonly listener?: string;
  readonly mountPoint?: string;
}

function originOf({ listener = '', mountPoint = '' }: Place): Origin {
  return { listener, mountPoint, username: null, certificate: null, anonymous: null };
}

/** Output that is as good as none: the broker is told that there is room (see src/loop.ts). */
const lowWater = 64 * KB;

/** The verdict on a client, or null to leave it unanswered until `World.answer`. */
export type Authenticate = (credentials: Credentials) => AuthResult | null;

export const allowAll: Access = { mayPublish: () => true, maySubscribe: () => true };

/** What the hallway flushes at the end of a turn: the log of the store. */
interface Keeper {
  flush(now: number): void;
  nextDeadline(): number;
}

/** One client's end of one transport. */
export class Client {
  readonly version: Version;
  /** The broker's end; null once the transport is gone. */
  connection: Connection | null;
  /** The broker closed the transport. */
  closed = false;
  /** Bytes the client takes per turn: less than Infinity makes it a slow consumer. */
  budget = Number.POSITIVE_INFINITY;
  /** What is left of it in this turn. */
  allowance = Number.POSITIVE_INFINITY;
  /** The answer to CONNECT, once `World.connect` has seen it. */
  connack: ConnackWire | null = null;
  /** The broker has asked not to be handed anything more. */
  stopped = false;
  /** Sent while the broker did not read. */
  readonly unread: Uint8Array[] = [];
  readonly #world: World;
  readonly #decoder: PacketDecoder;
  #received: WirePacket[] = [];

  constructor(world: World, connection: Connection, version: Version) {
    this.#world = world;
    this.connection = connection;
    this.version = version;
    this.#decoder = new PacketDecoder(version);
  }

  /** Sends packets, or bytes as they are, in one piece. */
  send(...packets: (WireInput | Uint8Array)[]): void {
    const parts = packets.map(p => (p instanceof Uint8Array ? p : encodePacket(p, this.version)));
    this.#world.receive(this, join(parts));
  }

  /** Every packet received since the last call. */
  take(): WirePacket[] {
    const packets = this.#received;
    this.#received = [];
    return packets;
  }

  /** Puts packets back that were taken too early. */
  keep(packets: readonly WirePacket[]): void {
    this.#received.unshift(...packets);
  }

  /** The transport is lost: nothing arrives any more, in either direction. */
  drop(): void {
    this.#world.lose(this);
  }

  /** Bytes from the broker. */
  arrive(bytes: Uint8Array): void {
    this.#received.push(...this.#decoder.push(bytes));
  }
}

export class World {
  /** Virtual milliseconds. */
  now: number;
  readonly #keeper: Keeper | null;
  readonly broker: Broker;
  readonly log: LogEvent[] = [];
  /** Clients whose transport is open. */
  readonly clients = new Map<Connection, Client>();
  readonly #authenticate: Authenticate;
  /** Connections with output that their client did not take yet, and those to be closed after it.
   *  */
  readonly #unwritten = new Set<Connection>();
  readonly #closing = new Set<Connection>();
  #held = 0;
  #named = 0;

  constructor(
    options: Partial<BrokerOptions> = {},
    access: Access = allowAll,
    authenticate: Authenticate = () => ({ reason: 0 }),
    kept: { journal: Journal & Keeper; now: number } | null = null,
  ) {
    this.now = kept?.now ?? 1_000;
    this.#keeper = kept?.journal ?? null;
    const prng = new Prng(1);
    this.#authenticate = authenticate;
    this.broker = new Broker(
      { ...defaultOptions, sysIntervalMs: 0, ...options },
      access,
      () => prng.fraction(),
      this.now,
      kept?.journal,
    );
  }

  /** A client past a successful CONNACK. Without a client id it gets one of its own. */
  connect(version: Version, fields: ConnectFields = {}, place: Place = {}): Client {
    const client = this.open(version, place);
    client.send({ type: 'connect', version, clientId: `client-${++this.#named}`, ...fields });
    const [connack, ...rest] = client.take();
    assert.ok(connack?.type === 'connack', 'the first packet is CONNACK');
    assert.equal(connack.reason, 0);
    client.connack = connack;
    client.keep(rest);
    return client;
  }

  /** A new transport that speaks `version`. */
  open(version: Version, place: Place = {}): Client {
    const peer = place.peer ?? `192.0.2.1:${1024 + this.clients.size}`;
    const origin = place.listener === undefined ? null : originOf(place);
    const connection = this.broker.handleOpen(peer, this.now, origin);
    if (connection === null) throw new Error('the broker refused the connection');
    const client = new Client(this, connection, version);
    this.clients.set(connection, client);
    this.turn();
    return client;
  }

  /** Gathers the inputs of `body` into one turn. */
  hold(body: () => void): void {
    this.#held++;
    body();
    this.#held--;
    this.turn();
  }

  /** Lets `ms` pass; what is due on the way happens at its own time. */
  advance(ms: number): void {
    const until = this.now + ms;
    for (;;) {
      const due = Math.min(
        this.broker.nextDeadline(),
        this.#keeper?.nextDeadline() ?? Number.POSITIVE_INFINITY,
      );
      if (due > until) break;
      this.now = Math.max(this.now, due);
      this.turn();
    }
    this.now = until;
    this.turn();
  }

  /** The authenticator's late verdict. */
  answer(client: Client, result: AuthResult): void {
    if (client.connection === null) return;
    this.broker.handleAuthResult(client.connection, result, this.now);
    this.turn();
  }

  shutdown(): void {
    this.broker.handleShutdown(this.now);
    this.turn();
  }

  receive(client: Client, bytes: Uint8Array): void {
    const c = client.connection;
    if (c === null || bytes.length === 0) return;
    if (client.stopped || client.unread.length > 0) client.unread.push(bytes);
    else this.#feed(c, bytes);
    this.turn();
  }

  lose(client: Client): void {
    if (client.connection === null) return;
    this.#forget(client.connection);
    this.turn();
  }

  /** Works off what the broker wants done, until it wants nothing more at this time. */
  turn(): void {
    if (this.#held > 0) return;
    for (const client of this.clients.values()) client.allowance = client.budget;
    for (const c of this.#unwritten) this.#write(c);
    for (let again = true; again; ) {
      this.#keeper?.flush(this.now);
      again = this.#work();
      if (this.broker.nextDeadline() <= this.now) {
        this.broker.handleTime(this.now);
        again = true;
      }
    }
  }

  #work(): boolean {
    const { effects } = this.broker;
    let worked = false;
    for (const c of effects.authenticate.splice(0)) {
      worked = true;
      const verdict = c.credentials === null ? null : this.#authenticate(c.credentials);
      if (verdict !== null) this.broker.handleAuthResult(c, verdict, this.now);
    }
    for (const c of effects.takeDirty()) {
      worked = true;
      this.#write(c);
    }
    for (const c of effects.closing.splice(0)) {
      worked = true;
      if (c.aborted || c.out.length === 0) this.#close(c);
      else this.#closing.add(c);
    }
    for (const c of effects.paused.splice(0)) {
      worked = true;
      this.#applyPause(c);
    }
    this.log.push(...effects.log.splice(0));
    return worked;
  }

  /** One write: as much as the client takes in a turn. */
  #write(c: Connection): void {
    const client = this.clients.get(c);
    if (client === undefined) return;
    const due = c.out.limit - c.out.start; // the rest waits for the store
    const bytes = Math.min(due, client.allowance);
    client.allowance -= bytes;
    client.arrive(c.out.buffer.subarray(c.out.start, c.out.start + bytes));
    c.out.consume(bytes);
    if (bytes < due) this.#unwritten.add(c);
    else this.#unwritten.delete(c);
    if (c.out.length === 0 && this.#closing.has(c)) this.#close(c);
    else if (c.out.length <= lowWater) this.broker.handleDrained(c, this.now);
  }

  #applyPause(c: Connection): void {
    const client = this.clients.get(c);
    if (client === undefined) return;
    client.stopped = c.paused;
    while (!c.paused && client.unread.length > 0) this.#feed(c, client.unread.shift()!);
  }

  /** Hands over a chunk and then spoils it: it was only borrowed. As from a socket it is a Buffer,
   *  whose slices are views. */
  #feed(c: Connection, bytes: Uint8Array): void {
    const chunk = Buffer.from(bytes);
    this.broker.handleBytes(c, chunk, this.now);
    chunk.fill(0xee);
  }

  #close(c: Connection): void {
    const client = this.clients.get(c);
    if (client === undefined) return;
    client.closed = true;
    this.#forget(c);
  }

  #forget(c: Connection): void {
    const client = this.clients.get(c);
    if (client !== undefined) client.connection = null;
    this.clients.delete(c);
    this.#unwritten.delete(c);
    this.#closing.delete(c);
    this.broker.handleClosed(c, this.now);
  }
}
