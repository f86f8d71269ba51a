// The topics that are being published to: their bytes, checked once, and who gets what is published
// there, worked out once per generation of the router. A bounded memory, emptied when it is full.

import { copyOf } from '../../mqtt/bytes.ts';
import { topicNameValid } from '../../mqtt/topic.ts';
import { utf8Decode, utf8Encode } from '../../mqtt/utf8.ts';
import { type Access, mayReceive } from '../access.ts';
import { Durability, type Journal } from '../journal.ts';
import type { Router } from './router.ts';
import type { ShareGroup } from './share-group.ts';
import type { Subscription } from './subscription.ts';

/** Of all topics that nobody gets. */
const NO_HITS: readonly Subscription[] = [];
const NO_GROUPS: readonly ShareGroup[] = [];

export class Topic {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** 32 bits, signed. The store keeps it: it stays as it is from one version to the next. */
  readonly hash: number;
  readonly levels: number;
  /** Below $SYS: the broker's own, clients do not publish there. */
  readonly reserved: boolean;
  /** What an acknowledgement of a message to it promises. */
  readonly durability: number;
  /** The next topic in the same slot of the table. */
  next: Topic | null = null;
  /** Recipients, as of `generation` of the router. */
  hits: readonly Subscription[] = NO_HITS;
  groups: readonly ShareGroup[] = NO_GROUPS;
  generation = 0;

  constructor(name: string, bytes: Uint8Array, hash: number, durability: number) {
    this.name = name;
    this.bytes = bytes;
    this.hash = hash;
    this.reserved = reservedName(name);
    this.durability = this.reserved ? Durability.None : durability;
    let levels = 1;
    for (let i = 0; i < bytes.length; i++) if (bytes[i] === 0x2f) levels++;
    this.levels = levels;
  }

  equals(buf: Uint8Array, start: number, end: number): boolean {
    const bytes = this.bytes;
    const length = end - start;
    if (bytes.length !== length) return false;
    for (let i = length - 1; i >= 0; i--) if (bytes[i] !== buf[start + i]) return false;
    return true;
  }
}

function reservedName(name: string): boolean {
  return name === '$SYS' || name.startsWith('$SYS/');
}

const SLOTS = 1 << 14;
const FNV_START = 0x811c_9dc5 | 0;
const FNV_FACTOR = 0x0100_0193;

export class Topics {
  private readonly router: Router;
  private readonly journal: Journal;
  private readonly countMax: number;
  /** Who holds the access that is in force. */
  private readonly owner: { readonly access: Access };
  private readonly slots: (Topic | null)[] = new Array(SLOTS).fill(null);
  private count = 0;
  private hitCount = 0;
  /** For those who match the next topic: empty. */
  private hits: Subscription[] = [];
  private groups: ShareGroup[] = [];

  constructor(
    router: Router,
    journal: Journal,
    countMax: number,
    owner: { readonly access: Access },
  ) {
    this.router = router;
    this.journal = journal;
    this.countMax = countMax;
    this.owner = owner;
  }

  /** The topic named by buf[start, end), or null when that is no valid topic name. */
  find(buf: Uint8Array, start: number, end: number): Topic | null {
    let hash = FNV_START; // FNV-1a: names that differ little have different ones
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ buf[i], FNV_FACTOR);
    const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
    for (let topic = this.slots[slot]; topic !== null; topic = topic.next) {
      if (topic.hash === hash && topic.equals(buf, start, end)) return topic;
    }
    if (!topicNameValid(buf, start, end)) return null;
    return this.remember(copyOf(buf, start, end), hash, slot);
  }

  /** The topic of that name, which must be valid. */
  named(name: string): Topic {
    const bytes = utf8Encode(name);
    return this.find(bytes, 0, bytes.length)!;
  }

  /** Works out who gets what is published to `topic`, unless that is known. */
  resolve(topic: Topic): void {
    if (topic.generation === this.router.generation) return;
    this.hitCount -= topic.hits.length;
    topic.hits = NO_HITS;
    topic.groups = NO_GROUPS;
    const { hits, groups } = this;
    this.router.match(topic.name, hits, groups);
    if (hits.length > 0) {
      this.hits = [];
      topic.hits = this.allowed(hits, topic.name);
    }
    if (groups.length > 0) {
      this.groups = [];
      topic.groups = groups;
    }
    topic.generation = this.router.generation;
    this.hitCount += topic.hits.length;
    // What is remembered is bounded in hits as well: a few subscribers to everything add up.
    if (this.hitCount > this.countMax * 64 && topic.hits.length < this.hitCount) this.clear();
  }

  private allowed(hits: Subscription[], name: string): Subscription[] {
    const { access } = this.owner;
    if (access.mayReceive === undefined) return hits;
    return hits.filter(hit => mayReceive(access, hit.session, name));
  }

  private remember(bytes: Uint8Array, hash: number, slot: number): Topic {
    if (this.count >= this.countMax) this.clear();
    const name = utf8Decode(bytes, 0, bytes.length);
    const topic = new Topic(name, bytes, hash, this.journal.classOf(name));
    topic.next = this.slots[slot];
    this.slots[slot] = topic;
    this.count++;
    return topic;
  }

  private clear(): void {
    this.slots.fill(null);
    this.count = 0;
    this.hitCount = 0;
  }
}
