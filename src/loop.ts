// The hallway: input → broker → flush. The only place where core and io meet. A turn is everything
// between two flushes; at its end, in this order: authenticator's verdicts, what is due, writes
// (one per connection), closes, pauses.

import type { Authenticator } from './core/access.ts';
import type { Broker } from './core/broker.ts';
import type { LogEvent } from './core/effects.ts';
import { type Connection, ConnectionState } from './core/session/connection.ts';
import type { Hallway, Link } from './io/driver.ts';

/** Output below which a connection may be given more: it will be idle soon. */
const LOW_WATER = 64 * 1024;

/** The log between the core and the store, as the hallway sees it. */
export interface Keeper {
  /** The end of a turn: what must be stored now is handed to the store. */
  flush(now: number): void;
  /** When `flush` wants to be called though nothing came; Infinity: never. */
  nextDeadline(): number;
}

/** Who wants to see that turns go on. */
export interface Pulse {
  /** In every turn, on the hallway's clock. Returns when it wants the next one at the latest. */
  beat(now: number): number;
}

export class Loop implements Hallway {
  private readonly broker: Broker;
  private readonly authenticator: Authenticator;
  private readonly clock: () => number;
  private readonly log: (event: LogEvent) => void;
  private readonly keeper: Keeper | null;
  /** Asks for a turn from outside of one; set by whoever makes the driver. */
  wake: () => void = () => {};
  readonly pulses: Pulse[] = [];
  private onEmpty: (() => void) | null = null;
  /** By connection slot. */
  private readonly links: (Link | undefined)[] = [];

  /** `clock` tells monotonic milliseconds. */
  constructor(
    broker: Broker,
    authenticator: Authenticator,
    clock: () => number,
    log: (event: LogEvent) => void,
    keeper: Keeper | null = null,
  ) {
    this.broker = broker;
    this.authenticator = authenticator;
    this.clock = clock;
    this.log = log;
    this.keeper = keeper;
  }

  opened(link: Link): boolean {
    const c = this.broker.handleOpen(link.peer, this.clock(), link.origin ?? null);
    link.connection = c;
    if (c === null) return false;
    this.links[c.slot] = link;
    return true;
  }

  bytes(link: Link, chunk: Uint8Array): void {
    const c = link.connection;
    if (c === null) return;
    const now = this.clock();
    this.broker.handleBytes(c, chunk, now);
    if (this.broker.effects.urgent.length > 0) this.writeUrgent(now);
  }

  drained(link: Link): void {
    link.blocked = false;
    const c = link.connection;
    if (c === null) return;
    this.write(c, link, this.clock());
  }

  parted(link: Link, why: string): void {
    const c = link.connection;
    if (c !== null) this.broker.handleParted(c, why, this.clock());
  }

  closed(link: Link): void {
    const c = link.connection;
    if (c === null) return;
    link.connection = null;
    this.links[c.slot] = undefined;
    this.broker.handleClosed(c, this.clock());
    if (this.onEmpty !== null && this.broker.state.connectionCount === 0) this.onEmpty();
  }

  /** Calls `done` when no connection is left; the broker must have been told to stop. */
  whenEmpty(done: () => void): void {
    if (this.broker.state.connectionCount === 0) done();
    else this.onEmpty = done;
  }

  turn(): number {
    const { broker } = this;
    const now = this.clock();
    this.askAuthenticator();
    if (broker.nextDeadline() <= now) broker.handleTime(now);
    this.keeper?.flush(now); // before the writes: most of what it lets go can leave with them
    this.writeDirty(now);
    this.closeFinished();
    this.applyPauses();
    this.writeLog();
    let deadline = this.keeper === null ? Number.POSITIVE_INFINITY : this.keeper.nextDeadline();
    for (const pulse of this.pulses) deadline = Math.min(deadline, pulse.beat(now));
    if (this.workWaits()) return 0;
    deadline = Math.min(deadline, broker.nextDeadline());
    return deadline <= now ? 0 : deadline - now;
  }

  private workWaits(): boolean {
    const { dirty, closing, paused, authenticate } = this.broker.effects;
    return dirty.length + closing.length + paused.length + authenticate.length > 0;
  }

  private askAuthenticator(): void {
    const { authenticate } = this.broker.effects;
    if (authenticate.length === 0) return;
    for (const c of authenticate.splice(0)) {
      if (c.credentials === null) continue;
      const asked = c.credentials;
      let late = false;
      this.authenticator.authenticate(asked, result => {
        if (c.credentials !== asked) return; // it is gone, or has its answer
        this.broker.handleAuthResult(c, result, this.clock());
        if (late) this.wake();
      });
      late = true;
    }
  }

  /** Writes those where much waits already, while it is in the processor's cache. They stay on the
   *  list of the dirty ones: more may come for them in this turn. */
  private writeUrgent(now: number): void {
    for (const c of this.broker.effects.urgent.splice(0)) this.writeTo(c, now);
  }

  /** Writes every dirty connection once; those that become dirty by it are for the next turn. */
  private writeDirty(now: number): void {
    const { effects } = this.broker;
    if (effects.dirty.length === 0) return;
    for (const c of effects.takeDirty()) this.writeTo(c, now);
  }

  private writeTo(c: Connection, now: number): void {
    const link = this.links[c.slot];
    if (link !== undefined && link.connection === c && !link.blocked) this.write(c, link, now);
  }

  private write(c: Connection, link: Link, now: number): void {
    const { out } = c;
    // What waits for the store stays, whatever the socket would take.
    const due = out.limit - out.start;
    if (due > 0) {
      const taken = link.write(out.buffer, out.start, out.limit);
      out.consume(taken);
      if (taken < due) link.blocked = true;
    }
    if (out.length === 0 && link.closing) link.close();
    else if (out.length <= LOW_WATER) this.broker.handleDrained(c, now);
  }

  private closeFinished(): void {
    const { closing } = this.broker.effects;
    if (closing.length === 0) return;
    for (const c of closing.splice(0)) {
      const link = this.links[c.slot];
      if (link === undefined || link.connection !== c) continue;
      if (c.aborted) {
        link.abort();
      } else {
        link.closing = true;
        if (c.out.length === 0) link.close();
      }
    }
  }

  private applyPauses(): void {
    const { paused } = this.broker.effects;
    if (paused.length === 0) return;
    for (const c of paused.splice(0)) {
      const link = this.links[c.slot];
      if (link === undefined || link.connection !== c) continue;
      if (c.state !== ConnectionState.Closing) link.pause(c.paused);
    }
  }

  private writeLog(): void {
    const { log } = this.broker.effects;
    if (log.length === 0) return;
    for (const event of log.splice(0)) this.log(event);
  }
}
