// A list of rules over topic filters: the first that speaks about the user, the topic and the
// action decides, and what no rule allows is forbidden.
//
// A rule allows a subscription only when it covers all of it, and forbids it as soon as the two
// have one topic in common: `none secret/#` before `both #` keeps a subscriber of `#` out.

import type { AuthRule } from '../config/config.ts';
import type { Principal } from '../core/access.ts';

export type Action = 'publish' | 'subscribe';

interface Rule {
  readonly user: string;
  readonly levels: readonly string[];
  readonly allow: AuthRule['allow'];
  /** Whether any level has %u or %c in it. */
  readonly personal: boolean;
}

export class Rules {
  private readonly rules: readonly Rule[];

  constructor(rules: readonly AuthRule[]) {
    this.rules = rules.map(({ user, filter, allow }) => ({
      user,
      levels: filter.split('/'),
      allow,
      personal: /%[uc]/.test(filter),
    }));
  }

  get empty(): boolean {
    return this.rules.length === 0;
  }

  /** `topic` is a topic name to publish to or a filter to subscribe to. */
  allow(who: Principal, action: Action, topic: string): boolean {
    const wanted = topic.split('/');
    for (const rule of this.rules) {
      if (rule.user !== '*' && rule.user !== (who.username ?? '')) continue;
      const forbids = rule.allow === 'none';
      if (!forbids && rule.allow !== 'both' && rule.allow !== action) continue;
      const levels = rule.personal ? personalize(rule, who) : rule.levels;
      if (levels === null) continue;
      if (forbids ? overlaps(levels, wanted) : covers(levels, wanted)) return !forbids;
    }
    return false;
  }
}

/** The rule's levels with names filled in. A name that is no plain part of a level (a client may
 *  call itself `#`) takes an allowing rule out and lets a forbidding one fit any level. */
function personalize(rule: Rule, who: Principal): string[] | null {
  const levels: string[] = [];
  for (const level of rule.levels) {
    let plain = true;
    const filled = level.replaceAll(/%[uc]/g, mark => {
      const name = mark === '%u' ? who.username : who.clientId;
      if (name === null || name === '' || /[/+#]/.test(name)) plain = false;
      return name ?? '';
    });
    if (!plain && rule.allow !== 'none') return null;
    levels.push(plain ? filled : '+');
  }
  return levels;
}

/** A wildcard in front does not reach $SYS and its like [MQTT-4.7.2-1]. */
function startsApart(a: readonly string[], b: readonly string[]): boolean {
  const wild = (level: string) => level === '#' || level === '+';
  return (wild(a[0]) && b[0].startsWith('$')) || (wild(b[0]) && a[0].startsWith('$'));
}

/** Whether `rule` matches every topic that `wanted` (a name or a filter) matches. */
export function covers(rule: readonly string[], wanted: readonly string[]): boolean {
  if (startsApart(rule, wanted)) return false;
  for (const [i, level] of rule.entries()) {
    if (level === '#') return true;
    if (i >= wanted.length || wanted[i] === '#') return false;
    if (level !== '+' && level !== wanted[i]) return false;
  }
  return rule.length === wanted.length;
}

/** Whether some topic is matched by both. */
export function overlaps(a: readonly string[], b: readonly string[]): boolean {
  if (startsApart(a, b)) return false;
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) {
    if (a[i] === '#' || b[i] === '#') return true;
    if (a[i] !== b[i] && a[i] !== '+' && b[i] !== '+') return false;
  }
  if (a.length === b.length) return true;
  // "a/#" matches "a" as well.
  const longer = a.length > b.length ? a : b;
  return longer[shorter] === '#';
}
