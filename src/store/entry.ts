// What is pending in the log, and how the log finds it again: an operation that may still cancel
// out, and the handles that messages and deliveries carry so that it can.

import type { Op } from './ops.ts';

/** One operation on its way to the store. */
export class Entry {
  /** Null: it cancelled out. */
  op: Op | null;
  readonly durability: number;
  /** About what it will take on the disk. */
  readonly bytes: number;
  /** It has been pending for a while. */
  settled = false;
  /** In a batch that the store has or had: it can no longer cancel out. */
  handed = false;

  constructor(op: Op, durability: number, bytes: number) {
    this.op = op;
    this.durability = durability;
    this.bytes = bytes;
  }
}

/** How a message is known to the store. `entry` null: it came from there. */
export class StoredMessage {
  readonly id: number;
  refs = 0;
  readonly entry: Entry | null;

  constructor(id: number, entry: Entry | null) {
    this.id = id;
    this.entry = entry;
  }

  /** Whether one more delivery can still refer to it. */
  get open(): boolean {
    return this.entry !== null && !this.entry.handed && this.entry.op !== null;
  }
}

/** How a delivery is known to the store. */
export class StoredDelivery {
  readonly message: StoredMessage;
  readonly durability: number;
  readonly entry: Entry | null;
  /** The store has let go of the message already: PUBREC came. */
  messageGone = false;

  constructor(message: StoredMessage, durability: number, entry: Entry | null) {
    this.message = message;
    this.durability = durability;
    this.entry = entry;
  }

  /** Whether its row has not been handed to the store yet, so that it can still change. */
  get open(): boolean {
    return this.entry !== null && !this.entry.handed;
  }
}
