// Retained messages: the last one of each topic, in a tree of levels so that a filter finds its own
// without looking at the rest. Bounded in number and bytes. Expiry is the caller's timer.

import { Timer, TimerKind } from '../timers.ts';
import type { Message } from './message.ts';

export class Retained {
  children: Map<string, Retained> | null = null;
  message: Message | null = null;
  readonly parent: Retained | null;
  readonly name: string;
  /** Armed by publish.ts when the message has an expiry. */
  timer: Timer<unknown> | null = null;

  constructor(parent: Retained | null, name: string) {
    this.parent = parent;
    this.name = name;
  }

  /** The timer for this topic's expiry, made when first needed. */
  expiryTimer(): Timer<unknown> {
    this.timer ??= new Timer<unknown>(TimerKind.RetainedExpiry, this);
    return this.timer;
  }
}

export class RetainedStore {
  count = 0;
  bytes = 0;
  private readonly root = new Retained(null, '');
  /** The topic that was last looked for, because whoever keeps a message asks for it more than
   *  once: the deepest of its levels that there is, where in its name the others begin, and the
   *  first of them. */
  private sought: string | null = null;
  private reached = this.root;
  private restAt = 0;
  private missing: string | null = null;
  /** What is above the last level of the topic that was last kept, because they often lie side by
   *  side: its name with the slash behind it, and its node. */
  private stem = '';
  private above = this.root;
  /** Bounds on number and bytes. */
  countMax: number;
  bytesMax: number;

  constructor(countMax: number, bytesMax: number) {
    this.countMax = countMax;
    this.bytesMax = bytesMax;
  }

  find(topic: string): Retained | null {
    this.seek(topic);
    return this.restAt > topic.length ? this.reached : null;
  }

  private seek(topic: string): void {
    if (topic === this.sought) return;
    const beside = topic.startsWith(this.stem);
    let node = beside ? this.above : this.root;
    let at = beside ? this.stem.length : 0;
    let missing: string | null = null;
    while (at <= topic.length) {
      const name = levelAt(topic, at);
      const child = node.children?.get(name);
      if (child === undefined) {
        missing = name;
        break;
      }
      node = child;
      at += name.length + 1;
    }
    this.sought = topic;
    this.reached = node;
    this.restAt = at;
    this.missing = missing;
  }

  /** Whether `message` may be kept: there is room, or it takes the place of another. */
  accepts(message: Message): boolean {
    const old = this.find(message.topic)?.message ?? null;
    const bytes = this.bytes - (old === null ? 0 : old.size) + message.size;
    return (old !== null || this.count < this.countMax) && bytes <= this.bytesMax;
  }

  /** Bytes that it would take to keep `message` in place of what its topic has. */
  growsBy(message: Message): number {
    return message.size - (this.find(message.topic)?.message?.size ?? 0);
  }

  /** Keeps `message` (owned) as the last of its topic [MQTT-3.3.1-5]. */
  set(message: Message): Retained {
    const { topic } = message;
    this.seek(topic);
    let node = this.reached;
    for (let at = this.restAt; at <= topic.length; ) {
      const name = this.missing ?? levelAt(topic, at);
      this.missing = null;
      const child = new Retained(node, name);
      node.children ??= new Map();
      node.children.set(name, child);
      node = child;
      at += name.length + 1;
    }
    this.reached = node;
    this.restAt = topic.length + 1;
    if (node.parent !== this.above) {
      this.above = node.parent!;
      this.stem = topic.slice(0, topic.length - node.name.length);
    }
    if (node.message === null) this.count++;
    else this.bytes -= node.message.size;
    node.message = message;
    this.bytes += message.size;
    return node;
  }

  /** Forgets the message of `node` and the levels that nothing needs any more. */
  clear(node: Retained): void {
    if (node.message === null) return;
    this.count--;
    this.bytes -= node.message.size;
    node.message = null;
    this.sought = null;
    let at: Retained = node;
    while (at.parent !== null && at.message === null && at.children === null) {
      if (at === this.above) {
        this.above = this.root;
        this.stem = '';
      }
      const siblings = at.parent.children!;
      siblings.delete(at.name);
      if (siblings.size === 0) at.parent.children = null;
      at = at.parent;
    }
  }

  /** The topics with a message that `filter` (no $share) matches. */
  *match(filter: string): Generator<Retained, void, undefined> {
    for (const walk = this.walk(filter); !walk.done; ) {
      const node = walk.step();
      if (node !== null) yield node;
    }
  }

  /** The same, as slowly as the caller likes. */
  walk(filter: string): Walk {
    return new Walk(this.root, filter);
  }
}

/** Nodes of one level, of which those are left to be looked at that did not have their turn. */
interface Row {
  readonly nodes: Iterator<Retained, void>;
  /** Which level of the filter speaks about them. */
  readonly depth: number;
}

/** Looks for what a filter matches, one node at a time, whether it matches or not: the caller may
 *  stop and go on later, whatever has been set or cleared meanwhile. */
export class Walk {
  private readonly names: readonly string[];
  /** From the top down, the last one is worked off first. */
  private readonly rows: Row[];
  done = false;

  constructor(root: Retained, filter: string) {
    this.names = filter.split('/');
    this.rows = [{ nodes: [root].values(), depth: 0 }];
  }

  /** The next topic with a message; null: not yet, or there is none any more. */
  step(): Retained | null {
    const row = this.rows.at(-1)!;
    const { value: node } = row.nodes.next();
    if (node) return this.enter(node, row.depth);
    this.rows.pop();
    this.done = this.rows.length === 0;
    return null;
  }

  /** `node` is matched by what stands in front of the level `depth` of the filter. */
  private enter(from: Retained, depth: number): Retained | null {
    // A wildcard at the front does not match topics that begin with $ [MQTT-4.7.2-1].
    if (from.parent?.parent === null && this.isWild(0) && from.name.charCodeAt(0) === 36)
      return null;
    let node = from;
    for (let at = depth; at < this.names.length; at++) {
      const { children } = node;
      const name = this.names[at];
      if (name === '#') {
        if (children !== null) this.rows.push({ nodes: children.values(), depth: at });
        break; // the parent level too [MQTT-4.7.1-2]
      }
      if (name === '+') {
        if (children !== null) this.rows.push({ nodes: children.values(), depth: at + 1 });
        return null;
      }
      const child = children?.get(name);
      if (child === undefined) return null;
      node = child;
    }
    return node.message === null ? null : node;
  }

  private isWild(at: number): boolean {
    return this.names[at] === '+' || this.names[at] === '#';
  }
}

/** The level of `topic` that begins at `at`. */
function levelAt(topic: string, at: number): string {
  const end = topic.indexOf('/', at);
  return end < 0 ? topic.slice(at) : topic.slice(at, end);
}
