// Finds the rules that may speak about a client and a topic without looking at the others: by the
// one user or client id that a rule is about, then by its filter, level by level, as far as the
// filter is fixed. What is found is looked at one by one afterwards, in the rules' order.

import type { Principal } from '../../core/access.ts';
import { overlaps } from './filters.ts';
import { fits, isPersonal, levelsFor, type Rule } from './rule.ts';

/** A rule at its place in the order, with the levels of its filter. */
interface Placed {
  readonly order: number;
  readonly rule: Rule;
  readonly levels: readonly string[];
}

class Node {
  children: Map<string, Node> | null = null;
  /** Rules whose filter ends here. */
  readonly here: Placed[] = [];
  /** Rules about this level and everything below. */
  readonly below: Placed[] = [];

  child(level: string): Node {
    this.children ??= new Map();
    let child = this.children.get(level);
    if (child === undefined) {
      child = new Node();
      this.children.set(level, child);
    }
    return child;
  }
}

/** A rule that speaks about the client and has topics in common with what is asked. */
export interface Hit {
  readonly rule: Rule;
  /** Its filter's levels with names filled in. */
  readonly levels: readonly string[];
}

export class RuleIndex {
  private readonly everybody = new Node();
  private readonly users = new Map<string, Node>();
  private readonly clients = new Map<string, Node>();
  readonly count: number;

  constructor(rules: readonly Rule[]) {
    this.count = rules.length;
    for (const [order, rule] of rules.entries()) this.add(order, rule);
  }

  private add(order: number, rule: Rule): void {
    const levels = rule.filter.split('/');
    const placed: Placed = { order, rule, levels };
    let node = this.rootFor(rule);
    for (const level of levels) {
      if (level === '#' || (rule.names !== null && isPersonal(level))) {
        node.below.push(placed);
        return;
      }
      node = node.child(level);
    }
    node.here.push(placed);
  }

  private rootFor({ subject }: Rule): Node {
    if (subject.user !== null) return rootIn(this.users, subject.user);
    if (subject.client !== null) return rootIn(this.clients, subject.client);
    return this.everybody;
  }

  /** The rules about `who` that have topics in common with `wanted` (a name or a filter), in
   *  order. */
  find(who: Principal, wanted: readonly string[]): Hit[] {
    const found: Placed[] = [];
    walk(this.everybody, wanted, 0, found);
    const user = this.users.get(who.username ?? '');
    if (user !== undefined) walk(user, wanted, 0, found);
    const client = this.clients.get(who.clientId);
    if (client !== undefined) walk(client, wanted, 0, found);
    if (found.length > 1) found.sort((a, b) => a.order - b.order);
    const hits: Hit[] = [];
    for (const { rule, levels: written } of found) {
      if (!fits(rule.subject, who)) continue;
      const levels = levelsFor(rule, written, who);
      if (levels !== null && overlaps(levels, wanted)) hits.push({ rule, levels });
    }
    return hits;
  }
}

function rootIn(roots: Map<string, Node>, key: string): Node {
  let root = roots.get(key);
  if (root === undefined) {
    root = new Node();
    roots.set(key, root);
  }
  return root;
}

/** Adds every rule below `node` that may fit `wanted` from level `at` on. */
function walk(node: Node, wanted: readonly string[], at: number, found: Placed[]): void {
  if (node.below.length > 0) found.push(...node.below);
  if (at === wanted.length) {
    found.push(...node.here);
    return;
  }
  const level = wanted[at];
  if (level === '#') found.push(...node.here);
  if (node.children === null) return;
  if (level === '#') {
    for (const child of node.children.values()) walk(child, wanted, at, found);
  } else if (level === '+') {
    for (const child of node.children.values()) walk(child, wanted, at + 1, found);
  } else {
    const exact = node.children.get(level);
    if (exact !== undefined) walk(exact, wanted, at + 1, found);
    const any = node.children.get('+');
    if (any !== undefined) walk(any, wanted, at + 1, found);
  }
}
