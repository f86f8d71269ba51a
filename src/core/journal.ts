// The core's named dependency on what survives: every change of what outlives a connection is noted
// here, in order, before it is acknowledged. Noting is immediate and does no I/O; `last` is the
// position up to which a promise must wait (Output.hold), and the hallway tells the broker when the
// store has got so far (`handleDurable`).

import type { Message } from './routing/message.ts';
import type { Subscription } from './routing/subscription.ts';
import type { Topic } from './routing/topics.ts';
import type { Delivery } from './session/outbox.ts';
import type { Session } from './session/session.ts';

/** How much an acknowledgement promises. The order matters: more is stronger. */
export const Durability = {
  /** Never written. */
  None: 0,
  /** Acknowledged at once, on disk within a batch. */
  Batched: 1,
  /** Acknowledged when the operating system has it. */
  Written: 2,
  /** Acknowledged when the disk has it. */
  Strict: 3,
} as const;

export interface Journal {
  /** Sequence number of the last operation noted. */
  readonly last: number;
  /** The class of what has no topic: sessions, subscriptions. */
  readonly defaultClass: number;
  /** Commits fail: what must be stored strictly is refused before it is routed. */
  readonly degraded: boolean;
  /** Deliveries of one session kept in memory; past it they wait on disk. Infinity: no disk. */
  readonly windowMessages: number;
  /** The durability class of what is published to `topic`. */
  classOf(topic: string): number;

  /** A session was made or changed: its expiry, its will, whether it is connected. */
  session(session: Session): void;
  sessionEnded(session: Session): void;
  /** It has ended but for its backlog: kept under a name that no client can have. */
  sessionLeft(session: Session): void;
  subscribed(subscription: Subscription): void;
  unsubscribed(subscription: Subscription): void;
  retained(message: Message): void;
  retainedCleared(topic: string, durability: number): void;
  /** A message is to be delivered to a stored session; `delivery.rank` has been set. */
  queued(session: Session, delivery: Delivery): void;
  /** It went out, under `delivery.packetId`, or moved on to its next state. */
  moved(session: Session, delivery: Delivery): void;
  /** It is delivered, dropped or expired. */
  finished(session: Session, delivery: Delivery): void;
  /** A QoS 2 packet identifier came in, with a message to `topic`, or was released. */
  received(session: Session, packetId: number, topic: Topic): void;
  forgotten(session: Session, packetId: number, durability: number): void;
  /** Figures about the store for $SYS and `minnow ctl stats`, by name. */
  figures(): Readonly<Record<string, number | string>>;
  /** The session's oldest deliveries on disk are wanted: `handleWindow` will bring them. */
  wantWindow(session: Session, afterRank: number): void;
}

/** What the names of sessions begin with that are only kept for their backlog: no client's may. */
export const ESTATE_NAME = '\0';

/** Keeps nothing: sessions live as long as the process. */
export const noJournal: Journal = Object.freeze({
  last: 0,
  defaultClass: Durability.None,
  degraded: false,
  windowMessages: Number.POSITIVE_INFINITY,
  classOf: () => Durability.None,
  session() {},
  sessionEnded() {},
  sessionLeft() {},
  subscribed() {},
  unsubscribed() {},
  retained() {},
  retainedCleared() {},
  queued() {},
  moved() {},
  finished() {},
  received() {},
  forgotten() {},
  figures: () => ({ 'store/kind': 'memory' }),
  wantWindow() {},
});
