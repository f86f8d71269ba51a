// What the suites about doors share: doors that are open, a broker's stand-in behind them, and
// things to wait for.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Config, loadConfig } from '../../../src/config/config.ts';
import { Doors } from '../../../src/io/doors/doors.ts';
import { type DoorSide, nearSide } from '../../../src/io/doors/side.ts';
import type { Driver, Hallway, Link, Tell } from '../../../src/io/driver.ts';
import { listenerName, openTerms } from '../../../src/io/entrance.ts';
import type { IoOptions } from '../../../src/io/options.ts';
import { AF_INET, SO_LINGER, SOCK_STREAM, SOL_SOCKET } from '../../../src/io/sync/libc.ts';
import { openLibc } from '../../../src/io/sync/open-libc.ts';
import { SOCKADDR_BYTES_MAX, writeSocketAddress } from '../../../src/io/sync/socket-address.ts';
import { afterEach } from '../../harness.ts';

/** A hallway that remembers, and answers what came with the same when it is told to. */
export class Guests implements Hallway {
  readonly links: Link[] = [];
  readonly left = new Set<Link>();
  readonly drains: Link[] = [];
  readonly said = new Map<Link, Buffer>();
  /** Why those parted who did, and have not been closed. */
  readonly parts = new Map<Link, string>();
  turns = 0;
  /** Sent back by the turn. */
  echo = true;
  /** Nobody more is let in. */
  full = false;
  private readonly watchers = new Set<() => void>();
  private readonly echoes: [Link, Buffer][] = [];
  private planned = false;

  opened(link: Link): boolean {
    this.links.push(link);
    this.said.set(link, Buffer.alloc(0));
    return !this.full;
  }

  bytes(link: Link, chunk: Uint8Array): void {
    const copy = Buffer.from(chunk);
    this.said.set(link, Buffer.concat([this.said.get(link)!, copy]));
    if (this.echo) this.echoes.push([link, copy]);
  }

  drained(link: Link): void {
    this.drains.push(link);
  }

  parted(link: Link, why: string): void {
    this.parts.set(link, why);
    this.wake();
  }

  closed(link: Link): void {
    assert.ok(!this.left.has(link), 'a link was closed twice');
    this.left.add(link);
    this.parts.delete(link);
  }

  /** As a driver does: all that is ready has one turn. */
  readonly wake = (): void => {
    if (this.planned) return;
    this.planned = true;
    setImmediate(() => {
      this.planned = false;
      this.turn();
    });
  };

  turn(): number {
    this.turns++;
    for (const [link, bytes] of this.echoes.splice(0)) {
      if (!this.left.has(link)) assert.equal(link.write(bytes, 0, bytes.length), bytes.length);
    }
    for (const link of this.parts.keys()) link.close();
    for (const watcher of [...this.watchers]) watcher();
    return Number.POSITIVE_INFINITY;
  }

  /** Resolves when `holds` does after a turn. */
  until(holds: () => boolean): Promise<void> {
    return new Promise(resolve => {
      const watcher = () => {
        if (!holds()) return;
        this.watchers.delete(watcher);
        resolve();
      };
      this.watchers.add(watcher);
      watcher();
    });
  }

  async link(index = 0): Promise<Link> {
    await this.until(() => this.links.length > index);
    return this.links[index]!;
  }

  async gone(link: Link): Promise<void> {
    await this.until(() => this.left.has(link));
  }
}

export interface Told {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, string | number>>;
}

export interface Open {
  readonly guests: Guests;
  readonly addresses: readonly string[];
  readonly port: number;
  readonly told: Told[];
  /** The first line that says why somebody was refused. */
  refusal(): Promise<Told>;
}

export interface OpenDoors extends Open {
  readonly doors: Doors;
}

const PACKET_BYTES_MAX = 256 * 1024;

const opened = new Set<{ stop(): void }>();
const sockets = new Set<Socket>();
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  for (const each of opened) each.stop();
  opened.clear();
});

interface Wish {
  /** How the doors reach the guests; directly where nothing is said. */
  readonly side?: (guests: Guests) => DoorSide;
  readonly handshakeTimeoutMs?: number;
  readonly env?: Record<string, string>;
}

/** What `toml`, perhaps the inside of a [[listeners]] only, means. */
function configOf(toml: string): Config {
  const tables = toml.includes('[[listeners]]') ? toml : `[[listeners]]\n${toml}`;
  const text = `${tables}\n[limits]\npacketSizeMaxBytes = ${PACKET_BYTES_MAX}\n`;
  const host = { env: {}, isRoot: false, version: '0' };
  const loaded = loadConfig({ file: { name: 'minnow.toml', text } }, host);
  if ('faults' in loaded) assert.fail(loaded.faults.join('\n'));
  return loaded.config;
}

/** Collects what is told, for whoever waits for a refusal. */
function teller(): { tell: Tell } & Pick<Open, 'told' | 'refusal'> {
  const told: Told[] = [];
  const waiting: ((line: Told) => void)[] = [];
  return {
    told,
    tell(level, message, fields = {}) {
      const line = { level, message, fields };
      told.push(line);
      if (message === 'refused at the door') for (const hear of waiting.splice(0)) hear(line);
    },
    refusal: async () =>
      told.find(line => line.message === 'refused at the door') ??
      new Promise<Told>(resolve => waiting.push(resolve)),
  };
}

/** Opens the doors that a configuration asks for; `toml` is the inside of a [[listeners]]. */
export async function open(toml: string, wish: Wish = {}): Promise<OpenDoors> {
  const config = configOf(toml);
  const guests = new Guests();
  const { tell, told, refusal } = teller();
  const side = wish.side?.(guests) ?? nearSide(guests, guests.wake);
  const options = { ...config.io, handshakeTimeoutMs: wish.handshakeTimeoutMs ?? 20_000 };
  const doors = new Doors(side, options, tell);
  opened.add(doors);
  await doors.open(config.doors, wish.env ?? {}, process.pid);
  const { addresses } = doors;
  const port = Number(/:(\d+)(\/|$)/.exec(addresses[0] ?? '')?.[1] ?? 0);
  return { guests, doors, addresses, port, told, refusal };
}

type Make = (hallway: Hallway, options: IoOptions, tell: Tell) => Promise<Driver>;

/** The same by a driver on this thread, for a listener that is no door. */
export async function openByDriver(toml: string, make: Make): Promise<Open> {
  const config = configOf(toml);
  const guests = new Guests();
  const { tell, told, refusal } = teller();
  const driver = await make(guests, config.io, tell);
  opened.add(driver);
  const { host, port: wanted, terms = openTerms } = config.listeners[0]!;
  const bound = await driver.listen(host, wanted, terms);
  const { port } = bound;
  return { guests, addresses: [listenerName(bound, terms)], port, told, refusal };
}

/** A raw connection that the suite's end ends. */
export async function dial(target: number | string): Promise<Socket> {
  const socket =
    typeof target === 'number' ? connect({ port: target, host: '127.0.0.1' }) : connect(target);
  sockets.add(socket);
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** Connects, says `bytes` and resets, all before this thread can accept it. */
export async function resetEarly(port: number, bytes: Buffer): Promise<void> {
  const libc = await openLibc();
  const address = new DataView(new ArrayBuffer(SOCKADDR_BYTES_MAX));
  const length = writeSocketAddress(address, '127.0.0.1', port);
  const said = new Uint8Array(new ArrayBuffer(bytes.length));
  said.set(bytes);
  const reset = new Int32Array(new ArrayBuffer(8)); // struct linger { 1, 0 }
  reset[0] = 1;
  const fd = libc.socket(AF_INET, SOCK_STREAM, 0);
  assert.equal(libc.connect(fd, libc.address(address), length), 0);
  assert.equal(libc.send(fd, libc.address(said), said.length, 0), said.length);
  libc.setsockopt(fd, SOL_SOCKET, SO_LINGER, libc.address(reset), reset.byteLength);
  libc.close(fd);
}

/** What comes until there are `length` bytes, in as many pieces as it likes. */
export function receive(stream: NodeJS.ReadableStream, length: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let got = Buffer.alloc(0);
    const ended = () => reject(new Error(`closed after ${got.length} of ${length} bytes`));
    const take = (chunk: Buffer) => {
      got = Buffer.concat([got, chunk]);
      if (got.length < length) return;
      stream.off('data', take).off('close', ended);
      resolve(got.toString());
    };
    stream.on('data', take).on('close', ended);
  });
}

/** A folder of the test's own. */
export function folder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'minnow-doors-'));
  return { path, remove: () => rmSync(path, { recursive: true }) };
}

/** Resolves when the other end has ended or reset it. */
export function closed(socket: Socket): Promise<void> {
  return new Promise(resolve => {
    socket.once('close', () => resolve()); // `error` may come before
    socket.resume();
    if (socket.closed) resolve();
  });
}
