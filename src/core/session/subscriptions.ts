// A session's subscriptions by filter. Most sessions have a handful, which are looked through: a
// Map with one entry takes 250 bytes, and there may be a million sessions.

import type { Subscription } from '../routing/subscription.ts';

/** So many are looked through; more get a Map. */
const FEW = 8;

export class Subscriptions {
  private items: Subscription[] | Map<string, Subscription> = [];

  get size(): number {
    return this.items instanceof Map ? this.items.size : this.items.length;
  }

  get(filter: string): Subscription | undefined {
    if (this.items instanceof Map) return this.items.get(filter);
    for (const item of this.items) if (item.filter === filter) return item;
    return undefined;
  }

  /** Takes one in whose filter is not there yet. */
  add(subscription: Subscription): void {
    if (!(this.items instanceof Map)) {
      if (this.items.length < FEW) {
        this.items.push(subscription);
        return;
      }
      this.items = new Map(this.items.map(item => [item.filter, item]));
    }
    this.items.set(subscription.filter, subscription);
  }

  delete(subscription: Subscription): void {
    if (this.items instanceof Map) this.items.delete(subscription.filter);
    else this.items = this.items.filter(item => item !== subscription);
  }

  /** Oldest first. */
  values(): IterableIterator<Subscription> {
    return this.items.values();
  }
}
