// The sockets' side of a ring: a hallway that decides nothing. It tells the core's thread what its
// driver tells it, and does to the links what that thread says. When the ring to the core is full
// the driver is held; when a socket is full, what is for it waits here, and the core is told to
// send no more. What can still come before it hears of that is bounded by what fits in the ring.

import { KB } from '../../../limits.ts';
import { copyOf } from '../../../mqtt/bytes.ts';
import type { Link } from '../../driver.ts';
import { type RingMemory, RingReader } from '../ring.ts';
import type { Feed, PatientHallway } from '../sync-driver.ts';
import { Down, type Newcomer, type Told, Up } from './records.ts';
import { Sender } from './sender.ts';

/** What is asked of the driver. */
export interface HoldableDriver {
  /** While held, nobody is read from and nobody let in. */
  hold(held: boolean): void;
  /** Accepts from a listening socket, which is the driver's from now on. */
  listenOn(fd: number, listener: string): void;
  stopListening(): void;
}

/** So much is done of what the core says before the sockets have their turn again. */
const RECORDS_PER_TURN = 256;

/** What is said of a failure at most: it goes in one record of the smallest ring. */
const FAILURE_BYTES_MAX = 2 * KB;

const encoder = new TextEncoder();
const decoder = new TextDecoder(); // it takes no shared memory

class Forwarded {
  readonly number: number;
  readonly link: Link;
  /** What the socket has not taken yet. */
  waiting: Uint8Array[] = [];
  /** Goodbye when it has. */
  finishing = false;

  constructor(number: number, link: Link) {
    this.number = number;
    this.link = link;
  }
}

export class Forwarder implements PatientHallway, Feed {
  /** Set by whoever makes both. */
  driver!: HoldableDriver;
  private readonly up: Sender;
  private readonly down: RingReader;
  private readonly byLink = new Map<Link, Forwarded>();
  private readonly byNumber = new Map<number, Forwarded>();
  private last = 0;
  private held = false;

  /** `wakeCore` wakes the core's thread. */
  constructor(up: RingMemory, down: RingMemory, wakeCore: () => void) {
    this.up = new Sender(up, wakeCore);
    this.down = new RingReader(down, wakeCore);
  }

  opened(link: Link): boolean {
    do this.last = (this.last + 1) & 0x7fff_ffff;
    while (this.byNumber.has(this.last));
    const forwarded = new Forwarded(this.last, link);
    this.byLink.set(link, forwarded);
    this.byNumber.set(forwarded.number, forwarded);
    const newcomer: Newcomer = { peer: link.peer, origin: link.origin ?? null };
    this.up.stream(Up.Introduced, forwarded.number, encoder.encode(JSON.stringify(newcomer)));
    this.up.send(Up.Opened, forwarded.number);
    return true;
  }

  bytes(link: Link, chunk: Uint8Array): void {
    const forwarded = this.byLink.get(link);
    if (forwarded === undefined) return;
    this.up.stream(Up.Bytes, forwarded.number, chunk);
    if (this.up.full) this.hold(true);
  }

  drained(link: Link): void {
    link.blocked = false;
    const forwarded = this.byLink.get(link);
    if (forwarded === undefined) return;
    while (forwarded.waiting.length > 0) {
      const bytes = forwarded.waiting[0]!;
      const taken = link.write(bytes, 0, bytes.length);
      if (taken < bytes.length) {
        link.blocked = true;
        forwarded.waiting[0] = bytes.subarray(taken);
        return;
      }
      forwarded.waiting.shift();
    }
    if (forwarded.finishing) link.close();
    else this.up.send(Up.Drained, forwarded.number);
  }

  ended(link: Link): void {
    const forwarded = this.byLink.get(link);
    if (forwarded !== undefined) this.up.send(Up.Ended, forwarded.number);
  }

  closed(link: Link): void {
    const forwarded = this.byLink.get(link);
    if (forwarded === undefined) return;
    this.byLink.delete(link);
    this.byNumber.delete(forwarded.number);
    this.up.send(Up.Closed, forwarded.number);
  }

  turn(): number {
    return Number.POSITIVE_INFINITY;
  }

  tell(told: Told): void {
    this.up.send(Up.Told, 0, encoder.encode(JSON.stringify(told)));
  }

  /** The thread ends with a bug. `wait` is called while there is no room to say so; false: nobody
   *  wants to hear it any more. */
  fail(message: string, wait: () => boolean): void {
    const { up } = this;
    up.send(Up.Failed, 0, encoder.encode(message).subarray(0, FAILURE_BYTES_MAX));
    do up.flush(false);
    while (up.full && wait());
  }

  work(): void {
    const { down } = this;
    for (let i = 0; i < RECORDS_PER_TURN && down.next(); i++) this.obey();
    down.release();
  }

  settle(): boolean {
    const asleep = this.up.flush(false);
    this.hold(this.up.full);
    return this.down.sleep() && asleep;
  }

  private hold(held: boolean): void {
    if (held === this.held) return;
    this.held = held;
    this.driver.hold(held);
  }

  private obey(): void {
    const { kind, about } = this.down;
    if (kind === Down.Listen) this.driver.listenOn(about, decoder.decode(this.down.view().slice()));
    else if (kind === Down.StopListening) this.driver.stopListening();
    else {
      const forwarded = this.byNumber.get(about);
      if (forwarded !== undefined) this.obeyAbout(forwarded, kind); // else it is gone already
    }
  }

  private obeyAbout(forwarded: Forwarded, kind: number): void {
    const { link } = forwarded;
    switch (kind) {
      case Down.Data:
        this.write(forwarded);
        break;
      case Down.Pause:
        link.pause(true);
        break;
      case Down.Resume:
        link.pause(false);
        break;
      case Down.Close:
        forwarded.finishing = true;
        if (!link.blocked) link.close();
        break;
      case Down.Abort:
        forwarded.waiting = [];
        link.abort();
        break;
    }
  }

  /** From the ring into the socket; only what that does not take is copied. */
  private write(forwarded: Forwarded): void {
    const { link } = forwarded;
    const { bytes, start, end } = this.down;
    const taken = link.blocked ? 0 : link.write(bytes, start, end);
    if (taken === end - start) return;
    forwarded.waiting.push(copyOf(bytes, start + taken, end));
    if (link.blocked) return;
    link.blocked = true;
    this.up.send(Up.Blocked, forwarded.number);
  }
}
