// What the rooms of the core share: options, tables, counters, effects. It holds and does nothing;
// broker.ts makes one, and every handler gets it as its first argument.

import { limits } from '../limits.ts';
import { AckView } from '../mqtt/decode/ack.ts';
import { PublishView } from '../mqtt/decode/publish.ts';
import { PublishExtras } from '../mqtt/encode/publish.ts';
import type { Access } from './access.ts';
import { Effects } from './effects.ts';
import type { Journal } from './journal.ts';
import { Guard } from './limits/guard.ts';
import type { BrokerOptions } from './options.ts';
import { Counters } from './report/counters.ts';
import { FrameSet } from './routing/frame-set.ts';
import { Message } from './routing/message.ts';
import { MountPoints } from './routing/mount-point.ts';
import { RetainedStore } from './routing/retained.ts';
import { Router } from './routing/router.ts';
import { Topics } from './routing/topics.ts';
import type { Connection } from './session/connection.ts';
import { BufferPool } from './session/output.ts';
import type { Session } from './session/session.ts';
import { Timers } from './timers.ts';

export class State {
  options: BrokerOptions;
  access: Access;
  readonly journal: Journal;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly startedAt: number;

  readonly effects = new Effects();
  readonly counters = new Counters();
  readonly timers = new Timers<unknown>();
  readonly pool = new BufferPool();
  readonly sessions = new Map<string, Session>();
  lastSessionId = 0;
  /** Where packet identifiers that may be forgotten begin (session/outbox.ts), anew each time. */
  readonly forgettableStart: number;
  /** What the hashes of names that clients choose begin with. */
  readonly hashSeed: number;
  /** Connections whose output waits for the journal. */
  readonly holding: Connection[] = [];
  /** How far the journal's store has got: past a crash, and past a power cut. */
  written = 0;
  synced = 0;
  readonly router = new Router();
  readonly topics: Topics;
  readonly retained: RetainedStore;
  readonly mounts = new MountPoints();

  /** Open connections by slot; free slots are undefined and listed in `freeSlots`. */
  readonly connections: (Connection | undefined)[] = [];
  readonly freeSlots: number[] = [];
  connectionCount = 0;
  /** Connections past CONNACK. */
  clientCount = 0;
  /** Bytes waiting in all outboxes together. */
  queuedBytes = 0;
  /** Bytes of messages that somebody has been sent and has not acknowledged. */
  inflightBytes = 0;
  /** Rates, quotas and the memory target. */
  readonly guard = new Guard();
  /** Output of one client past which QoS 0 is dropped; less where memory is short. */
  qos0OutputMax: number;
  stopping = false;

  /** Work put off to the next `handleTime`: connections to read from again, walks to go on with. */
  readonly resumed: Connection[] = [];
  readonly walking = new Set<Session>();
  /** Steps that walks may take in this turn, all together. */
  walkSteps: number = limits.retainedPerTurnMax;

  /** Scratch, filled anew for each packet. */
  readonly publishView = new PublishView();
  readonly ackView = new AckView();
  readonly extras = new PublishExtras();
  readonly frames = new FrameSet();
  readonly borrowed = new Message();
  /** The owned copy of the message being routed, once somebody needed one. */
  ownedCopy: Message | null = null;
  /** A session found congested while the current message was routed, or null. */
  congested: Session | null = null;

  constructor(
    options: BrokerOptions,
    access: Access,
    journal: Journal,
    random: () => number,
    now: number,
  ) {
    this.options = options;
    this.access = access;
    this.journal = journal;
    this.random = random;
    this.startedAt = now;
    this.forgettableStart = Math.floor(random() * 0x8000);
    this.hashSeed = Math.floor(random() * 0x7fff_ffff);
    this.topics = new Topics(this.router, journal, limits.routeCacheMax, this);
    this.retained = new RetainedStore(options.retainedMessagesMax, options.retainedBytesMax);
    this.qos0OutputMax = options.outputBytesMax;
    this.guard.configure(this);
  }

  /** Lets `session` go on with its retained messages (subscribe.ts) next turn. */
  scheduleWalk(session: Session): void {
    if (session.walks !== null) this.walking.add(session);
  }
}
