// One rule: who it speaks about, what it allows or denies, and on which topics.

import { BlockList, isIP } from 'node:net';
import type { Certificate, Principal } from '../../core/access.ts';
import { addressOf } from '../../core/limits/address.ts';

/** Bits, so that one rule can speak about several. */
export const Action = {
  Publish: 1,
  /** Subscribing to a filter, and receiving what comes of it. */
  Subscribe: 2,
  /** Receiving messages, whatever filter brought them. */
  Receive: 4,
  /** Publishing with the retain flag. */
  Retain: 8,
} as const;

export const actionWords: Readonly<Record<string, number>> = {
  publish: Action.Publish,
  subscribe: Action.Subscribe,
  receive: Action.Receive,
  retain: Action.Retain,
  all: Action.Publish | Action.Subscribe | Action.Receive | Action.Retain,
};

/** Whom a rule speaks about: all that is said must fit; what is left out or empty fits everybody,
 *  except for the user. */
export interface SubjectSpec {
  /** A name, `*` in it stands for any characters; empty: clients without a name. */
  readonly user?: string | undefined;
  readonly client?: string | undefined;
  /** The common name or an alternative name of the client's certificate. */
  readonly certificate?: string | undefined;
  /** "192.0.2.7" or "192.0.2.0/24". */
  readonly address?: string | undefined;
  readonly listener?: string | undefined;
}

export interface Rule {
  readonly allow: boolean;
  readonly actions: number;
  readonly filter: string;
  readonly subject: Subject;
  /** How %u and %c are filled in; null where they mean themselves. */
  readonly names: 'own' | 'mosquitto' | null;
  /** Where it stands, and what stands there, for people. */
  readonly origin: string;
  readonly text: string;
}

export type Fits = (who: Principal) => boolean;

/** Compiled: whom a rule speaks about. */
export interface Subject {
  /** The one name ('' for none) or client id that it is about, by which it is found; null when it
   *  is about several. */
  readonly user: string | null;
  readonly client: string | null;
  /** All of them must hold. */
  readonly tests: readonly Fits[];
}

export function subjectOf(spec: SubjectSpec): Subject {
  const { user = '*', client, certificate, address, listener } = spec;
  const tests: Fits[] = [];
  if (user !== '*') tests.push(byGlob(user, who => who.username ?? ''));
  if (client) tests.push(byGlob(client, who => who.clientId));
  if (listener) tests.push(byGlob(listener, who => who.origin?.listener ?? ''));
  if (certificate) tests.push(byCertificate(certificate));
  if (address) tests.push(byAddress(address));
  return {
    user: user.includes('*') ? null : user,
    client: client && !client.includes('*') ? client : null,
    tests,
  };
}

export function fits(subject: Subject, who: Principal): boolean {
  for (const test of subject.tests) if (!test(who)) return false;
  return true;
}

function byGlob(pattern: string, nameIn: (who: Principal) => string): Fits {
  if (!pattern.includes('*')) return who => nameIn(who) === pattern;
  const glob = globOf(pattern);
  return who => glob.test(nameIn(who));
}

function globOf(pattern: string): RegExp {
  const parts = pattern.split('*').map(part => part.replaceAll(/[\\^$.|?+()[\]{}]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 'su');
}

function byCertificate(pattern: string): Fits {
  const glob = globOf(pattern);
  return ({ origin }) => namesIn(origin?.certificate ?? null).some(name => glob.test(name));
}

/** The common name and what stands behind the kinds of the alternative names. */
function namesIn(certificate: Certificate | null): string[] {
  if (certificate === null) return [];
  const names = certificate.names.map(name => name.slice(name.indexOf(':') + 1));
  return certificate.commonName === '' ? names : [certificate.commonName, ...names];
}

function byAddress(text: string): Fits {
  const list = addressList(text);
  if (list === null) return () => false;
  return who => {
    const address = addressOf(who.peer).split('%')[0];
    const family = isIP(address);
    return family !== 0 && list.check(address, family === 4 ? 'ipv4' : 'ipv6');
  };
}

/** The addresses that "192.0.2.0/24" or "::1" stands for; null when it is no such text. */
export function addressList(text: string): BlockList | null {
  const [address, prefix, ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0 || address.includes('%')) return null;
  const bits = family === 4 ? 32 : 128;
  if (prefix !== undefined && !/^\d{1,3}$/.test(prefix)) return null;
  const length = prefix === undefined ? bits : Number(prefix);
  if (length > bits) return null;
  const list = new BlockList();
  list.addSubnet(address, length, family === 4 ? 'ipv4' : 'ipv6');
  return list;
}

/** Whether a filter has %u or %c in it. */
export function isPersonal(filter: string): boolean {
  return filter.includes('%u') || filter.includes('%c');
}

/** The levels of the rule's filter for `who`; null when it does not speak about anything then. */
export function levelsFor(rule: Rule, levels: readonly string[], who: Principal) {
  if (rule.names === null) return levels;
  return rule.names === 'own' ? fillOwn(rule, levels, who) : fillMosquitto(rule, who);
}

/** A name that is no plain part of a level (a client may call itself `#`, or `$SYS` in front) takes
 *  an allowing rule out and lets a denying one fit any level. */
function fillOwn(rule: Rule, levels: readonly string[], who: Principal): string[] | null {
  const filled: string[] = [];
  for (const [at, level] of levels.entries()) {
    let plain = true;
    const text = level.replaceAll(/%[uc]/g, mark => {
      const name = mark === '%u' ? who.username : who.clientId;
      if (name === null || name === '' || /[/+#]/.test(name)) plain = false;
      return name ?? '';
    });
    if (at === 0 && becomesReserved(level, text)) plain = false;
    if (!plain && rule.allow) return null;
    filled.push(plain ? text : '+');
  }
  return filled;
}

/** As mosquitto does: names are put in as they are, so that one with slashes is several levels; a
 *  pattern with %u says nothing about clients without a name. */
function fillMosquitto(rule: Rule, { username, clientId }: Principal): string[] | null {
  if (username === null && rule.filter.includes('%u')) return null;
  const filled = rule.filter.replaceAll(/%[uc]/g, mark =>
    mark === '%u' ? (username ?? '') : clientId,
  );
  return becomesReserved(rule.filter, filled) ? null : filled.split('/');
}

/** A client that calls itself $SYS does not get there by `%c/#`. */
function becomesReserved(written: string, filled: string): boolean {
  return filled.startsWith('$') && !written.startsWith('$');
}
