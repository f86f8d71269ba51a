// Who wants what. Filters without wildcards are found by one look-up of the topic name; filters
// with wildcards stand in a tree of levels. Each change raises `generation`, which tells topics.ts
// that what it remembers is old.

import { hasWildcard, parseShare } from '../../mqtt/topic.ts';
import { ShareGroup } from './share-group.ts';
import { Bucket, mergeHits, type Subscription } from './subscription.ts';

class Level {
  children: Map<string, Level> | null = null;
  /** The filters that end at this level. */
  bucket: Bucket | null = null;

  get unused(): boolean {
    return this.bucket === null && this.children === null;
  }
}

export class Router {
  generation = 1;
  subscriptionCount = 0;
  groupCount = 0;
  private readonly exact = new Map<string, Bucket>();
  private root = new Level();

  /** The share that `filter` names, made if there is none; null for a filter without $share. */
  shareFor(filter: string): ShareGroup | null {
    const share = parseShare(filter);
    if (share === null) return null;
    const bucket = this.bucketFor(share.filter);
    bucket.groups ??= [];
    let group = bucket.groups.find(g => g.name === share.group);
    if (group === undefined) {
      group = new ShareGroup(share.group, share.filter);
      bucket.groups.push(group);
      this.groupCount++;
    }
    return group;
  }

  /** The share that `filter` ($share/…) names, or null when it has no members. */
  findShare(filter: string): ShareGroup | null {
    const share = parseShare(filter);
    if (share === null) return null;
    const bucket = this.findBucket(share.filter);
    return bucket?.groups?.find(g => g.name === share.group) ?? null;
  }

  private findBucket(filter: string): Bucket | null {
    if (!hasWildcard(filter)) return this.exact.get(filter) ?? null;
    let level: Level | undefined = this.root;
    for (const name of filter.split('/')) level = level?.children?.get(name);
    return level?.bucket ?? null;
  }

  add(subscription: Subscription): void {
    if (subscription.group !== null) subscription.group.add(subscription);
    else this.bucketFor(subscription.filter).add(subscription);
    this.subscriptionCount++;
    this.generation++;
  }

  remove(subscription: Subscription): void {
    const group = subscription.group;
    const filter = group === null ? subscription.filter : group.filter;
    const bucket = this.bucketFor(filter);
    if (group === null) {
      bucket.remove(subscription);
    } else {
      group.remove(subscription);
      if (group.members.length === 0 && bucket.groups !== null) {
        bucket.groups = bucket.groups.filter(g => g !== group);
        if (bucket.groups.length === 0) bucket.groups = null;
        this.groupCount--;
      }
    }
    if (bucket.empty) this.dropBucket(filter);
    this.subscriptionCount--;
    this.generation++;
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
    const buckets: Bucket[] = [];
    const exact = this.exact.get(topic);
    if (exact !== undefined) buckets.push(exact);
    if (this.root.children !== null) collect(this.root, topic, buckets);
    let overlaps = false;
    for (const bucket of buckets) {
      for (const subscription of bucket.subscriptions) hits.push(subscription);
      if (bucket.groups !== null) groups.push(...bucket.groups);
      overlaps ||= bucket !== buckets[0] && bucket.subscriptions.length > 0;
    }
    if (overlaps) mergeOverlaps(hits);
  }

  private bucketFor(filter: string): Bucket {
    if (!hasWildcard(filter)) {
      let bucket = this.exact.get(filter);
      if (bucket === undefined) {
        bucket = new Bucket();
        this.exact.set(filter, bucket);
      }
      return bucket;
    }
    let level = this.root;
    for (const name of filter.split('/')) {
      level.children ??= new Map();
      let child = level.children.get(name);
      if (child === undefined) {
        child = new Level();
        level.children.set(name, child);
      }
      level = child;
    }
    level.bucket ??= new Bucket();
    return level.bucket;
  }

  private dropBucket(filter: string): void {
    if (!hasWildcard(filter)) {
      this.exact.delete(filter);
      return;
    }
    const names = filter.split('/');
    const path = [this.root];
    for (const name of names) path.push(path[path.length - 1].children!.get(name)!);
    path[names.length].bucket = null;
    for (let i = names.length; i > 0 && path[i].unused; i--) {
      const siblings = path[i - 1].children!;
      siblings.delete(names[i - 1]);
      if (siblings.size === 0) path[i - 1].children = null;
    }
  }
}

function collect(root: Level, topic: string, buckets: Bucket[]): void {
  const names = topic.split('/');
  // A wildcard at the front does not match topics that begin with $ [MQTT-4.7.2-1].
  collectFrom(root, names, 0, topic.charCodeAt(0) !== 36, buckets);
}

function collectFrom(
  level: Level,
  names: readonly string[],
  depth: number,
  wildcards: boolean,
  buckets: Bucket[],
): void {
  const children = level.children;
  if (wildcards && children !== null) {
    const rest = children.get('#'); // also matches the parent level [MQTT-4.7.1-2]
    if (rest !== undefined && rest.bucket !== null) buckets.push(rest.bucket);
  }
  if (depth === names.length) {
    if (level.bucket !== null) buckets.push(level.bucket);
    return;
  }
  if (children === null) return;
  const child = children.get(names[depth]);
  if (child !== undefined) collectFrom(child, names, depth + 1, true, buckets);
  if (!wildcards) return;
  const plus = children.get('+');
  if (plus !== undefined) collectFrom(plus, names, depth + 1, true, buckets);
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
