// What one crashing world is like: its classes, how slow and how sick its disk is, and what its
// clients do how often.

import { Durability } from '../../../src/core/journal.ts';
import { type BrokerOptions, defaultOptions } from '../../../src/core/options.ts';
import type { LogOptions } from '../../../src/store/log.ts';
import type { Prng } from '../../prng.ts';
import type { Character } from '../client.ts';
import type { Weather } from '../link.ts';

export type Act = 'publish' | 'subscribe' | 'unsubscribe' | 'disconnect' | 'cut' | 'takeover';

export interface DurableConfig {
  readonly broker: BrokerOptions;
  readonly log: Omit<LogOptions, 'classOf' | 'wall' | 'freeBytes'>;
  /** Mean time that the disk takes to answer, milliseconds. */
  readonly diskMs: number;
  /** One in so many steps the disk begins to fail, and some reads do; 0: never. */
  readonly sick: number;
  readonly clients: number;
  readonly weather: Weather;
  readonly paceMs: number;
  readonly acts: Readonly<Record<Act, number>>;
  /** Mean number of steps between two crashes. */
  readonly stepsPerLife: number;
  /** First levels of topics, which say their class. */
  readonly levels: readonly string[];
}

/** What is kept and what is not meet in one queue most often where there is nothing else. */
const mixtures = [
  ['default'],
  ['strict', 'strict', 'written', 'batched', 'none', 'default'],
  ['strict', 'none', 'none'],
];

export function drawDurableConfig(prng: Prng): DurableConfig {
  const defaults = prng.weighted({ Strict: 6, Written: 2, Batched: 2, None: 1 });
  return {
    broker: {
      ...defaultOptions,
      sysIntervalMs: 0,
      receiveMaximum: prng.pick([2, 10]),
      queueMessagesMax: 100_000,
      topicAliasMaximum: 0,
    },
    log: {
      defaultClass: Durability[defaults],
      batchMs: prng.pick([20, 300]),
      batchBytes: prng.pick([200, 64 * 1024]),
      ...{ flashBytesPerDay: 0, quotaBytes: 0, freeBytesMin: 0 },
      windowMessages: prng.pick([1, 2, 5, 20]),
      windowBytes: prng.pick([100, 10_000]),
    },
    diskMs: prng.pick([0.2, 5, 60]),
    sick: prng.pick([0, 60]),
    clients: prng.between(4, 7),
    weather: {
      delayMs: prng.pick([0.5, 5]),
      fragments: prng.pick([0, 0.2]),
      capacity: 100_000,
    },
    paceMs: prng.pick([2, 10, 40]),
    acts: {
      publish: 60,
      subscribe: 6,
      unsubscribe: 3,
      disconnect: prng.pick([1, 3]),
      cut: prng.pick([1, 5]),
      takeover: prng.pick([0, 1]),
    },
    stepsPerLife: prng.pick([15, 40, 100]),
    levels: prng.pick(mixtures),
  };
}

export function drawDurableCharacter(prng: Prng): Character {
  const version = prng.pick([4, 5, 5] as const);
  return {
    version,
    cleanStart: prng.pick([0, 0, 0.1, 0.5]),
    sessionExpiry: prng.pick([0, 1, 30, 0xffff_ffff, 0xffff_ffff]),
    keepAlive: 0,
    receiveMaximum: version === 5 ? prng.pick([1, 2, 8]) : 65_535,
    packetSizeMax: version === 5 ? prng.pick([null, null, 100]) : null,
    aliasMax: 0,
    ackDelayMs: prng.pick([0.5, 5, 60]),
    shuffles: false,
    errors: prng.pick([0, 0, 0.1]),
    eager: false,
    packetIds: prng.pick([1, 8, 24]),
  };
}

/** A member of the share whose session and subscription are for good. */
const stayer: Character = {
  ...{ version: 5, cleanStart: 0, sessionExpiry: 0xffff_ffff, keepAlive: 0, receiveMaximum: 4 },
  ...{ packetSizeMax: null, aliasMax: 0, ackDelayMs: 3, shuffles: false, errors: 0 },
  ...{ eager: false, packetIds: 24 },
};

/** A slow one whose session ends now and then: what waits for it goes to the other. */
const leaver: Character = {
  ...{ ...stayer, cleanStart: 0.3, sessionExpiry: 1, receiveMaximum: 1, ackDelayMs: 60 },
};

export const workers: readonly Character[] = [stayer, leaver];
