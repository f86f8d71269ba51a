// What the drivers on event loops have in common: who is there, how they come in through the gate,
// when they are read from, and what a turn consists of.

import type { ListenerTerms } from '../../config/address.ts';
import type { Origin } from '../../core/access.ts';
import type { Connection } from '../../core/session/connection.ts';
import type { Bound, Driver, Hallway, Link, Reception, Tell } from '../driver.ts';
import { Entrance, listenerName, receptionFor } from '../entrance.ts';
import type { IoOptions } from '../options.ts';
import { createProcessRoom, Room, type RoomShare } from '../room.ts';
import { Gate, type Guest } from './gate.ts';
import { Turns } from './turns.ts';

export abstract class EventLink implements Link, Guest {
  /** As it was accepted: whoever has reset by the time it is let in has no address any more. */
  readonly peer: string;
  readonly entrance: Entrance;
  connection: Connection | null = null;
  blocked = false;
  closing = false;
  /** The hallway knows it. */
  known = false;
  /** We have said goodbye; what still comes is thrown away. */
  finished = false;
  protected readonly driver: EventDriver;
  private paused: boolean;
  private resting = false;
  private stopped: boolean;

  /** `stopped`: it was accepted without being read from. */
  constructor(driver: EventDriver, entrance: Entrance, peer: string, stopped: boolean) {
    this.driver = driver;
    this.entrance = entrance;
    this.peer = peer;
    this.paused = stopped;
    this.stopped = stopped;
  }

  get origin(): Origin {
    return this.entrance.origin;
  }

  abstract write(buffer: Uint8Array, start: number, end: number): number;
  abstract abort(): void;
  /** The peer's side has ended, and its answers are written. */
  abstract end(): void;
  /** What was written, then the end of the stream. */
  protected abstract sayGoodbye(): void;
  protected abstract stopReading(stopped: boolean): void;

  pause(paused: boolean): void {
    this.paused = paused;
    this.setReading();
  }

  /** It brought as much as is read at once, and there may be more: the others have their turns
   *  first, where the runtime would go on reading. */
  rest(): void {
    if (this.resting) return;
    this.resting = true;
    this.setReading();
    setImmediate(endRest, this);
  }

  /** The others have had theirs. */
  goOn(): void {
    this.resting = false;
    this.setReading();
  }

  close(): void {
    this.finished = true;
    this.setReading(); // the peer's end of stream must be seen
    this.sayGoodbye();
  }

  hold(): void {
    this.pause(true);
  }

  letIn(): void {
    this.pause(false);
    this.driver.letIn(this);
  }

  private setReading(): void {
    const stopped = (this.paused || this.resting) && !this.finished;
    if (stopped === this.stopped) return;
    this.stopped = stopped;
    this.stopReading(stopped);
  }
}

function endRest(link: EventLink): void {
  link.goOn();
}

export abstract class EventDriver implements Driver {
  protected readonly options: IoOptions;
  protected readonly tell: Tell;
  private readonly hallway: Hallway;
  private readonly room: Room;
  private readonly gate: Gate;
  private readonly turns = new Turns(() => this.turn());
  private readonly links = new Set<EventLink>();
  /** Their peers have ended their sides; they end with the turn. */
  private readonly ending: EventLink[] = [];

  constructor(
    hallway: Hallway,
    options: IoOptions,
    tell: Tell,
    room: RoomShare = createProcessRoom(),
  ) {
    this.hallway = hallway;
    this.options = options;
    this.tell = tell;
    this.room = new Room(room, tell);
    this.gate = new Gate(options.acceptsPerSecond);
  }

  abstract listen(host: string, port: number, terms?: ListenerTerms): Promise<Bound>;
  abstract stopListening(): void;

  wake(): void {
    this.turns.plan();
  }

  stop(): void {
    this.stopListening();
    for (const link of this.links) link.abort();
    this.turns.stop();
  }

  /** Whom those will meet who come by a listener with these terms. */
  protected receptionFor(terms: ListenerTerms): Promise<Reception> {
    return receptionFor(this.hallway, terms, this.tell);
  }

  /** The way in by a listener that is open now. */
  protected entranceOf(bound: Bound, terms: ListenerTerms, reception: Reception): Entrance {
    const name = listenerName(bound, terms);
    return new Entrance(name, terms, reception, this.room, this.tell);
  }

  /** Somebody was accepted. */
  protected arrived(link: EventLink): void {
    if (!link.entrance.enter()) {
      link.abort();
      return;
    }
    this.links.add(link);
    this.gate.arrived(link);
    this.turns.plan(); // also to let in who is held
  }

  /** Called by a link whose time has come. */
  letIn(link: EventLink): void {
    link.known = true;
    if (!link.entrance.reception.opened(link)) link.abort();
    this.turns.plan();
  }

  received(link: EventLink, chunk: Uint8Array): void {
    if (link.finished) return;
    link.entrance.reception.bytes(link, chunk);
    this.turns.afterRead();
  }

  drained(link: EventLink): void {
    link.entrance.reception.drained(link);
    this.turns.plan();
  }

  ended(link: EventLink): void {
    this.ending.push(link);
    this.turns.plan();
  }

  closed(link: EventLink): void {
    if (!this.links.delete(link)) return;
    link.finished = true;
    this.gate.left(link);
    link.entrance.leave();
    if (!link.known) return;
    link.entrance.reception.closed(link);
    this.turns.plan();
  }

  private turn(): number {
    const untilNext = this.gate.letIn();
    const delay = this.hallway.turn();
    if (this.ending.length > 0) this.endAll();
    return Math.min(delay, untilNext);
  }

  private endAll(): void {
    for (const link of this.ending.splice(0)) if (this.links.has(link)) link.end();
  }
}
