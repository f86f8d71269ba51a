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
  filterWildcardsMax: count({
    reload: 'live',
    default: d.filterWildcardsMax,
    min: 0,
    max: 65_535,
    description: 'Levels of a filter that may be wildcards; 0 sets no bound.',
  }),
  clientMessagesPerSecond: count({
    reload: 'live',
    default: d.clientMessagesPerSecond,
    min: 0,
    max: MANY,
    description:
      'Messages a client may publish per second, after a second of them at once. A client that ' +
      'is faster is not read from for as long as that takes to even out. 0 sets no bound.',
  }),
  clientBytesPerSecond: bytes({
    reload: 'live',
    default: d.clientBytesPerSecond,
    min: 0,
    max: 1024 * GB,
    description: 'The same in bytes: of topic, properties and payload.',
  }),
  userMessagesPerSecond: count({
    reload: 'live',
    default: d.userMessagesPerSecond,
    min: 0,
    max: MANY,
    description:
      'The same for all clients of one user together; not for clients without a user name.',
  }),
  userBytesPerSecond: bytes({
    reload: 'live',
    default: d.userBytesPerSecond,
    min: 0,
    max: 1024 * GB,
    description: 'The same in bytes.',
  }),
  listenerMessagesPerSecond: count({
    reload: 'live',
    default: d.listenerMessagesPerSecond,
    min: 0,
    max: MANY,
    description:
      'The same for all clients of one listener together. IPv4 and IPv6 of one table count as two.',
  }),
  listenerBytesPerSecond: bytes({
    reload: 'live',
    default: d.listenerBytesPerSecond,
    min: 0,
    max: 1024 * GB,
    description: 'The same in bytes.',
  }),
  ratePauseMaxMs: milliseconds({
    reload: 'live',
    default: d.ratePauseMaxMs,
    min: 100,
    max: DAY_MS,
    description:
      'Longest time a publisher is not read from because of these rates. A client that would ' +
      'have to wait longer, for a message that is far too large or behind too many others, is ' +
      'disconnected (0x96).',
  }),
  rateSlowedMaxMs: milliseconds({
    reload: 'live',
    default: d.rateSlowedMaxMs,
    min: 0,
    max: 365 * DAY_MS,
    description:
      'Longest time a client may be slowed by its own rate or that of its user without a rest of ' +
      'about half a second; then it is disconnected (0x96). 0 sets no bound: a client that ' +
      'catches up after weeks without a network looks like a flood, and costs no more than its ' +
      'rate.',
  }),
  listenerConnectsPerSecond: count({
    reload: 'live',
    default: d.listenerConnectsPerSecond,
    min: 0,
    max: MANY,
    description:
      'Clients that may connect per second by one listener, after a second of them at once; ' +
      'further ones are refused (0x9F). 0 sets no bound.',
  }),
  addressConnectsPerSecond: count({
    reload: 'live',
    default: d.addressConnectsPerSecond,
    min: 0,
    max: MANY,
    description: 'The same from one address; of IPv6 addresses the first half counts.',
  }),
  connectionsPerUserMax: count({
    reload: 'live',
    default: d.connectionsPerUserMax,
    min: 0,
    max: MANY,
    description:
      'Connections of one user at once; further ones are refused (0x97). 0 sets no bound.',
  }),
  sessionsPerUserMax: count({
    reload: 'live',
    default: d.sessionsPerUserMax,
    min: 0,
    max: MANY,
    description: 'Sessions of one user, connected or not; 0 sets no bound.',
  }),
  flapsPerClientMax: count({
    reload: 'live',
    default: d.flapsPerClientMax,
    min: 0,
    max: MANY,
    description:
      'How often a client id may connect within `flapWindowMs`. One that does so more often is ' +
      'banned (0x8A) for `flapBanMs`. Counted once its password is known. 0 sets no bound.',
  }),
  flapsPerAddressMax: count({
    reload: 'live',
    default: d.flapsPerAddressMax,
    min: 0,
    max: MANY,
    description:
      'The same for an address, whether or not its clients are let in. Mind that many clients ' +
      'may share one. 0 sets no bound.',
  }),
  flapWindowMs: milliseconds({
    reload: 'live',
    default: d.flapWindowMs,
    min: 1_000,
    max: DAY_MS,
    description: 'The time in which connects are counted for this.',
  }),
  flapBanMs: milliseconds({
    reload: 'live',
    default: d.flapBanMs,
    min: 1_000,
    max: 365 * DAY_MS,
    description: 'How long a ban lasts; it is forgotten at a restart.',
  }),
  memoryTargetBytes: bytes({
    reload: 'live',
    default: d.memoryTargetBytes,
    min: 0,
    max: 1024 * GB,
    description:
      'Bytes that queues in memory, messages in flight, output, packets that are not whole and ' +
      'retained messages should take together; 0 sets no bound but theirs. As it fills up work ' +
      'is refused in this order: from 70 % on QoS 0 messages to clients with more than 128 kB ' +
      'of output waiting are dropped; from 80 % on new retained messages are refused (0x97) ' +
      'unless they take no more room than what they replace; from 90 % on messages to clients ' +
      'that are away are dropped, or wait on disk only where the store keeps them; at 100 % ' +
      'clients without a session are turned away (0x97, or 0x89 if theirs would end with the ' +
      'connection) and nothing more waits in memory for anybody.',
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
  takeover: choice({
    reload: 'live',
    of: ['same-user', 'anyone'],
    default: 'same-user',
    description:
      'Who may take over the connection and the session of a client id that a user with a name ' +
      'has. `same-user`: only that user; others are refused (0x85) until the session has ended. ' +
      '`anyone`: whoever is let in, as with other brokers, for devices whose user names change. ' +
      'Where everybody is let in under any name, and no listener proves names, anyone may.',
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
