// Topic names and topic filters: what is valid, what a share is, and which filter matches which
// name [MQTT 5.0 4.7, 4.8.2]. filterMatches is the naive reference; routing has its own index.

import { sequenceLength } from './utf8.ts';

const SHARE = '$share/';
const SLASH = 0x2f;
const HASH = 0x23;
const PLUS = 0x2b;

/** Whether the bytes [start, end) are a Topic Name: at least one character [MQTT-4.7.3-1], strict
 *  UTF-8 without U+0000 [MQTT-4.7.3-2] and no wildcards [MQTT-3.3.2-2]. One pass, in place. */
export function topicNameValid(buf: Uint8Array, start: number, end: number): boolean {
  if (start >= end) return false;
  for (let at = start; at < end; ) {
    const byte = buf[at];
    if (byte === 0 || byte === HASH || byte === PLUS) return false;
    const length = byte < 0x80 ? 1 : sequenceLength(buf, at, end);
    if (length === 0) return false;
    at += length;
  }
  return true;
}

/** Whether a Topic Filter, shared or not, has its wildcards and its share name in order. */
export function filterValid(filter: string): boolean {
  if (!filter.startsWith(SHARE)) return plainFilterValid(filter);
  const share = parseShare(filter);
  return share !== null && plainFilterValid(share.filter);
}

function plainFilterValid(filter: string): boolean {
  const length = filter.length;
  if (length === 0) return false; // [MQTT-4.7.3-1]
  for (let i = 0; i < length; i++) {
    const char = filter.charCodeAt(i);
    if (char !== HASH && char !== PLUS) continue;
    if (i > 0 && filter.charCodeAt(i - 1) !== SLASH) return false; // Both fill a whole level:
    if (char === HASH && i !== length - 1) return false; // # only the last one [MQTT-4.7.1-1],
    if (i < length - 1 && filter.charCodeAt(i + 1) !== SLASH) return false; // + any [MQTT-4.7.1-2].
  }
  return true;
}

/** The parts of `$share/group/filter`, or null when that is not what `filter` is: the group must be
 *  a non-empty level without wildcards and something must follow [MQTT-4.8.2-1, MQTT-4.8.2-2]. */
export function parseShare(filter: string): { group: string; filter: string } | null {
  if (!filter.startsWith(SHARE)) return null;
  const slash = filter.indexOf('/', SHARE.length);
  if (slash <= SHARE.length || slash === filter.length - 1) return null;
  const group = filter.slice(SHARE.length, slash);
  if (hasWildcard(group)) return null;
  return { group, filter: filter.slice(slash + 1) };
}

/** Levels of a name or filter: "a/b" has two, "/" has two empty ones. */
export function countLevels(topic: string): number {
  let levels = 1;
  for (let i = topic.indexOf('/'); i !== -1; i = topic.indexOf('/', i + 1)) levels++;
  return levels;
}

export function hasWildcard(filter: string): boolean {
  return filter.includes('#') || filter.includes('+');
}

/** Levels of a valid filter that are wildcards. */
export function countWildcards(filter: string): number {
  return filter.split('/').filter(level => level === '+' || level === '#').length;
}

/** Whether a valid, unshared filter matches a valid topic name. */
export function filterMatches(filter: string, topic: string): boolean {
  const wanted = filter.split('/');
  const given = topic.split('/');
  // A wildcard in front does not match $SYS and its like [MQTT-4.7.2-1].
  if (topic.startsWith('$') && (wanted[0] === '#' || wanted[0] === '+')) return false;
  for (let i = 0; i < wanted.length; i++) {
    if (wanted[i] === '#') return true; // The parent level included: "a/#" matches "a".
    if (i >= given.length) return false;
    if (wanted[i] !== '+' && wanted[i] !== given[i]) return false;
  }
  return wanted.length === given.length;
}
