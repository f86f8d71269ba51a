// The core's Access out of rules: those a client brought (from its token, say), then those of the
// configuration, then the ACL file's. The first that speaks about the client, the action and the
// topic decides; once there is any rule, what none allows is denied. Wildcards do not reach $SYS,
// so only a rule that names it opens it. $CONTROL no rule opens: it is for superusers.
//
// Decisions about topics are remembered per client and topic, in bounded memory, until the rules
// change; asking again allocates nothing. What a filter may bring is asked at SUBSCRIBE only.

import type { Access, Principal } from '../../core/access.ts';
import { covers, isControl } from './filters.ts';
import { Action, type Rule } from './rule.ts';
import { type Hit, RuleIndex } from './rule-index.ts';
import { rulesFromOutside } from './rule-spec.ts';

/** What of a filter's messages a client may be sent. */
export const Scope = {
  /** Nothing: the subscription is refused. */
  None: 0,
  /** Each message has to be asked about. */
  Some: 1,
  All: 2,
} as const;

export interface Decision {
  readonly allowed: boolean;
  /** Null: no rule speaks about it, which means no. */
  readonly rule: Rule | null;
}

export interface ScopeDecision {
  readonly scope: number;
  readonly rule: Rule | null;
}

export interface AclOptions {
  readonly rules: readonly Rule[];
  /** User names that may do everything. */
  readonly superusers?: readonly string[];
}

/** Whoever may publish may retain, and whoever may subscribe may receive, unless an earlier rule
 *  says otherwise. */
const PUBLISH = Action.Publish;
const RETAIN = Action.Publish | Action.Retain;
const RECEIVE = Action.Subscribe | Action.Receive;

/** Topics remembered in all; each takes some 100 bytes. */
const REMEMBERED_MAX = 50_000;

/** What is known about one client; it holds as long as the client is who it was. */
class Memory {
  readonly username: string | null;
  readonly clientId: string;
  readonly grants: object | null;
  /** Per topic: for each mask of actions, whether it is known (that bit) and allowed (16 × it). */
  readonly topics = new Map<string, number>();

  constructor(who: Principal) {
    this.username = who.username;
    this.clientId = who.clientId;
    this.grants = who.grants ?? null;
  }

  isAbout(who: Principal): boolean {
    return (
      this.username === who.username &&
      this.clientId === who.clientId &&
      this.grants === (who.grants ?? null)
    );
  }
}

export class Acl implements Access {
  private index: RuleIndex;
  private superusers: ReadonlySet<string>;
  private memories = new WeakMap<Principal, Memory>();
  private rememberedCount = 0;
  private readonly brought = new WeakMap<object, RuleIndex>();

  constructor(options: AclOptions) {
    this.index = new RuleIndex(options.rules);
    this.superusers = new Set(options.superusers);
  }

  /** Other rules from now on; recipients that were worked out are the caller's to forget. */
  replace(options: AclOptions): void {
    this.index = new RuleIndex(options.rules);
    this.superusers = new Set(options.superusers);
    this.forget();
  }

  mayPublish(who: Principal, topic: string, retain = false): boolean {
    return this.may(who, PUBLISH, topic) && (!retain || this.may(who, RETAIN, topic));
  }

  /** Filters that may bring something; `mayReceive` says what. */
  maySubscribe(who: Principal, filter: string): boolean {
    return this.scopeOf(who, filter).scope !== Scope.None;
  }

  mayReceive(who: Principal, topic: string): boolean {
    return this.may(who, RECEIVE, topic);
  }

  /** The same with the rule that decides, for people: nothing is remembered. */
  explainPublish(who: Principal, topic: string, retain = false): Decision {
    const published = this.decide(who, PUBLISH, topic);
    return published.allowed && retain ? this.decide(who, RETAIN, topic) : published;
  }

  explainReceive(who: Principal, topic: string): Decision {
    return this.decide(who, RECEIVE, topic);
  }

  /** What a subscription to `filter` (without any $share prefix) may bring. */
  scopeOf(who: Principal, filter: string): ScopeDecision {
    const open = this.isOpenTo(who, filter);
    if (open !== null) return { scope: open ? Scope.All : Scope.None, rule: null };
    const wanted = filter.split('/');
    let part: Rule | null = null;
    let guarded = false;
    for (const { rule, levels } of this.find(who, wanted)) {
      if ((rule.actions & RECEIVE) === 0) continue;
      const whole = covers(levels, wanted);
      if (rule.allow) {
        if (whole) return { scope: guarded ? Scope.Some : Scope.All, rule };
        if ((rule.actions & Action.Receive) !== 0) part ??= rule;
      } else if ((rule.actions & Action.Subscribe) !== 0) {
        return { scope: Scope.None, rule };
      } else if (whole) {
        return part === null ? { scope: Scope.None, rule } : { scope: Scope.Some, rule: part };
      } else {
        guarded = true;
      }
    }
    return { scope: part === null ? Scope.None : Scope.Some, rule: part };
  }

  private may(who: Principal, mask: number, topic: string): boolean {
    let memory = this.memories.get(who);
    if (memory === undefined || !memory.isAbout(who)) {
      memory = new Memory(who);
      this.memories.set(who, memory);
    }
    // A mask's lowest bit tells it from the others: 1 publish, 2 receive, 8 of 9 retain.
    const bit = mask === RETAIN ? Action.Retain : mask & -mask;
    const known = memory.topics.get(topic) ?? 0;
    if ((known & bit) !== 0) return (known & (bit << 4)) !== 0;
    const { allowed } = this.decide(who, mask, topic);
    this.remember(who, memory, topic, known | bit | (allowed ? bit << 4 : 0));
    return allowed;
  }

  private remember(who: Principal, memory: Memory, topic: string, known: number): void {
    if (!memory.topics.has(topic) && ++this.rememberedCount > REMEMBERED_MAX) {
      this.forget();
      memory.topics.clear();
      this.memories.set(who, memory);
    }
    memory.topics.set(topic, known);
  }

  private forget(): void {
    this.memories = new WeakMap();
    this.rememberedCount = 0;
  }

  private decide(who: Principal, mask: number, topic: string): Decision {
    const open = this.isOpenTo(who, topic);
    if (open !== null) return { allowed: open, rule: null };
    for (const { rule } of this.find(who, topic.split('/'))) {
      if ((rule.actions & mask) !== 0) return { allowed: rule.allow, rule };
    }
    return { allowed: false, rule: null };
  }

  /** Whether a topic or filter is open to `who` without asking a rule: everything is to superusers,
   *  $CONTROL to nobody else, the rest to everybody as long as nobody made a rule. Null: the
   *  rules say. */
  private isOpenTo(who: Principal, text: string): boolean | null {
    if (who.username !== null && this.superusers.has(who.username)) return true;
    if (isControl(text)) return false;
    return this.index.count === 0 && this.broughtBy(who) === null ? true : null;
  }

  private find(who: Principal, wanted: readonly string[]): Hit[] {
    const hits = this.index.find(who, wanted);
    const own = this.broughtBy(who);
    return own === null ? hits : [...own.find(who, wanted), ...hits];
  }

  /** The rules that `who` brought; null for none. */
  private broughtBy({ grants }: Principal): RuleIndex | null {
    if (!grants) return null;
    let index = this.brought.get(grants);
    if (index === undefined) {
      // Steps let nobody in with rules that are none; if it happened, there are none to allow.
      index = new RuleIndex(rulesFromOutside((grants as { rules?: unknown }).rules, 'token') ?? []);
      this.brought.set(grants, index);
    }
    return index;
  }
}
