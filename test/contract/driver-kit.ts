// What the suite about drivers shares: the process with the driver under test (driver-host.ts), and
// the peers, which live here. Nothing is waited for by the clock; a wait that never ends is ended
// by the test's own bound.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { clientFrame } from '../io/web-socket/frames-kit.ts';
import { crowdFlag } from './driver-crowd.ts';
import {
  fillPattern,
  type GuestState,
  type HostLine,
  type HostScript,
  hostFlag,
  type Stats,
} from './driver-host.ts';

const LOOPBACK = '127.0.0.1';
const hostProgram = fileURLToPath(new URL('./driver-host.ts', import.meta.url));
const crowdProgram = fileURLToPath(new URL('./driver-crowd.ts', import.meta.url));

/** How this runtime, as it is running now, runs another program. */
function command(program: string, args: readonly string[]): string[] {
  const flags = 'Bun' in globalThis ? [] : process.execArgv.filter(flag => !/^--test/.test(flag));
  return [process.execPath, ...flags, program, ...args];
}

type Waiter = () => boolean;

/** Lets somebody wait until something holds that events change. */
class Changes {
  private readonly waiters = new Set<Waiter>();

  changed(): void {
    for (const waiter of this.waiters) if (waiter()) this.waiters.delete(waiter);
  }

  until(holds: () => boolean): Promise<void> {
    return new Promise(resolve => {
      const waiter = () => {
        if (!holds()) return false;
        resolve();
        return true;
      };
      if (!waiter()) this.waiters.add(waiter);
    });
  }
}

/** What clients of a WebSocket listener ask for, and what it is told of them. */
const request = [
  'GET / HTTP/1.1',
  'Host: here',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Protocol: mqtt',
  '\r\n',
].join('\r\n');
const webSocket = { path: '', origins: [], messageBytesMax: 2 ** 30 };
const framedTerms = { anonymous: null, mountPoint: '', connectionsMax: 1_000_000, webSocket };

/** What frames carry, without the answer before them. */
class Unframer {
  private rest: Buffer = Buffer.alloc(0);
  private answered = false;

  read(chunk: Buffer): Buffer {
    this.rest = Buffer.concat([this.rest, chunk]);
    if (!this.answered) {
      const end = this.rest.indexOf('\r\n\r\n');
      if (end < 0) return Buffer.alloc(0);
      assert.match(this.rest.toString('latin1', 0, end), /^HTTP\/1\.1 101 /);
      this.answered = true;
      this.rest = this.rest.subarray(end + 4);
    }
    const payloads: Buffer[] = [];
    for (let payload = this.next(); payload !== null; payload = this.next()) payloads.push(payload);
    return Buffer.concat(payloads);
  }

  /** What the next frame carries, of those that are whole: nothing for a goodbye. */
  private next(): Buffer | null {
    const { rest } = this;
    if (rest.length < 2) return null;
    const short = rest[1]!;
    const start = short === 127 ? 10 : short === 126 ? 4 : 2;
    if (rest.length < start) return null;
    let size = short;
    if (short === 126) size = rest.readUInt16BE(2);
    else if (short === 127) size = Number(rest.readBigUInt64BE(2));
    if (rest.length < start + size) return null;
    this.rest = rest.subarray(start + size);
    return rest[0] === 0x82 ? rest.subarray(start, start + size) : Buffer.alloc(0);
  }
}

/** One client's socket. */
export class Peer {
  private static count = 1;
  readonly socket: Socket;
  /** How the host knows it. */
  readonly number = Peer.count++;
  /** What came and nobody has read yet. */
  private readonly chunks: Buffer[] = [];
  private available = 0;
  private readonly changes = new Changes();
  ended = false;
  closed = false;
  connected = false;
  error: NodeJS.ErrnoException | null = null;

  private readonly frames: Unframer | null;

  /** `framed`: it speaks in WebSocket frames. */
  constructor(port: number, framed = false) {
    this.frames = framed ? new Unframer() : null;
    this.socket = connect({ port, host: LOOPBACK, allowHalfOpen: true });
    const { socket, changes } = this;
    socket.on('connect', () => {
      if (framed) socket.write(request);
      this.connected = true;
      changes.changed();
    });
    socket.on('data', chunk => {
      const bytes = this.frames?.read(chunk as Buffer) ?? (chunk as Buffer);
      this.chunks.push(bytes);
      this.available += bytes.length;
      changes.changed();
    });
    socket.on('end', () => {
      this.ended = true;
      changes.changed();
    });
    socket.on('error', error => {
      this.error = error;
    });
    socket.once('close', () => {
      this.closed = true;
      changes.changed();
    });
  }

  /** Connects and says what is to be done with it. */
  static async open(port: number, role: string, reading = true, framed = false): Promise<Peer> {
    const peer = new Peer(port, framed);
    if (!reading) peer.socket.pause(); // from the start: later may be too late
    await peer.until(() => peer.connected);
    peer.send(`${peer.number} ${role}\n`);
    return peer;
  }

  /** `taken` is called when the system has all of it. */
  send(bytes: string | Uint8Array, taken?: () => void): void {
    const payload = Buffer.from(bytes as string);
    this.socket.write(this.frames ? clientFrame({ opcode: 2, payload }) : payload, taken);
  }

  async until(holds: () => boolean): Promise<void> {
    await this.changes.until(() => holds() || this.closed);
    assert.ok(holds(), `the connection is closed: ${this.error?.code ?? 'in order'}`);
  }

  /** Whether something came that nobody has read. */
  get heard(): boolean {
    return this.available > 0;
  }

  /** The next `length` bytes. */
  async read(length: number): Promise<Buffer> {
    await this.until(() => this.available >= length || this.ended);
    assert.ok(this.available >= length, `${this.available} of ${length} bytes came`);
    const all = Buffer.concat(this.chunks.splice(0));
    this.chunks.push(all.subarray(length));
    this.available = all.length - length;
    return all.subarray(0, length);
  }

  async readLine(): Promise<string> {
    const end = () => Buffer.concat(this.chunks).indexOf(10);
    await this.until(() => end() >= 0 || this.ended);
    return (await this.read(end() + 1)).toString().trimEnd();
  }

  /** Everything up to the end of the stream, which must be orderly. */
  async readToEnd(): Promise<Buffer> {
    await this.until(() => this.ended);
    return this.read(this.available);
  }

  /** Ends our side only. */
  end(): void {
    this.socket.end();
  }

  reset(): void {
    this.socket.resetAndDestroy();
  }

  /** Ends both sides and waits until they are. */
  async leave(): Promise<void> {
    this.socket.destroy();
    await this.until(() => this.closed);
  }
}

/** The process with the driver under test. */
export class Host {
  readonly lines: HostLine[] = [];
  readonly errors: string[] = [];
  private readonly child: ChildProcess;
  private readonly changes = new Changes();
  private readonly exited: Promise<unknown[]>;
  private running = true;
  private control!: Peer;
  /** Its first listener is for WebSockets. */
  private readonly framed: boolean;

  private constructor(script: HostScript, framed: boolean, descriptorsMax?: number) {
    this.framed = framed;
    const program = command(hostProgram, [hostFlag, JSON.stringify(script)]);
    const [first, ...args] =
      descriptorsMax === undefined
        ? program
        : ['sh', '-c', `ulimit -n ${descriptorsMax}; exec "$@"`, 'sh', ...program];
    this.child = spawn(first!, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.exited = once(this.child, 'exit');
    const output = createInterface({ input: this.child.stdout! });
    output.on('line', line => {
      this.lines.push(JSON.parse(line) as HostLine);
      this.changes.changed();
    });
    this.child.stderr!.on('data', chunk => this.errors.push(String(chunk)));
    this.child.once('exit', () => {
      this.running = false;
      this.changes.changed();
    });
  }

  /** A host that listens, on a port of its own unless the script says more. */
  static async start(
    script: Partial<HostScript> & { mode: string },
    descriptorsMax?: number,
    framed = false,
  ): Promise<Host> {
    const listen = [{ host: LOOPBACK, port: 0, ...(framed && { terms: framedTerms }) }];
    const host = new Host({ listen, ...script }, framed, descriptorsMax);
    await host.until(() => host.lines.some(line => 'ready' in line));
    return host;
  }

  get port(): number {
    return this.listening[0]!.port;
  }

  /** By the listener of that number. */
  peerAt(index: number, role: string): Promise<Peer> {
    return Peer.open(this.listening[index]!.port, role);
  }

  get listening(): { host: string; port: number }[] {
    return this.lines.flatMap(line => ('listening' in line ? [line.listening] : []));
  }

  get refused(): object[] {
    return this.lines.flatMap(line => ('refused' in line ? [line.refused] : []));
  }

  /** What the driver told: the levels. */
  get told(): string[] {
    return this.lines.flatMap(line => ('told' in line ? [line.told] : []));
  }

  /** What it told along with the first message. */
  get firstTold(): object | undefined {
    return this.lines.flatMap(line => ('told' in line ? [line.fields] : []))[0];
  }

  async until(holds: () => boolean): Promise<void> {
    await this.changes.until(() => holds() || !this.running);
    assert.ok(holds(), `the host has ended: ${this.errors.join('')}`);
  }

  peer(role: string): Promise<Peer> {
    return Peer.open(this.port, role, true, this.framed);
  }

  /** One that is owed `length` bytes and reads none, until its socket is resumed. */
  async slowPeer(length: number): Promise<Peer> {
    const peer = await Peer.open(this.port, `flood ${length}`, false, this.framed);
    await this.untilGuest(peer, ({ blocked }) => blocked);
    return peer;
  }

  /** Commands that are not answered. */
  async command(command: string): Promise<void> {
    this.control ??= await this.peer('control');
    this.control.send(`${command}\n`);
  }

  async ask<Answer = object>(command: string): Promise<Answer> {
    await this.command(command);
    const answer = await this.control.readLine().catch(() => '');
    return JSON.parse(answer || (await this.mourn())) as Answer;
  }

  stats(): Promise<Stats> {
    return this.ask<Stats>('stats');
  }

  guest(peer: Peer): Promise<GuestState> {
    return this.ask<GuestState>(`guest ${peer.number}`);
  }

  /** Asks until it holds. Each answer takes a round trip, in which the host goes on. */
  async untilStats(holds: (stats: Stats) => boolean): Promise<Stats> {
    for (;;) {
      const stats = await this.stats();
      if (holds(stats)) return stats;
    }
  }

  async untilGuest(peer: Peer, holds: (guest: GuestState) => boolean): Promise<void> {
    while (!holds(await this.guest(peer))) {
      // its answer took a round trip
    }
  }

  /** Begins to stop: nobody is let in any more, and everybody gets what is owed to them. */
  async shutDown(): Promise<void> {
    await this.command('shutdown');
    await this.control.readToEnd();
    this.control.socket.destroy();
  }

  /** The process has to end by itself, without a fault of the driver's on record. */
  async end(): Promise<void> {
    const [code] = await this.exited;
    assert.equal(this.errors.join(''), '');
    assert.equal(code, 0);
    assert.deepEqual(this.lines.at(-1), { ended: [] });
  }

  /** The process has to end by a fault; resolves with what it says of it. */
  async fail(): Promise<string> {
    const [code] = await this.exited;
    assert.notEqual(code, 0);
    return this.errors.join('');
  }

  private async mourn(): Promise<never> {
    await this.exited;
    assert.fail(`the host has ended: ${this.errors.join('')}`);
  }

  /** For a test that failed. */
  async kill(): Promise<void> {
    if (!this.running) return;
    this.child.kill('SIGKILL');
    await this.exited;
  }
}

/** A crowd of clients in a process of its own, which comes at once and leaves. */
export class Crowd {
  /** Milliseconds until the last was in, and how many the system had reset before. */
  readonly in: Promise<{ in: number; reset: number }>;
  readonly gone: Promise<void>;

  constructor(port: number, count: number) {
    const [first, ...args] = command(crowdProgram, [crowdFlag, String(port), String(count)]);
    const child = spawn(first!, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const exited = once(child, 'exit');
    const line = once(createInterface({ input: child.stdout }), 'line');
    this.in = line.then(([text]) => JSON.parse(text as string));
    this.gone = exited.then(([code]) => assert.equal(code, 0));
  }
}

/** `length` bytes of the pattern that a flood consists of. */
export function pattern(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  fillPattern(bytes, 0, length);
  return bytes;
}
