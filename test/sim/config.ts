// What one world is like: the broker's bounds, the network's manners, and what its clients do how
// often. Drawn anew for each world, so that a run meets many combinations.

import { type BrokerOptions, defaultOptions } from '../../src/core/options.ts';
import type { Prng } from '../prng.ts';
import type { Weather } from './link.ts';

export type Kind = 'roomy' | 'exact' | 'tight' | 'slow';

export type Act =
  | 'publish'
  | 'subscribe'
  | 'unsubscribe'
  | 'connect'
  | 'disconnect'
  | 'cut'
  | 'vanish'
  | 'takeover'
  | 'stall'
  | 'mute'
  | 'wait';

export interface WorldConfig {
  readonly kind: Kind;
  readonly options: BrokerOptions;
  readonly clients: number;
  readonly weather: Weather;
  /** Mean time between two steps, milliseconds. */
  readonly paceMs: number;
  /** How often each act is chosen, relative to the others. */
  readonly acts: Readonly<Record<Act, number>>;
  /** Whether messages expire, are retained, and are subscribed to in shares. */
  readonly expiry: boolean;
  readonly retained: boolean;
  readonly shares: boolean;
  /** Whether there are but a handful of topics, so that many messages share one. */
  readonly fewTopics: boolean;
  /** Largest ordinary payload, bytes. */
  readonly payloadMax: number;
  /** Whether every drop can be foretold: one packet at a time, and nothing that blurs a queue. */
  readonly exactDrops: boolean;
}

const kinds: Record<Kind, number> = { roomy: 4, exact: 2, tight: 2, slow: 2 };

export function drawConfig(prng: Prng): WorldConfig {
  const kind = prng.weighted(kinds);
  const exact = kind === 'exact';
  return {
    kind,
    options: Object.freeze({ ...defaultOptions, ...drawOptions(prng, kind) }),
    clients: prng.between(6, 16),
    weather: {
      delayMs: prng.pick([1, 5, 30]),
      fragments: prng.pick([0, 0.1, 0.5]),
      capacity: prng.pick([2_000, 100_000]),
    },
    paceMs: prng.pick([5, 20, 60]),
    acts: {
      publish: prng.pick([30, 60]),
      subscribe: 10,
      unsubscribe: 7,
      connect: 20,
      disconnect: prng.pick([1, 3]),
      cut: prng.pick([0.5, 2, 6]),
      vanish: prng.pick([0, 1]),
      takeover: prng.pick([0.5, 2]),
      stall: kind === 'slow' ? 6 : 1,
      mute: 0.3,
      wait: prng.pick([1, 4]),
    },
    expiry: !exact && prng.chance(0.7),
    retained: !exact && prng.chance(0.8),
    shares: !exact && prng.chance(0.6),
    fewTopics: prng.oneIn(3),
    payloadMax: kind === 'slow' ? 3_000 : prng.pick([30, 300]),
    exactDrops: exact,
  };
}

function drawOptions(prng: Prng, kind: Kind): Partial<BrokerOptions> {
  const small = kind === 'exact' || kind === 'tight';
  const highWater = kind === 'slow' ? prng.pick([1_000, 6_000]) : defaultOptions.outputHighWater;
  return {
    inflightMax: prng.pick([1, 2, 5, 20, 1_024]),
    receiveMaximum: prng.pick([2, 10, 1_024]),
    topicAliasMaximum: prng.pick([0, 3, 32]),
    topicAliasOutMax: prng.pick([0, 3, 32]),
    queueMessagesMax: small ? prng.between(1, 20) : defaultOptions.queueMessagesMax,
    queueBytesMax: kind === 'tight' && prng.oneIn(2) ? 3_000 : defaultOptions.queueBytesMax,
    queuePolicy: prng.pick(['drop-newest', 'drop-oldest']),
    queueQoS0: kind === 'roomy' && prng.chance(0.7),
    outputHighWater: highWater,
    outputBytesMax: kind === 'slow' ? highWater * 2 : defaultOptions.outputBytesMax,
    publisherPauseMaxMs: prng.pick([50, 2_000]),
    keepAliveMaxSeconds: prng.pick([0, 0, 10]),
    sessionExpiryMaxSeconds: prng.pick([0xffff_ffff, 0xffff_ffff, 20]),
    sysIntervalMs: prng.oneIn(6) ? 1_000 : 0,
    drainTimeoutMs: prng.pick([100, 2_000]),
  };
}
