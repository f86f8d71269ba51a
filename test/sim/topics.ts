// The simulation's own idea of topics: matching written from the specification (MQTT 5.0 4.7),
// level by level and without any table, and the topics and filters that clients draw from.

import type { Prng } from '../prng.ts';

export function matches(filter: string, topic: string): boolean {
  // Wildcards at the front do not match topics that begin with $ [MQTT-4.7.2-1].
  if (topic.startsWith('$') && (filter.startsWith('#') || filter.startsWith('+'))) return false;
  return matchLevels(filter.split('/'), topic.split('/'));
}

function matchLevels(filter: readonly string[], topic: readonly string[]): boolean {
  for (let i = 0; i < filter.length; i++) {
    if (filter[i] === '#') return true; // the parent level too [MQTT-4.7.1-2]
    if (i >= topic.length) return false;
    if (filter[i] !== '+' && filter[i] !== topic[i]) return false;
  }
  return filter.length === topic.length;
}

/** The parts of $share/group/filter, or null when `filter` is an ordinary one. */
export function sharedParts(filter: string): { group: string; filter: string } | null {
  if (!filter.startsWith('$share/')) return null;
  const slash = filter.indexOf('/', 7);
  return { group: filter.slice(7, slash), filter: filter.slice(slash + 1) };
}

/** Nobody may publish below this level; see `mayPublish` in world.ts. */
export const FORBIDDEN = 'forbidden';

const heads = ['a', 'b', 'a', 'b', 'home', '$dev', 'ä€'];
const tails = ['x', 'y', '', 'a'];

/** A topic from a small set, or a very small one, so that publishers and subscribers meet often. */
export function drawTopic(prng: Prng, few: boolean): string {
  if (few) return prng.pick(['a', 'a', 'b/x', '$dev/y']);
  if (prng.oneIn(60)) return `${FORBIDDEN}/${prng.pick(tails)}`;
  const levels = [prng.pick(heads)];
  while (levels.length < 4 && prng.chance(0.5)) levels.push(prng.pick(tails));
  return levels.join('/') || 'a';
}

/** A filter that has a good chance to match what `drawTopic` yields. */
export function drawFilter(prng: Prng): string {
  if (prng.oneIn(8)) return prng.pick(['#', '+/+', '/#', '+', 'a/#', '$dev/#', '+/x/#']);
  const levels = drawTopic(prng, prng.oneIn(2)).split('/');
  for (let i = 0; i < levels.length; i++) if (prng.oneIn(4)) levels[i] = '+';
  if (prng.oneIn(3)) {
    levels.length = prng.between(0, levels.length);
    levels.push('#');
  }
  return levels.join('/');
}
