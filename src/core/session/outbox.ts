// What is on its way to one session with QoS 1 or 2: the queue of messages that wait, and those in
// flight. All transitions of an outgoing QoS 1 or 2 message stand here:
//
//   Queued ──send──▶ AwaitPuback ──PUBACK──▶ done                         (QoS 1)
//   Queued ──send──▶ AwaitPubrec ──PUBREC──▶ AwaitPubcomp ──PUBCOMP──▶ done (QoS 2)
//                        └────PUBREC ≥ 0x80──▶ done
//
// Packet identifiers are handed out in turn; slot = id & mask, and an id whose slot is taken is
// skipped, so a look-up is one array access and nothing in flight is ever found twice. What was in
// flight when the connection ended is sent again in the order it was first sent [MQTT-4.6.0-1].
//
// The upper half of them is for QoS 2 messages that a crash may make us forget while the client
// still holds their identifiers: under one of these a later message would pass for a duplicate.
// What is promised never meets one, because it has the lower half; the others hardly ever do,
// because each start begins at a random place and uses few.

import { Message } from '../routing/message.ts';
import type { ShareGroup } from '../routing/share-group.ts';

export const DeliveryState = {
  Queued: 0,
  AwaitPuback: 1,
  AwaitPubrec: 2,
  AwaitPubcomp: 3,
  Done: 4,
} as const;

/** Takes the place of a message that is no longer needed, so that its bytes can go. */
const NO_MESSAGE = new Message();

/** One message for one session. */
export class Delivery {
  message: Message;
  readonly qos: number;
  readonly retain: boolean;
  readonly identifiers: readonly number[] | null;
  /** The share it was picked for, or null. */
  readonly group: ShareGroup | null;
  packetId = 0;
  state: number = DeliveryState.Queued;
  /** Rank among the deliveries of its session, by first sending. */
  order = 0;
  /** Whether it takes up a place in the current connection's receive maximum. */
  counted = false;
  /** Place in the stored order of its session's deliveries; 0 when it is not stored. */
  rank = 0;
  /** The journal's own: how the message is known to the store. */
  stored: unknown = null;

  constructor(
    message: Message,
    qos: number,
    retain: boolean,
    identifiers: readonly number[] | null,
    group: ShareGroup | null,
  ) {
    this.message = message;
    this.qos = qos;
    this.retain = retain;
    this.identifiers = identifiers;
    this.group = group;
  }

  get size(): number {
    return this.message.size;
  }

  /** Whether its message is in flight: not before it is sent, nor after PUBREC. */
  get holds(): boolean {
    return this.state === DeliveryState.AwaitPuback || this.state === DeliveryState.AwaitPubrec;
  }
}

const SLOTS_MIN = 16;
/** The first packet identifier of those that may be forgotten; there are as many. */
const FORGETTABLE = 0x8000;
/** The identifiers of a session that is kept in halves, and of any other. */
const LOWER_HALF = FORGETTABLE - 1;
const ALL = 0xffff;

/** Deliveries that may be in flight at once: each half has room for all of them. */
export function inflightLimit(kept: boolean): number {
  return kept ? LOWER_HALF : ALL;
}

export class Outbox {
  /** Deliveries in flight, by packet identifier & mask. */
  private slots: (Delivery | null)[] = [];
  private mask = -1;
  private lastId = 0;
  /** Counts the identifiers that may be forgotten, from the place where this start begins. */
  private forgettable = 0;
  private lastOrder = 0;
  /** Deliveries in flight, whatever their state. */
  inflight = 0;
  /** Of the current connection's receive maximum, what is in use [MQTT-3.3.4-9]. */
  window = 0;
  /** What must be sent again on the current connection, oldest first, from `resendAt` on. */
  private resend: Delivery[] = [];
  private resendAt = 0;
  /** Waiting deliveries, oldest first, from `head` on. */
  private queue: Delivery[] = [];
  private head = 0;
  queuedBytes = 0;
  /** Deliveries that wait on disk only, behind all in `queue`, and their bytes. */
  spilled = 0;
  spilledBytes = 0;
  /** Some of them may have come through a share. */
  spilledShares = false;
  /** The last rank that was given; ranks rise. */
  lastRank = 0;
  /** The last rank that was taken into memory: what is spilled comes behind it. */
  loadedRank = 0;
  /** A window of the spilled ones has been asked for. */
  windowAsked = false;
  /** Of the waiting deliveries, those with QoS 0: later ones must not overtake them. */
  queuedQoS0 = 0;

  get queued(): number {
    return this.queue.length - this.head;
  }

  /** Waiting deliveries, in memory and on disk. */
  get waiting(): number {
    return this.queued + this.spilled;
  }

  /** Whether nothing waits: neither to be sent nor to be sent again. */
  get clear(): boolean {
    return (
      this.head === this.queue.length && this.resendAt === this.resend.length && this.spilled === 0
    );
  }

  /** Puts a delivery in flight under a fresh packet identifier. There must be room for it. */
  begin(delivery: Delivery, kept: boolean): void {
    if (this.inflight * 2 >= this.slots.length) this.growSlots();
    const last = inflightLimit(kept);
    let id = this.lastId;
    do {
      id = id >= last ? 1 : id + 1;
    } while (this.taken(id));
    this.lastId = id;
    this.launch(delivery, id);
  }

  /**
   * The same for a QoS 2 message that may be forgotten in a crash; `start` is where this start of
   * the broker begins. As many identifiers are used in turn as there are slots.
   */
  beginForgettable(delivery: Delivery, start: number): void {
    if (this.inflight * 2 >= this.slots.length) this.growSlots();
    let id: number;
    do {
      id = FORGETTABLE | ((start + (this.forgettable++ & this.mask)) & LOWER_HALF);
    } while (this.taken(id));
    this.launch(delivery, id);
  }

  private launch(delivery: Delivery, id: number): void {
    this.slots[id & this.mask] = delivery;
    delivery.packetId = id;
    delivery.order = ++this.lastOrder;
    delivery.state = delivery.qos === 1 ? DeliveryState.AwaitPuback : DeliveryState.AwaitPubrec;
    this.inflight++;
    this.count(delivery);
  }

  /** The delivery's PUBLISH goes out on the current connection. */
  count(delivery: Delivery): void {
    delivery.counted = true;
    this.window++;
  }

  /** Puts a delivery that was in flight before a restart in flight again, as it was. */
  adopt(delivery: Delivery): void {
    while (this.inflight * 2 >= this.slots.length || this.taken(delivery.packetId)) {
      this.growSlots();
    }
    this.slots[delivery.packetId & this.mask] = delivery;
    delivery.order = ++this.lastOrder;
    if (delivery.packetId < FORGETTABLE) this.lastId = delivery.packetId;
    this.inflight++;
  }

  private taken(id: number): boolean {
    return this.slots[id & this.mask] !== null;
  }

  /** The delivery in flight under `id`, or null. */
  find(id: number): Delivery | null {
    if (this.mask < 0) return null;
    const delivery = this.slots[id & this.mask];
    return delivery !== null && delivery.packetId === id ? delivery : null;
  }

  /** PUBREC: the message is the client's now, only the exchange remains. */
  release(delivery: Delivery): void {
    delivery.state = DeliveryState.AwaitPubcomp;
    delivery.message = NO_MESSAGE;
  }

  /** PUBACK, PUBCOMP, or an error: the exchange is over and its identifier free. */
  finish(delivery: Delivery): void {
    this.slots[delivery.packetId & this.mask] = null;
    delivery.state = DeliveryState.Done;
    this.inflight--;
    if (delivery.counted) this.window--;
  }

  /** A new connection: everything in flight is sent again, in the order of first sending. */
  restart(): void {
    this.window = 0;
    this.resend = this.inflightInOrder();
    this.resendAt = 0;
    for (const delivery of this.resend) delivery.counted = false;
  }

  /** The next delivery to send again, or null; `resent` moves past it. */
  nextResend(): Delivery | null {
    while (this.resendAt < this.resend.length) {
      const delivery = this.resend[this.resendAt];
      if (delivery.state !== DeliveryState.Done) return delivery;
      this.resendAt++;
    }
    if (this.resendAt > 0) {
      this.resend = [];
      this.resendAt = 0;
    }
    return null;
  }

  resent(): void {
    this.resendAt++;
  }

  inflightInOrder(): Delivery[] {
    const list: Delivery[] = [];
    for (const delivery of this.slots) if (delivery !== null) list.push(delivery);
    return list.sort((a, b) => a.order - b.order);
  }

  enqueue(delivery: Delivery): void {
    this.queue.push(delivery);
    this.queuedBytes += delivery.size;
    if (delivery.qos === 0) this.queuedQoS0++;
  }

  /** The oldest waiting delivery, or null. */
  peek(): Delivery | null {
    return this.head < this.queue.length ? this.queue[this.head] : null;
  }

  /** Takes the oldest waiting delivery out. */
  dequeue(): Delivery {
    const delivery = this.queue[this.head];
    this.queue[this.head] = undefined as unknown as Delivery;
    this.head++;
    this.queuedBytes -= delivery.size;
    if (delivery.qos === 0) this.queuedQoS0--;
    if (this.head === this.queue.length) {
      this.queue.length = 0;
      this.head = 0;
    } else if (this.head >= 1024 && this.head * 2 >= this.queue.length) {
      this.queue = this.queue.slice(this.head);
      this.head = 0;
    }
    return delivery;
  }

  /** Everything that is not finished, oldest first; the outbox is of no use afterwards. */
  takeAll(): Delivery[] {
    const all = this.inflightInOrder();
    for (let i = this.head; i < this.queue.length; i++) all.push(this.queue[i]);
    return all;
  }

  private growSlots(): void {
    const grown: (Delivery | null)[] = new Array(Math.max(SLOTS_MIN, this.slots.length * 2));
    grown.fill(null);
    this.mask = grown.length - 1;
    for (const delivery of this.slots) {
      if (delivery !== null) grown[delivery.packetId & this.mask] = delivery;
    }
    this.slots = grown;
  }
}
