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

/** There may be a million: 112 bytes as long as there are at most 12 fields, those of a runtime's
 *  own link among them. */
export abstract class EventLink implements Link, Guest {
  /** As it was accepted: whoever has reset by the time it is let in has no address any more. */
  readonly peer: string;
  readonly entrance: Entrance;
  connection: Connection | null = null;
  blocked = false;
  closing = false;
  /** Where it stands among its driver's; -1: it does not. */
  index = -1;
  /** We have said goodbye; what still comes is thrown away. */
  finished = false;
  protected readonly driver: EventDriver;
  private paused: boolean;
  private resting = false;

  /** `paused`: it was accepted without being read from. */
  constructor(driver: EventDriver, entrance: Entrance, peer: string, paused: boolean) {
    this.driver = driver;
    this.entrance = entrance;
    this.peer = peer;
    this.paused = paused;
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
    const before = this.stopped;
    this.paused = paused;
    this.setReading(before);
  }

  /** It brought as much as is read at once, and there may be more: the others have their turns
   *  first, where the runtime would go on reading. */
  rest(): void {
    if (this.resting) return;
    const before = this.stopped;
    this.resting = true;
    this.setReading(before);
    setImmediate(endRest, this);
  }

  /** The others have had theirs. */
  goOn(): void {
    const before = this.stopped;
    this.resting = false;
    this.setReading(before);
  }

  close(): void {
    const before = this.stopped;
    this.finished = true;
    this.setReading(before); // the peer's end of stream must be seen
    this.sayGoodbye();
  }

  hold(): void {
    this.pause(true);
  }

  letIn(): void {
    this.pause(false);
    this.driver.letIn(this);
  }

  /** It is not read from. */
  private get stopped(): boolean {
    return (this.paused || this.resting) && !this.finished;
  }

  private setReading(before: boolean): void {
    if (this.stopped !== before) this.stopReading(!before);
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
  private readonly links: EventLink[] = [];
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
    for (const link of [...this.links]) link.abort(); // who may be gone at once
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
    link.index = this.links.push(link) - 1;
    this.gate.arrived(link);
    this.turns.plan(); // also to let in who is held
  }

  /** Called by a link whose time has come. */
  letIn(link: EventLink): void {
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
    if (link.index < 0) return;
    this.remove(link);
    link.finished = true;
    const unknown = this.gate.left(link);
    link.entrance.leave();
    if (unknown) return;
    link.entrance.reception.closed(link);
    this.turns.plan();
  }

  /** The last one moves into its place. */
  private remove(link: EventLink): void {
    const last = this.links.pop()!;
    if (last !== link) {
      last.index = link.index;
      this.links[last.index] = last;
    }
    link.index = -1;
  }

  private turn(): number {
    const untilNext = this.gate.letIn();
    const delay = this.hallway.turn();
    if (this.ending.length > 0) this.endAll();
    return Math.min(delay, untilNext);
  }

  private endAll(): void {
    for (const link of this.ending.splice(0)) if (link.index >= 0) link.end();
  }
}
