// Who wants what. Filters without wildcards are found by one look-up of the topic name; filters
// with wildcards stand in a tree of levels, where adding, removing and finding one costs a step per
// level. Each change raises `generation`, which tells topics.ts that what it remembers is old.

import { hasWildcard, parseShare } from '../../mqtt/topic.ts';
import { ShareGroup } from './share-group.ts';
import {
  asBucket,
  Bucket,
  type Entry,
  entryWith,
  entryWithout,
  mergeHits,
  type Subscription,
  smallest,
} from './subscription.ts';

/** A level of filters with wildcards. */
class Level {
  readonly name: string;
  /** The levels below that have names: the only one, or all by name. */
  named: Level | Map<string, Level> | null = null;
  /** The level below for any name. */
  plus: Level | null = null;
  /** The filters that end here. */
  entry: Entry | null = null;
  /** The filters that end here with a `#` behind. */
  rest: Entry | null = null;

  constructor(name: string) {
    this.name = name;
  }

  get unused(): boolean {
    return this.entry === null && this.rest === null && this.plus === null && this.named === null;
  }

  /** The level below of that name, or null. */
  find(name: string): Level | null {
    const { named } = this;
    if (named === null) return null;
    if (named instanceof Level) return named.name === name ? named : null;
    return named.get(name) ?? null;
  }

  /** The level below for a part of a filter, or null. */
  below(part: string): Level | null {
    return part === '+' ? this.plus : this.find(part);
  }

  /** The same, made if there is none. */
  grow(part: string): Level {
    const known = this.below(part);
    if (known !== null) return known;
    const level = new Level(part);
    const { named } = this;
    if (part === '+') this.plus = level;
    else if (named === null) this.named = level;
    else if (named instanceof Map) named.set(part, level);
    else
      this.named = new Map([
        [named.name, named],
        [part, level],
      ]);
    return level;
  }

  drop(level: Level): void {
    const { named } = this;
    if (level === this.plus) {
      this.plus = null;
    } else if (level === named) {
      this.named = null;
    } else {
      const map = named as Map<string, Level>;
      map.delete(level.name);
      if (map.size === 0) this.named = null;
    }
  }
}

export class Router {
  generation = 1;
  subscriptionCount = 0;
  groupCount = 0;
  private readonly exact = new Map<string, Entry>();
  private readonly root = new Level('');

  /** The share that `filter` names, made if there is none; null for a filter without $share. */
  shareFor(filter: string): ShareGroup | null {
    const share = parseShare(filter);
    if (share === null) return null;
    const known = this.findShare(filter);
    if (known !== null) return known;
    const group = new ShareGroup(share.group, share.filter);
    this.change(share.filter, entry => {
      const bucket = asBucket(entry);
      bucket.groups ??= [];
      bucket.groups.push(group);
      return bucket;
    });
    this.groupCount++;
    return group;
  }

  /** The share that `filter` ($share/…) names, or null when it has no members. */
  findShare(filter: string): ShareGroup | null {
    const share = parseShare(filter);
    if (share === null) return null;
    const entry = this.find(share.filter);
    if (!(entry instanceof Bucket)) return null;
    return entry.groups?.find(g => g.name === share.group) ?? null;
  }

  add(subscription: Subscription): void {
    const { group, filter } = subscription;
    if (group !== null) group.add(subscription);
    else this.change(filter, entry => entryWith(entry, subscription));
    this.subscriptionCount++;
    this.generation++;
  }

  remove(subscription: Subscription): void {
    const { group, filter } = subscription;
    if (group === null) {
      this.change(filter, entry => entryWithout(entry!, subscription));
    } else {
      group.remove(subscription);
      if (group.members.length === 0) this.dropGroup(group);
    }
    this.subscriptionCount--;
    this.generation++;
  }

  private dropGroup(group: ShareGroup): void {
    this.change(group.filter, entry => {
      const bucket = entry as Bucket;
      const others = bucket.groups!.filter(g => g !== group);
      bucket.groups = others.length > 0 ? others : null;
      return smallest(bucket);
    });
    this.groupCount--;
  }

  /** A subscription was changed in place: what is remembered of it is old. */
  changed(): void {
    this.generation++;
  }

  /**
   * Everybody whose filter matches `topic`: each session once in `hits`, however many of its
   * subscriptions match, and every share with members in `groups`.
   */
  match(topic: string, hits: Subscription[], groups: ShareGroup[]): void {
    const entries: Entry[] = [];
    const exact = this.exact.get(topic);
    if (exact !== undefined) entries.push(exact);
    if (!this.root.unused) collect(this.root, topic, entries);
    let overlaps = false;
    for (const entry of entries) {
      const before = hits.length;
      if (entry instanceof Bucket) {
        for (const subscription of entry.subscriptions) hits.push(subscription);
        if (entry.groups !== null) groups.push(...entry.groups);
      } else {
        hits.push(entry);
      }
      overlaps ||= before > 0 && hits.length > before;
    }
    if (overlaps) mergeOverlaps(hits);
  }

  private find(filter: string): Entry | null {
    if (!hasWildcard(filter)) return this.exact.get(filter) ?? null;
    const parts = filter.split('/');
    const endsOpen = parts.at(-1) === '#';
    if (endsOpen) parts.pop();
    let level: Level | null = this.root;
    for (const part of parts) level = level?.below(part) ?? null;
    return (endsOpen ? level?.rest : level?.entry) ?? null;
  }

  /** Puts what `next` makes of a filter's entry in its place; null: nothing stands there. */
  private change(filter: string, next: (entry: Entry | null) => Entry | null): void {
    if (hasWildcard(filter)) {
      this.changeLevel(filter.split('/'), next);
      return;
    }
    const { exact } = this;
    const old = exact.get(filter) ?? null;
    const entry = next(old);
    if (entry === null) exact.delete(filter);
    else if (entry !== old) exact.set(filter, entry);
  }

  private changeLevel(parts: string[], next: (entry: Entry | null) => Entry | null): void {
    const endsOpen = parts.at(-1) === '#';
    if (endsOpen) parts.pop();
    const path = [this.root];
    for (const part of parts) path.push(path[path.length - 1].grow(part));
    const last = path[path.length - 1];
    if (endsOpen) last.rest = next(last.rest);
    else last.entry = next(last.entry);
    for (let i = path.length - 1; i > 0 && path[i].unused; i--) path[i - 1].drop(path[i]);
  }
}

function collect(root: Level, topic: string, entries: Entry[]): void {
  const names = topic.split('/');
  // A wildcard at the front does not match topics that begin with $ [MQTT-4.7.2-1].
  collectFrom(root, names, 0, topic.charCodeAt(0) !== 36, entries);
}

function collectFrom(
  level: Level,
  names: readonly string[],
  depth: number,
  wildcards: boolean,
  entries: Entry[],
): void {
  const { rest } = level;
  if (wildcards && rest !== null) entries.push(rest); // the parent level too [MQTT-4.7.1-2]
  if (depth === names.length) {
    if (level.entry !== null) entries.push(level.entry);
    return;
  }
  const next = level.find(names[depth]);
  if (next !== null) collectFrom(next, names, depth + 1, true, entries);
  const plus = wildcards ? level.plus : null;
  if (plus !== null) collectFrom(plus, names, depth + 1, true, entries);
}

/** Folds the hits of each session into one, in place. */
function mergeOverlaps(hits: Subscription[]): void {
  const bySession = new Map<object, Subscription[]>();
  for (const hit of hits) {
    const same = bySession.get(hit.session);
    if (same === undefined) bySession.set(hit.session, [hit]);
    else same.push(hit);
  }
  if (bySession.size === hits.length) return;
  hits.length = 0;
  for (const same of bySession.values()) hits.push(same.length === 1 ? same[0] : mergeHits(same));
}
