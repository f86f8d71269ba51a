// The load engine's clients: sockets, read and written in one tight loop. It owns bytes and frames;
// what they mean is its handler's business. One pooled buffer receives for everybody; what is left
// of a cut frame waits in the client's own small buffer, and so does what the kernel did not take.
// Acknowledgements caused by one read leave in one write. Where a transport is given, its layers
// stand between frames and socket; what is to be sent before they are open waits.

import { EPOLLIN, EPOLLOUT } from '../io/sync/libc.ts';
import { Poller, type Source } from '../io/sync/poller.ts';
import { FrameScanner, MALFORMED } from './scanner.ts';
import type { Memory, System, Target } from './system.ts';
import type { Layer } from './transport/layer.ts';
import type { Transport } from './transport/transport.ts';

const RECEIVE_BYTES = 256 * 1024;
const UNSENT_BYTES_MAX = 64 * 1024 * 1024;
const NOTHING = new Uint8Array(0);

export class Client implements Source {
  readonly fd: number;
  /** Which of the engine's clients it is. */
  readonly index: number;
  readonly engine: Engine;
  carry: Uint8Array = NOTHING;
  carryLength = 0;
  unsent: Memory | null = null;
  unsentStart = 0;
  unsentEnd = 0;
  /** Null: frames are what the socket carries. */
  layer: Layer | null = null;
  /** Frames that wait for the end of the handshake; null: it is over. */
  early: Memory[] | null = null;
  gone = false;

  constructor(engine: Engine, fd: number, index: number) {
    this.engine = engine;
    this.fd = fd;
    this.index = index;
  }

  get blocked(): boolean {
    return this.unsentEnd > this.unsentStart;
  }

  ready(events: number): void {
    this.engine.onReady(this, events);
  }
}

/** Who understands the frames. Reads them in place: bytes and scanner are valid until it returns.
 *  */
export interface FrameHandler {
  onFrame(client: Client, scanner: FrameScanner, memory: Memory): void;
  /** The time was read anew: once before the frames of each read. */
  onRead(nowMs: number): void;
  /** The kernel has taken what waited for this client. */
  onDrained(client: Client): void;
}

const nobody: FrameHandler = { onFrame: () => {}, onRead: () => {}, onDrained: () => {} };

export class Engine {
  readonly clients: Client[] = [];
  readonly system: System;
  private readonly target: Target;
  readonly transport: Transport | null;
  private readonly poller: Poller;
  private readonly scanner = new FrameScanner();
  private readonly inbound: Memory;
  /** A cut frame and what came after it, where it has to be put together. */
  private readonly joined: Memory;
  private readonly replies: Memory;
  private repliesLength = 0;
  private handler = nobody;
  private readonly muted = new Set<Client>();

  /** `transport`: null for plain TCP. */
  constructor(system: System, target: Target, transport: Transport | null = null) {
    this.system = system;
    this.target = target;
    this.transport = transport;
    this.poller = new Poller(system.libc);
    this.inbound = system.memory(RECEIVE_BYTES);
    this.joined = system.memory(transport === null ? 1 : RECEIVE_BYTES * 2);
    this.replies = system.memory(RECEIVE_BYTES * 2);
  }

  connect(): Client {
    const client = new Client(this, this.system.connect(this.target), this.clients.length);
    this.clients.push(client);
    if (!this.poller.add(client.fd, client, EPOLLIN)) throw new Error('epoll has no room left');
    if (this.transport !== null) this.dress(client, this.transport);
    return client;
  }

  /** Another one that goes to the same broker by the same way. */
  another(): Engine {
    return new Engine(this.system, this.target, this.transport);
  }

  /** Ends one client. Not for use while a frame of it is being handled. */
  drop(client: Client): void {
    if (client.gone) return;
    client.gone = true;
    this.poller.forget(client.fd);
    this.system.close(client.fd);
    client.layer?.free();
    client.layer = null;
    client.early = null;
  }

  /** Has `source` woken as well. */
  watch(source: Source & { readonly fd: number }): void {
    if (!this.poller.add(source.fd, source, EPOLLIN)) throw new Error('epoll has no room left');
  }

  /** Never reads from this client again; that its connection may end does not matter then. */
  mute(client: Client): void {
    this.muted.add(client);
    this.poller.change(client.fd, 0);
  }

  /** One turn: waits for something to happen, at most so long, and handles all of it. */
  turn(handler: FrameHandler, timeoutMs: number): void {
    this.handler = handler;
    this.poller.wait(timeoutMs);
  }

  /** Called by the poller. */
  onReady(client: Client, events: number): void {
    if (this.muted.has(client)) this.poller.takeOut(client.fd);
    else {
      if ((events & EPOLLOUT) !== 0) this.flush(client);
      if ((events & ~EPOLLOUT) !== 0) this.read(client);
    }
  }

  /** Adds a four-byte acknowledgement to what answers the read being handled. */
  reply(head: number, packetId: number): void {
    this.replies.view.setUint32(this.repliesLength, (head << 24) | (2 << 16) | packetId);
    this.repliesLength += 4;
  }

  /** Sends a frame that is not worth a buffer of its own. */
  sendFrame(client: Client, frame: Uint8Array): void {
    const memory = this.system.memory(frame.length);
    memory.bytes.set(frame);
    this.send(client, memory, 0, frame.length);
  }

  /** Sends [start, end) of a memory, whole frames, that the caller may reuse at once. */
  send(client: Client, memory: Memory, start: number, end: number): void {
    if (client.layer === null) {
      this.transmit(client, memory, start, end);
    } else if (client.early === null) {
      client.layer.wrap(memory, start, end);
    } else {
      const kept = this.system.memory(end - start);
      kept.bytes.set(memory.bytes.subarray(start, end));
      client.early.push(kept);
    }
  }

  close(): void {
    for (const client of this.clients) this.drop(client);
    this.poller.close();
  }

  private dress(client: Client, transport: Transport): void {
    client.early = [];
    client.layer = transport.layers({
      below: (memory, start, end) => this.transmit(client, memory, start, end),
      above: (memory, start, end) => this.arrived(client, memory, start, end),
      opened: () => {
        const early = client.early ?? [];
        client.early = null;
        for (const kept of early) this.send(client, kept, 0, kept.bytes.length);
      },
    });
    client.layer.begin();
  }

  private transmit(client: Client, memory: Memory, start: number, end: number): void {
    let sent = 0;
    if (!client.blocked) {
      sent = this.system.transmit(client.fd, memory.address + start, end - start);
      if (sent === end - start) return;
      if (sent < 0) {
        if (!this.system.wouldBlock()) throw lost(client, 'while sending');
        sent = 0;
      }
      this.poller.change(client.fd, EPOLLIN | EPOLLOUT);
    }
    this.keepUnsent(client, memory.bytes.subarray(start + sent, end));
  }

  private flush(client: Client): void {
    const length = client.unsentEnd - client.unsentStart;
    const address = client.unsent!.address + client.unsentStart;
    const sent = this.system.transmit(client.fd, address, length);
    if (sent < 0) {
      if (this.system.wouldBlock()) return;
      throw lost(client, 'while sending');
    }
    client.unsentStart += sent;
    if (client.blocked) return;
    client.unsentStart = 0;
    client.unsentEnd = 0;
    this.poller.change(client.fd, EPOLLIN);
    this.handler.onDrained(client);
  }

  private read(client: Client): void {
    const { handler, inbound } = this;
    const kept = client.layer === null ? client.carryLength : 0;
    if (kept > 0) inbound.bytes.set(client.carry.subarray(0, kept));
    const count = this.system.receive(client.fd, inbound.address + kept, RECEIVE_BYTES - kept);
    if (count <= 0) {
      if (count < 0 && this.system.wouldBlock()) return;
      throw lost(client, 'the broker closed it');
    }
    handler.onRead(performance.now());
    if (client.layer === null) this.scan(client, inbound, 0, kept + count);
    else client.layer.unwrap(inbound, 0, count);
    if (this.repliesLength > 0) {
      this.send(client, this.replies, 0, this.repliesLength);
      this.repliesLength = 0;
    }
  }

  /** Bytes of frames have come out of a client's layers. */
  private arrived(client: Client, memory: Memory, start: number, end: number): void {
    const kept = client.carryLength;
    if (kept === 0) {
      this.scan(client, memory, start, end);
      return;
    }
    const { joined } = this;
    joined.bytes.set(client.carry.subarray(0, kept));
    joined.bytes.set(memory.bytes.subarray(start, end), kept);
    this.scan(client, joined, 0, kept + end - start);
  }

  private keepUnsent(client: Client, rest: Uint8Array): void {
    const waiting = client.unsentEnd - client.unsentStart;
    if (client.unsentEnd + rest.length > (client.unsent?.bytes.length ?? 0)) {
      const size = Math.max(4096, (waiting + rest.length) * 2);
      if (size > UNSENT_BYTES_MAX) throw lost(client, 'the broker has stopped reading');
      const grown = this.system.memory(size);
      const old = client.unsent?.bytes.subarray(client.unsentStart, client.unsentEnd);
      if (old) grown.bytes.set(old);
      client.unsent = grown;
      client.unsentStart = 0;
      client.unsentEnd = waiting;
    }
    client.unsent!.bytes.set(rest, client.unsentEnd);
    client.unsentEnd += rest.length;
  }

  /** Hands every whole frame to the handler and keeps what is left. */
  private scan(client: Client, memory: Memory, start: number, limit: number): void {
    const { scanner, handler } = this;
    let at = start;
    for (;;) {
      const next = scanner.next(memory.bytes, at, limit);
      if (next < 0) {
        if (next === MALFORMED) throw lost(client, 'the broker sent what is no MQTT frame');
        break;
      }
      handler.onFrame(client, scanner, memory);
      at = next;
    }
    if (at < limit) keepRest(client, memory.bytes, at, limit);
    else client.carryLength = 0;
  }
}

function lost(client: Client, how: string): Error {
  return new Error(`client ${client.index} lost its connection: ${how}`);
}

function keepRest(client: Client, bytes: Uint8Array, from: number, to: number): void {
  const length = to - from;
  if (length >= RECEIVE_BYTES) throw new Error(`a frame exceeds ${RECEIVE_BYTES} bytes`);
  if (client.carry.length < length) client.carry = new Uint8Array(Math.max(256, length * 2));
  client.carry.set(bytes.subarray(from, to));
  client.carryLength = length;
}
