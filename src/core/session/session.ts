// A session: what is kept for a client id whether or not its client is connected [MQTT 5.0 4.1].
// What most sessions never need (outbox, QoS 2 identifiers, subscriptions) is made when it is
// needed.

import { SESSION_NEVER_EXPIRES, type Will } from '../../mqtt/packet.ts';
import type { Origin } from '../access.ts';
import type { Retained } from '../routing/retained.ts';
import type { Subscription } from '../routing/subscription.ts';
import { Timer, TimerKind } from '../timers.ts';
import type { Waiting } from './congestion.ts';
import type { Connection } from './connection.ts';
import { Outbox } from './outbox.ts';
import type { Subscriptions } from './subscriptions.ts';

/** Retained messages that a new subscription has not been sent yet. */
export interface RetainedWalk {
  readonly subscription: Subscription;
  readonly topics: Iterator<Retained, void>;
}

export class Session {
  /** Never used again, even after a restart: how the store knows it. */
  readonly id: number;
  readonly clientId: string;
  connection: Connection | null = null;
  /** The journal knows it: it outlives its connection, or at least its will may have to. */
  stored = false;
  /** Who the last connection was, for wills that are published after it ended. */
  username: string | null = null;
  peer = '';
  origin: Origin | null = null;
  grants: object | null = null;
  /** Seconds it lives on without a connection; SESSION_NEVER_EXPIRES is for good. */
  expirySeconds = 0;
  subscriptions: Subscriptions | null = null;
  outbox: Outbox | null = null;
  /** Packet identifiers of QoS 2 messages received and not yet released by PUBREL, with the
   *  durability class of each message. */
  received: Map<number, number> | null = null;
  /** Of these, the ones from before a restart: that they were released may have been forgotten.
   *  Each has its topic's hash, or null where that was not kept. */
  doubtful: Map<number, number | null> | null = null;
  /** The will of the current connection, or of the last one while its delay runs. */
  will: Will | null = null;
  /** When a delayed will is due, monotonic milliseconds. */
  willDueAt = Number.POSITIVE_INFINITY;
  /** When its last connection ended, monotonic milliseconds. */
  leftAt = 0;
  /** When a session without connection ends, monotonic milliseconds. */
  endsAt = Number.POSITIVE_INFINITY;
  timer: Timer<unknown> | null = null;
  /** It has ended, and what waits on disk for its shares is being passed on (estate.ts). */
  estate = false;
  walks: RetainedWalk[] | null = null;
  /** Whether the retained walks are on the broker's list for this turn. */
  walking = false;
  /** Publishers that are not read from until this session has taken what waits for it. */
  waiting: Waiting | null = null;
  /** It was waited for as long as allowed: nobody waits again until it has caught up. */
  stalled = false;
  /** More waits than it takes: publishers should be slowed (kept by deliver.ts). */
  congested = false;

  constructor(id: number, clientId: string) {
    this.id = id;
    this.clientId = clientId;
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

  /** The timer for its end or its delayed will, made when its client first leaves it behind. */
  needTimer(): Timer<unknown> {
    this.timer ??= new Timer<unknown>(TimerKind.Session, this);
    return this.timer;
  }

  /** The outbox, made at the first message with QoS 1 or 2. */
  needOutbox(): Outbox {
    this.outbox ??= new Outbox();
    return this.outbox;
  }
}
