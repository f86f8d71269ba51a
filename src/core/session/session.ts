// A session: what is kept for a client id whether or not its client is connected [MQTT 5.0 4.1].
// What most sessions never need (outbox, QoS 2 identifiers), and what only those need whose clients
// are away, is made when it is needed.

import { SESSION_NEVER_EXPIRES, type Will } from '../../mqtt/packet.ts';
import type { Origin, Principal } from '../access.ts';
import { NEVER } from '../routing/message.ts';
import type { Walk } from '../routing/retained.ts';
import type { Subscription } from '../routing/subscription.ts';
import type { Timer } from '../timers.ts';
import type { Congestion } from './congestion.ts';
import type { Connection } from './connection.ts';
import { Outbox } from './outbox.ts';
import { Receipts } from './receipts.ts';
import type { Held } from './subscriptions.ts';

/** Retained messages that a new subscription has not been sent yet. */
export interface RetainedWalk {
  readonly subscription: Subscription;
  readonly topics: Walk;
}

/** Who the last connection of a session was, and what is due without it. */
export class Away {
  readonly username: string | null;
  readonly peer: string;
  readonly origin: Origin | null;
  readonly grants: object | null;
  /** When that connection ended, monotonic milliseconds. */
  leftAt: number;
  /** When the session ends, monotonic milliseconds. */
  endsAt = NEVER;
  /** When its delayed will is due, monotonic milliseconds. */
  willDueAt = NEVER;
  timer: Timer<unknown> | null = null;
  /** It has ended, and what waits on disk for its shares is being passed on (estate.ts). */
  estate = false;

  constructor(who: Omit<Principal, 'clientId'>, leftAt: number) {
    this.username = who.username;
    this.peer = who.peer;
    this.origin = who.origin ?? null;
    this.grants = who.grants ?? null;
    this.leftAt = leftAt;
  }
}

/** There may be a million: 112 bytes as long as there are at most 12 fields. */
export class Session implements Principal {
  /** Never used again, even after a restart: how the store knows it. */
  readonly id: number;
  readonly clientId: string;
  connection: Connection | null = null;
  /** Null while it has a connection, and before its first one. */
  away: Away | null = null;
  /** The journal knows it: it outlives its connection, or at least its will may have to. */
  stored = false;
  /** Seconds it lives on without a connection; SESSION_NEVER_EXPIRES is for good. */
  expirySeconds = 0;
  subscriptions: Held = null;
  outbox: Outbox | null = null;
  receipts: Receipts | null = null;
  /** The will of the current connection, or of the last one while its delay runs. */
  will: Will | null = null;
  walks: RetainedWalk[] | null = null;
  /** While more waits for it than it takes (kept by deliver.ts). */
  congestion: Congestion | null = null;

  constructor(id: number, clientId: string) {
    this.id = id;
    this.clientId = clientId;
  }

  /** Who its client is, or was: also for wills that are published after it has left. */
  get username(): string | null {
    return this.client?.username ?? null;
  }

  get peer(): string {
    return this.client?.peer ?? '';
  }

  get origin(): Origin | null {
    return this.client?.origin ?? null;
  }

  get grants(): object | null {
    return this.client?.grants ?? null;
  }

  private get client(): Connection | Away | null {
    return this.connection ?? this.away;
  }

  get endsAt(): number {
    return this.away === null ? NEVER : this.away.endsAt;
  }

  get willDueAt(): number {
    return this.away === null ? NEVER : this.away.willDueAt;
  }

  /** Whether it outlives its connection. */
  get persistent(): boolean {
    return this.expirySeconds > 0;
  }

  /** Whether the journal is told of what it holds: it outlives its connection, and is known there.
   * */
  get kept(): boolean {
    return this.stored && this.expirySeconds > 0;
  }

  get expires(): boolean {
    return this.expirySeconds !== SESSION_NEVER_EXPIRES;
  }

  get queued(): number {
    return this.outbox === null ? 0 : this.outbox.queued;
  }

  get congested(): boolean {
    return this.congestion !== null;
  }

  /** The outbox, made at the first message with QoS 1 or 2. */
  needOutbox(): Outbox {
    this.outbox ??= new Outbox();
    return this.outbox;
  }

  /** The receipts, made at the first message with QoS 2. */
  needReceipts(): Receipts {
    this.receipts ??= new Receipts();
    return this.receipts;
  }
}
