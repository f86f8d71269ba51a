// [limits], [session] and [queue]: what clients can make the broker hold.

import { defaultOptions as d } from '../../core/options.ts';
import { KB } from '../../limits.ts';
import { PACKET_SIZE_LIMIT, SESSION_NEVER_EXPIRES } from '../../mqtt/packet.ts';
import {
  bytes,
  choice,
  count,
  DAY_MS,
  flag,
  GB,
  MANY,
  milliseconds,
  seconds,
  section,
} from '../option.ts';

export const limitsSection = section('Bounds on what clients can make the broker hold or do.', {
  connectionsMax: count({
    reload: 'live',
    default: d.connectionsMax,
    min: 1,
    max: MANY,
    description: 'Connections at once; further ones are refused.',
  }),
  sessionsMax: count({
    reload: 'live',
    default: d.sessionsMax,
    min: 1,
    max: MANY,
    description: 'Sessions, connected or not; further clients are told that the quota is used up.',
  }),
  subscriptionsPerSessionMax: count({
    reload: 'live',
    default: d.subscriptionsPerSessionMax,
    min: 1,
    max: MANY,
    description: 'Subscriptions of one session.',
  }),
  connectTimeoutMs: milliseconds({
    reload: 'live',
    default: d.connectTimeoutMs,
    min: 100,
    max: DAY_MS,
    description: 'Time a fresh connection has to complete its CONNECT.',
  }),
  packetSizeMaxBytes: bytes({
    default: d.packetSizeMax,
    min: KB,
    max: PACKET_SIZE_LIMIT,
    description: 'Largest packet accepted from a client; MQTT 5 clients are told.',
  }),
  receiveMaximum: count({
    default: d.receiveMaximum,
    min: 1,
    max: 65_535,
    description: 'QoS 1 and 2 messages a client may have unacknowledged towards the broker.',
  }),
  inflightMax: count({
    reload: 'live',
    default: d.inflightMax,
    min: 1,
    max: 65_535,
    description: 'QoS 1 and 2 messages in flight towards one client; it may ask for fewer.',
  }),
  topicLevelsMax: count({
    reload: 'live',
    default: d.topicLevelsMax,
    min: 1,
    max: 65_535,
    description: 'Levels of a topic name or filter.',
  }),
  topicAliasMaximum: count({
    default: d.topicAliasMaximum,
    min: 0,
    max: 65_535,
    description: 'Topic aliases a client may define; 0 is none.',
  }),
  topicAliasOutMax: count({
    reload: 'live',
    default: d.topicAliasOutMax,
    min: 0,
    max: 65_535,
    description: 'Topic aliases the broker defines towards a client that allows them.',
  }),
  retainedMessagesMax: count({
    reload: 'live',
    default: d.retainedMessagesMax,
    min: 0,
    max: MANY,
    description: 'Retained messages.',
  }),
  retainedBytesMax: bytes({
    reload: 'live',
    default: d.retainedBytesMax,
    min: 0,
    max: 1024 * GB,
    description: 'Retained messages together.',
  }),
  outputBytesMax: bytes({
    reload: 'live',
    default: d.outputBytesMax,
    min: 4 * KB,
    max: GB,
    description: 'Bytes waiting to be sent to one client; past it QoS 0 is dropped and counted.',
  }),
  outputHighWaterBytes: bytes({
    reload: 'live',
    default: d.outputHighWater,
    min: KB,
    max: GB,
    description: 'Waiting output from which on publishers are slowed and messages stay queued.',
  }),
  publisherPauseMaxMs: milliseconds({
    reload: 'live',
    default: d.publisherPauseMaxMs,
    min: 0,
    max: DAY_MS,
    description: 'Longest time a publisher is not read from for the sake of a slow consumer.',
  }),
  drainTimeoutMs: milliseconds({
    reload: 'live',
    default: d.drainTimeoutMs,
    min: 0,
    max: DAY_MS,
    description: 'Time clients get to take their last bytes when they are closed.',
  }),
});

export const sessionSection = section('Sessions that outlive their connection.', {
  expiryMaxSeconds: seconds({
    reload: 'live',
    default: d.sessionExpiryMaxSeconds,
    min: 0,
    max: SESSION_NEVER_EXPIRES,
    description: 'Longest session expiry granted; 4294967295 sets no bound.',
  }),
});

export const queueSection = section('Messages that wait for a client that is away or slow.', {
  messagesMax: count({
    reload: 'live',
    default: d.queueMessagesMax,
    min: 0,
    max: MANY,
    description: 'Messages waiting per session.',
  }),
  bytesMax: bytes({
    reload: 'live',
    default: d.queueBytesMax,
    min: 0,
    max: 1024 * GB,
    description: 'Bytes waiting per session.',
  }),
  totalBytesMax: bytes({
    reload: 'live',
    default: d.queuedBytesTotalMax,
    min: 0,
    max: 1024 * GB,
    description: 'Bytes waiting in all sessions together.',
  }),
  policy: choice({
    reload: 'live',
    of: ['drop-newest', 'drop-oldest'],
    default: d.queuePolicy,
    description: 'What goes when a queue is full; every drop is counted.',
  }),
  qos0: flag({
    reload: 'live',
    default: d.queueQoS0,
    description: 'Whether QoS 0 messages wait for a client that is away.',
  }),
});
