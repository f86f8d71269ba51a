// One transport between a client and the broker: two streams of bytes that arrive in pieces of any
// size, late, in order, or not at all once the link is cut. The broker's side of it does what a
// driver does: it writes what fits, does not read while the broker wants it so, and closes.

import type { Connection } from '../../src/core/session/connection.ts';
import type { Prng } from '../prng.ts';
import { join } from '../wire.ts';
import type { Clock } from './clock.ts';

/** How a network treats what travels on it. */
export interface Weather {
  /** Mean delay of a piece, milliseconds. */
  delayMs: number;
  /** Probability that a piece is cut small, whatever is there. */
  fragments: number;
  /** Bytes the network holds on the way to the client before the broker's writes fall short. */
  capacity: number;
}

/** Bytes on their way in one direction. */
class Stream {
  readonly #clock: Clock;
  readonly #prng: Prng;
  readonly #weather: Weather;
  readonly #arrive: (piece: Uint8Array) => void;
  /** Whether a piece may span what was sent separately. */
  readonly #merge: boolean;
  #waiting: Uint8Array[] = [];
  #moving = false;
  #held = false;
  #cut = false;
  length = 0;

  constructor(
    clock: Clock,
    prng: Prng,
    weather: Weather,
    merge: boolean,
    arrive: (piece: Uint8Array) => void,
  ) {
    this.#clock = clock;
    this.#prng = prng;
    this.#weather = weather;
    this.#merge = merge;
    this.#arrive = arrive;
  }

  send(bytes: Uint8Array): void {
    if (this.#cut || bytes.length === 0) return;
    this.#waiting.push(bytes);
    this.length += bytes.length;
    this.#move();
  }

  /** Nothing arrives while it is held. */
  hold(held: boolean): void {
    this.#held = held;
    this.#move();
  }

  /** What is on the way is lost, and whatever follows. */
  cut(): void {
    this.#cut = true;
    this.#waiting = [];
    this.length = 0;
  }

  #move(): void {
    if (this.#moving || this.#held || this.length === 0) return;
    this.#moving = true;
    this.#clock.after(this.#prng.interval(this.#weather.delayMs), () => {
      this.#moving = false;
      if (this.#cut || this.#held) return;
      this.#arrive(this.#take());
      this.#move();
    });
  }

  #take(): Uint8Array {
    const all = this.#merge ? join(this.#waiting) : this.#waiting[0]!;
    const small = this.#prng.chance(this.#weather.fragments);
    const size = small ? Math.min(all.length, this.#prng.between(1, 30)) : all.length;
    const others = this.#merge ? [] : this.#waiting.slice(1);
    this.#waiting = size < all.length ? [all.subarray(size), ...others] : others;
    this.length -= size;
    return all.slice(0, size);
  }
}

/** What a link tells its two ends. */
export interface Ends {
  /** Bytes reach the broker. */
  toBroker(link: Link, piece: Uint8Array): void;
  /** Bytes reach the client; empty ones say that the broker closed. */
  toClient(link: Link, piece: Uint8Array): void;
  /** There is room for the broker to write again. */
  writable(link: Link): void;
  /** The broker's driver notices that the transport is gone. */
  gone(link: Link): void;
}

export class Link {
  readonly connection: Connection;
  readonly weather: Weather;
  /** The client's end is gone: it will neither send nor receive on it. */
  abandoned = false;
  /** The broker's end is gone. */
  closed = false;
  /** The broker wants it closed once its output has been written. */
  closing = false;
  readonly #clock: Clock;
  readonly #up: Stream;
  readonly #down: Stream;
  readonly #ends: Ends;

  constructor(
    connection: Connection,
    clock: Clock,
    prng: Prng,
    weather: Weather,
    merge: boolean,
    ends: Ends,
  ) {
    this.connection = connection;
    this.weather = weather;
    this.#clock = clock;
    this.#ends = ends;
    this.#up = new Stream(clock, prng, weather, merge, piece => ends.toBroker(this, piece));
    this.#down = new Stream(clock, prng, weather, true, piece => {
      if (!this.abandoned) ends.toClient(this, piece);
      if (!this.closed) ends.writable(this);
      else if (this.#down.length === 0 && !this.abandoned) this.#hangUp();
    });
  }

  /** Whether nothing is on its way in either direction. */
  get quiet(): boolean {
    return this.#up.length === 0 && this.#down.length === 0;
  }

  /** Bytes that the broker may write now. */
  get room(): number {
    return Math.max(0, this.weather.capacity - this.#down.length);
  }

  /** The client sends. */
  send(bytes: Uint8Array): void {
    if (!this.abandoned) this.#up.send(bytes);
  }

  /** The broker's driver writes. */
  write(bytes: Uint8Array): void {
    this.#down.send(bytes);
  }

  /** The broker's driver stops reading, or goes on. */
  pause(paused: boolean): void {
    this.#up.hold(paused);
  }

  /** The client stops reading, or goes on. */
  stall(stalled: boolean): void {
    this.#down.hold(stalled);
  }

  /** The client's end vanishes; the broker learns of it after `delay`, or never if it is null. */
  abandon(delay: number | null): void {
    if (this.abandoned) return;
    this.abandoned = true;
    this.#up.cut();
    // Nobody reads any more: what the broker writes fills the network and then stays put.
    if (!this.closed) this.#down.hold(true);
    if (delay !== null) this.#clock.after(delay, () => this.#end());
  }

  /** The client closes in good order: what it has sent still arrives. */
  finish(): void {
    if (this.abandoned) return;
    this.abandoned = true;
    this.#whenSent(() => this.#end());
  }

  #whenSent(then: () => void): void {
    if (this.#up.length === 0 || this.closed) then();
    else this.#clock.after(20, () => this.#whenSent(then));
  }

  /** The broker learns at last that the client's end is gone, if it is. */
  reveal(): void {
    if (this.abandoned) this.#end();
  }

  #end(): void {
    if (!this.closed) this.#ends.gone(this);
  }

  /** The broker's driver closes: what is on its way to the client still arrives. */
  close(): void {
    this.closed = true;
    this.#up.cut();
    if (!this.abandoned && this.#down.length === 0) this.#hangUp();
  }

  #hangUp(): void {
    this.#clock.after(0, () => {
      if (!this.abandoned) this.#ends.toClient(this, new Uint8Array(0));
    });
  }
}
