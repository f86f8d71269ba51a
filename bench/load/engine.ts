// The generator's clients: sockets on loopback, read and written in one tight loop. It owns bytes
// and frames; what they mean is the Traffic's business. One pooled buffer receives for everybody;
// what is left of a cut frame waits in the client's own small buffer, and so does what the kernel
// would not take. Acknowledgements caused by one read leave in one write.

import {
  closeSocket,
  connectLoopback,
  EPOLLIN,
  EPOLLOUT,
  Memory,
  Poll,
  receive,
  type Ticker,
  transmit,
  wouldBlock,
} from './libc.ts';
import { FrameScanner, MALFORMED } from './scanner.ts';

const RECEIVE_BYTES = 256 * 1024;
const EVENTS_PER_WAIT = 1024;
const UNSENT_BYTES_MAX = 64 * 1024 * 1024;
const TICK = -1;

export class Client {
  readonly fd: number;
  /** Which of the engine's clients it is. */
  readonly index: number;
  carry: Uint8Array = EMPTY.bytes;
  carryLength = 0;
  unsent: Memory = EMPTY;
  unsentStart = 0;
  unsentEnd = 0;

  constructor(fd: number, index: number) {
    this.fd = fd;
    this.index = index;
  }

  get blocked(): boolean {
    return this.unsentEnd > this.unsentStart;
  }
}

/** Who understands the frames. Reads them in place: bytes and scanner are valid until it returns.
 *  */
export interface FrameHandler {
  onFrame(client: Client, scanner: FrameScanner, memory: Memory): void;
  /** The time was read anew: once before the frames of each read. */
  onRead(nowMs: number): void;
}

const EMPTY = new Memory(0);

export class Engine {
  readonly clients: Client[] = [];
  private readonly poll = new Poll(EVENTS_PER_WAIT);
  private readonly scanner = new FrameScanner();
  private readonly inbound = new Memory(RECEIVE_BYTES);
  private readonly replies = new Memory(RECEIVE_BYTES * 2);
  private repliesLength = 0;
  private ticker: Ticker | null = null;

  connect(port: number): Client {
    const client = new Client(connectLoopback(port), this.clients.length);
    this.clients.push(client);
    this.poll.add(client.fd, client.index, EPOLLIN);
    return client;
  }

  tickWith(ticker: Ticker): void {
    this.ticker = ticker;
    this.poll.add(ticker.fd, TICK, EPOLLIN);
  }

  /** One turn: waits for something to happen, at most so long, and handles all of it. */
  turn(handler: FrameHandler, timeoutMs: number): void {
    const ready = this.poll.wait(timeoutMs);
    for (let i = 0; i < ready; i++) {
      const token = this.poll.token(i);
      if (token === TICK) {
        this.ticker?.acknowledge();
        continue;
      }
      const client = this.clients[token]!;
      const events = this.poll.events(i);
      if ((events & EPOLLOUT) !== 0) this.flush(client);
      if ((events & ~EPOLLOUT) !== 0) this.read(client, handler);
    }
  }

  /** Adds a four-byte acknowledgement to what answers the read being handled. */
  reply(head: number, packetId: number): void {
    this.replies.view.setUint32(this.repliesLength, (head << 24) | (2 << 16) | packetId);
    this.repliesLength += 4;
  }

  /** Sends a frame that is not worth a buffer of its own. */
  sendFrame(client: Client, frame: Uint8Array): void {
    const memory = new Memory(frame.length);
    memory.bytes.set(frame);
    this.send(client, memory, frame.length);
  }

  /** Sends the first bytes of a memory that the caller may reuse at once. */
  send(client: Client, memory: Memory, length: number): void {
    let sent = 0;
    if (!client.blocked) {
      sent = transmit(client.fd, memory.address, length);
      if (sent === length) return;
      if (sent < 0) {
        if (!wouldBlock()) throw lost(client, 'while sending');
        sent = 0;
      }
      this.poll.change(client.fd, client.index, EPOLLIN | EPOLLOUT);
    }
    keepUnsent(client, memory.bytes.subarray(sent, length));
  }

  close(): void {
    for (const client of this.clients) closeSocket(client.fd);
  }

  private flush(client: Client): void {
    const length = client.unsentEnd - client.unsentStart;
    const sent = transmit(client.fd, client.unsent.address + client.unsentStart, length);
    if (sent < 0) {
      if (wouldBlock()) return;
      throw lost(client, 'while sending');
    }
    client.unsentStart += sent;
    if (client.blocked) return;
    client.unsentStart = 0;
    client.unsentEnd = 0;
    this.poll.change(client.fd, client.index, EPOLLIN);
  }

  private read(client: Client, handler: FrameHandler): void {
    const { bytes, address } = this.inbound;
    const kept = client.carryLength;
    if (kept > 0) bytes.set(client.carry.subarray(0, kept));
    const count = receive(client.fd, address + kept, RECEIVE_BYTES - kept);
    if (count <= 0) {
      if (count < 0 && wouldBlock()) return;
      throw lost(client, 'the broker closed it');
    }
    handler.onRead(performance.now());
    const limit = kept + count;
    const rest = this.scan(client, limit, handler);
    if (rest < limit) keepRest(client, bytes, rest, limit);
    else client.carryLength = 0;
    if (this.repliesLength > 0) {
      this.send(client, this.replies, this.repliesLength);
      this.repliesLength = 0;
    }
  }

  /** Hands every whole frame to the handler; returns where the first incomplete one begins. */
  private scan(client: Client, limit: number, handler: FrameHandler): number {
    const { inbound, scanner } = this;
    let at = 0;
    for (;;) {
      const next = scanner.next(inbound.bytes, at, limit);
      if (next < 0) {
        if (next === MALFORMED) throw lost(client, 'the broker sent what is no MQTT frame');
        return at;
      }
      handler.onFrame(client, scanner, inbound);
      at = next;
    }
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

function keepUnsent(client: Client, rest: Uint8Array): void {
  const waiting = client.unsentEnd - client.unsentStart;
  if (client.unsentEnd + rest.length > client.unsent.bytes.length) {
    const size = Math.max(4096, (waiting + rest.length) * 2);
    if (size > UNSENT_BYTES_MAX) throw lost(client, 'the broker has stopped reading');
    const grown = new Memory(size);
    grown.bytes.set(client.unsent.bytes.subarray(client.unsentStart, client.unsentEnd));
    client.unsent = grown;
    client.unsentStart = 0;
    client.unsentEnd = waiting;
  }
  client.unsent.bytes.set(rest, client.unsentEnd);
  client.unsentEnd += rest.length;
}
