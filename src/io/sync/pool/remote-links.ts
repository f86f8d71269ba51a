// The core's side of a ring: the links whose sockets another thread has, as its hallway sees them.

import type { Origin } from '../../../core/access.ts';
import type { Connection } from '../../../core/session/connection.ts';
import type { Link, Reception, Tell } from '../../driver.ts';
import type { Entrance } from '../../entrance.ts';
import { type RingMemory, RingReader } from '../ring.ts';
import type { Feed } from '../sync-driver.ts';
import { Down, type Newcomer, type Told, Up } from './records.ts';
import { Sender } from './sender.ts';

const encoder = new TextEncoder();

/** So much is taken from one ring before the turn ends. */
const RECORDS_PER_TURN = 512;

const Phase = { Open: 0, Closing: 1, Aborted: 2 } as const;

class RemoteLink implements Link {
  readonly number: number;
  readonly peer: string;
  readonly origin: Origin | null;
  readonly entrance: Entrance | null;
  readonly reception: Reception;
  connection: Connection | null = null;
  blocked = false;
  closing = false;
  phase: number = Phase.Open;
  /** Its socket takes no more for now. */
  full = false;
  /** It was given more than was taken, and waits to hear of room. */
  short = false;
  private paused = false;
  private readonly links: RemoteLinks;

  constructor(
    links: RemoteLinks,
    number: number,
    newcomer: Newcomer,
    entrance: Entrance | null,
    reception: Reception,
  ) {
    this.links = links;
    this.number = number;
    this.peer = newcomer.peer;
    this.origin = entrance?.origin ?? newcomer.origin;
    this.entrance = entrance;
    this.reception = reception;
  }

  write(buffer: Uint8Array, start: number, end: number): number {
    return this.phase === Phase.Open ? this.links.write(this, buffer, start, end) : 0;
  }

  pause(paused: boolean): void {
    if (paused === this.paused || this.phase !== Phase.Open) return;
    this.paused = paused;
    this.links.say(paused ? Down.Pause : Down.Resume, this);
  }

  close(): void {
    if (this.phase !== Phase.Open) return;
    this.phase = Phase.Closing;
    this.links.say(Down.Close, this);
  }

  abort(): void {
    if (this.phase === Phase.Aborted) return;
    this.phase = Phase.Aborted;
    this.links.say(Down.Abort, this);
  }
}

export class RemoteLinks implements Feed {
  private readonly hallway: Reception;
  private readonly tell: Tell;
  private readonly entrances: ReadonlyMap<string, Entrance>;
  private readonly up: RingReader;
  private readonly down: Sender;
  private readonly links = new Map<number, RemoteLink>();
  /** Those that wait for room in the ring. */
  private short: RemoteLink[] = [];
  /** Their peers have ended their sides: they are gone after this turn. */
  private ended: RemoteLink[] = [];
  /** The parts so far of what is said of a newcomer. */
  private readonly introduction: Uint8Array[] = [];
  /** Nobody is let in any more. */
  private closed = false;
  private readonly decoder = new TextDecoder();

  /** `wake` wakes the thread that has the sockets. `entrances`, by listener: those whose terms are
   *  kept on this side; who comes otherwise meets `hallway`. */
  constructor(
    hallway: Reception,
    tell: Tell,
    up: RingMemory,
    down: RingMemory,
    wake: () => void,
    entrances: ReadonlyMap<string, Entrance> = new Map(),
  ) {
    this.hallway = hallway;
    this.tell = tell;
    this.entrances = entrances;
    this.up = new RingReader(up, wake);
    this.down = new Sender(down, wake);
  }

  /** Accept from this socket, which belongs to that thread from now on. */
  listenOn(fd: number, listener: string): void {
    this.down.send(Down.Listen, fd, encoder.encode(listener));
    this.down.flush(false);
  }

  stopListening(): void {
    this.closed = true;
    this.down.send(Down.StopListening, 0);
    this.down.flush(false);
  }

  write(link: RemoteLink, buffer: Uint8Array, start: number, end: number): number {
    const taken = link.full ? 0 : this.down.offer(Down.Data, link.number, buffer, start, end);
    if (taken === end - start) return taken;
    if (!link.full && !link.short) this.short.push(link);
    link.short = true;
    return taken;
  }

  say(kind: number, link: RemoteLink): void {
    this.down.send(kind, link.number);
  }

  work(): void {
    const { up } = this;
    for (let i = 0; i < RECORDS_PER_TURN && up.next(); i++) this.hear();
    up.release();
    if (this.short.length > 0 && this.down.roomy) this.tellRoom();
  }

  settle(): boolean {
    const busy = this.ended.length > 0;
    for (const link of this.ended.splice(0)) {
      // Behind the answers of this turn, as far as there was room for them.
      if (link.phase === Phase.Open) this.say(Down.Close, link);
      this.remove(link);
    }
    const asleep = this.down.flush(this.short.length > 0);
    return this.up.sleep() && asleep && !busy;
  }

  /** The other thread is gone, and all of them with it. */
  abandon(): void {
    for (const link of this.links.values()) this.remove(link);
  }

  private hear(): void {
    const { up } = this;
    if (up.kind === Up.Introduced) this.introduction.push(up.view().slice());
    else if (up.kind === Up.Opened) this.open(up.about);
    else if (up.kind === Up.Told) {
      const { level, message, fields } = JSON.parse(this.text()) as Told;
      this.tell(level, message, fields);
    } else if (up.kind === Up.Failed) {
      throw new Error(`a thread of the pool has failed: ${this.text()}`);
    } else {
      const link = this.links.get(up.about);
      if (link !== undefined) this.hearOf(link, up.kind);
    }
  }

  private hearOf(link: RemoteLink, kind: number): void {
    switch (kind) {
      case Up.Bytes:
        if (link.phase === Phase.Open) link.reception.bytes(link, this.up.view());
        break;
      case Up.Blocked:
        link.full = true;
        break;
      case Up.Drained:
        link.full = false;
        this.drain(link);
        break;
      case Up.Ended:
        this.ended.push(link);
        break;
      case Up.Closed:
        this.remove(link);
        break;
    }
  }

  private open(number: number): void {
    const newcomer = JSON.parse(Buffer.concat(this.introduction.splice(0)).toString()) as Newcomer;
    const entrance = this.entrances.get(newcomer.origin?.listener ?? '') ?? null;
    const reception = entrance?.reception ?? this.hallway;
    // It may have come while we said that nobody is let in any more.
    if (this.closed || entrance?.enter() === false) {
      this.down.send(Down.Abort, number);
      return;
    }
    const link = new RemoteLink(this, number, newcomer, entrance, reception);
    this.links.set(number, link);
    if (!reception.opened(link)) link.abort();
  }

  /** There is room in the ring for those who lacked it. */
  private tellRoom(): void {
    const { short } = this;
    this.short = [];
    for (const link of short) if (!link.full) this.drain(link);
  }

  private drain(link: RemoteLink): void {
    if (!link.short) return;
    link.short = false;
    if (link.phase === Phase.Open) link.reception.drained(link);
  }

  private remove(link: RemoteLink): void {
    if (!this.links.delete(link.number)) return;
    link.phase = Phase.Aborted;
    link.entrance?.leave();
    link.reception.closed(link);
  }

  private text(): string {
    return this.decoder.decode(this.up.view().slice()); // it takes no shared memory
  }
}
