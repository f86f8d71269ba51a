// A session's subscriptions by filter, in as little space as will do, for there may be a million
// sessions: most have one, which stands for itself; more are in a table that takes 8 to 21 bytes
// for each, where a Map takes 36 to 73, and 250 for the first. Open addressing, linear probing, a
// quarter of the slots free at least. The seed keeps a client from choosing filters that meet in
// one slot.

import type { Subscription } from '../routing/subscription.ts';

const SLOTS_MIN = 4;

/** What a session holds: nothing, its only subscription, or a table of several. */
export type Held = Subscription | Subscriptions | null;

/** How many those are. */
export function heldCount(held: Held): number {
  if (held === null) return 0;
  return held instanceof Subscriptions ? held.size : 1;
}

/** All of them, in no order. */
export function heldList(held: Held): Subscription[] {
  if (held === null) return [];
  return held instanceof Subscriptions ? held.values() : [held];
}

/** The one with this filter. */
export function heldFor(held: Held, filter: string): Subscription | undefined {
  if (held === null) return undefined;
  if (held instanceof Subscriptions) return held.get(filter);
  return held.filter === filter ? held : undefined;
}

/** `held` and `subscription`, whose filter is not there yet. */
export function heldWith(held: Held, subscription: Subscription, seed: number): Held {
  if (held === null) return subscription;
  if (held instanceof Subscriptions) {
    held.add(subscription);
    return held;
  }
  const table = new Subscriptions(seed);
  table.add(held);
  table.add(subscription);
  return table;
}

/** `held` without `subscription`, which is there. */
export function heldWithout(held: Held, subscription: Subscription): Held {
  if (!(held instanceof Subscriptions)) return null;
  held.delete(subscription);
  return held.size > 1 ? held : held.values()[0];
}

class Subscriptions {
  size = 0;
  /** A power of two of them. */
  private slots = free(SLOTS_MIN);
  private readonly seed: number;

  constructor(seed: number) {
    this.seed = seed;
  }

  get(filter: string): Subscription | undefined {
    return this.slots[this.slotOf(filter)] ?? undefined;
  }

  /** Takes one in whose filter is not there yet. */
  add(subscription: Subscription): void {
    if ((this.size + 1) * 4 > this.slots.length * 3) this.resize(this.slots.length * 2);
    this.slots[this.slotOf(subscription.filter)] = subscription;
    this.size++;
  }

  /** Takes out one that is there. */
  delete(subscription: Subscription): void {
    const { slots } = this;
    const mask = slots.length - 1;
    let hole = this.slotOf(subscription.filter);
    slots[hole] = null;
    // Whoever stands further on because of it moves back.
    for (let at = (hole + 1) & mask; ; at = (at + 1) & mask) {
      const next = slots[at];
      if (next === null) break;
      const detour = (at - this.hash(next.filter)) & mask;
      if (detour < ((at - hole) & mask)) continue;
      slots[hole] = next;
      slots[at] = null;
      hole = at;
    }
    this.size--;
    if (slots.length > SLOTS_MIN && this.size * 8 < slots.length) this.resize(slots.length / 2);
  }

  /** All of them, in no order. */
  values(): Subscription[] {
    return this.slots.filter(slot => slot !== null);
  }

  /** Where the one with this filter stands, or would. */
  private slotOf(filter: string): number {
    const { slots } = this;
    const mask = slots.length - 1;
    let at = this.hash(filter) & mask;
    for (;;) {
      const slot = slots[at];
      if (slot === null || slot.filter === filter) return at;
      at = (at + 1) & mask;
    }
  }

  private hash(filter: string): number {
    let hash = this.seed;
    for (let i = 0; i < filter.length; i++) {
      hash = Math.imul(hash ^ filter.charCodeAt(i), 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    return hash;
  }

  private resize(length: number): void {
    const all = this.values();
    this.slots = free(length);
    for (const one of all) this.slots[this.slotOf(one.filter)] = one;
  }
}

function free(length: number): (Subscription | null)[] {
  return new Array(length).fill(null);
}
