// What the drivers on event loops have in common: who is there, how they come in through the gate,
// and what a turn consists of.

import type { ListenerTerms } from '../../config/address.ts';
import type { Bound, Driver, Hallway, Link, Tell } from '../driver.ts';
import { Entrance, openTerms, plainName } from '../entrance.ts';
import type { IoOptions } from '../options.ts';
import { createProcessRoom, Room, type RoomShare } from '../room.ts';
import { Gate, type Guest } from './gate.ts';
import { Turns } from './turns.ts';

export interface EventLink extends Link, Guest {
  /** Where it came in. */
  readonly entrance: Entrance;
  /** The hallway knows it. */
  known: boolean;
  /** We have said goodbye; what still comes is thrown away. */
  finished: boolean;
  /** The peer's side has ended, and its answers are written. */
  end(): void;
}

export abstract class EventDriver<L extends EventLink> implements Driver {
  protected readonly options: IoOptions;
  protected readonly tell: Tell;
  private readonly hallway: Hallway;
  private readonly room: Room;
  private readonly gate: Gate;
  private readonly turns = new Turns(() => this.turn());
  private readonly links = new Set<L>();
  /** Their peers have ended their sides; they end with the turn. */
  private readonly ending: L[] = [];

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

  /** The way in by a listener that is open now. */
  protected entranceOf({ host, port }: Bound, terms: ListenerTerms = openTerms): Entrance {
    return new Entrance(plainName(host, port), terms, this.room, this.tell);
  }

  /** Somebody was accepted. */
  protected arrived(link: L): void {
    if (!link.entrance.enter()) {
      link.abort();
      return;
    }
    this.links.add(link);
    this.gate.arrived(link);
    this.turns.plan(); // also to let in who is held
  }

  /** Called by a link whose time has come. */
  letIn(link: L): void {
    link.known = true;
    if (!this.hallway.opened(link)) link.abort();
    this.turns.plan();
  }

  received(link: L, chunk: Uint8Array): void {
    if (link.finished) return;
    this.hallway.bytes(link, chunk);
    this.turns.afterRead();
  }

  drained(link: L): void {
    this.hallway.drained(link);
    this.turns.plan();
  }

  ended(link: L): void {
    this.ending.push(link);
    this.turns.plan();
  }

  closed(link: L): void {
    if (!this.links.delete(link)) return;
    link.finished = true;
    this.gate.left(link);
    link.entrance.leave();
    if (!link.known) return;
    this.hallway.closed(link);
    this.turns.plan();
  }

  private turn(): number {
    const untilNext = this.gate.letIn();
    const delay = this.hallway.turn();
    for (const link of this.ending.splice(0)) if (this.links.has(link)) link.end();
    return Math.min(delay, untilNext);
  }
}
