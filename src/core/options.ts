// What an operator can change about the core, as one frozen value. config/ derives it from the
// schema; tests build it from the defaults. Times in ms or s, sizes in bytes, as the names say.

import { limits } from '../limits.ts';
import { SESSION_NEVER_EXPIRES } from '../mqtt/packet.ts';

export type QueuePolicy = 'drop-newest' | 'drop-oldest';

/** Who may take over the connection and the session of a client id that belongs to a named user. */
export type Takeover = 'same-user' | 'anyone';

export interface BrokerOptions {
  /** Shown in $SYS/broker/version. */
  readonly version: string;
  readonly connectTimeoutMs: number;
  /** Upper bound on the keep alive a client may choose, seconds; MQTT 5 clients are told (server
   *  keep alive), 3.x clients are held to it silently. 0 leaves the choice to the client. */
  readonly keepAliveMaxSeconds: number;
  /** Upper bound on session expiry, seconds; 0xFFFFFFFF is no bound. */
  readonly sessionExpiryMaxSeconds: number;
  /** 'same-user' makes sense where the authenticator takes no name for granted. */
  readonly takeover: Takeover;
  readonly packetSizeMax: number;
  readonly receiveMaximum: number;
  readonly inflightMax: number;
  readonly topicAliasMaximum: number;
  readonly topicAliasOutMax: number;
  readonly topicLevelsMax: number;
  readonly queueMessagesMax: number;
  readonly queueBytesMax: number;
  readonly queuedBytesTotalMax: number;
  readonly queuePolicy: QueuePolicy;
  /** Whether QoS 0 messages are queued for an offline persistent session. */
  readonly queueQoS0: boolean;
  readonly outputBytesMax: number;
  readonly outputHighWater: number;
  readonly publisherPauseMaxMs: number;
  readonly connectionsMax: number;
  readonly sessionsMax: number;
  readonly subscriptionsPerSessionMax: number;
  readonly retainedMessagesMax: number;
  readonly retainedBytesMax: number;
  /** Levels of a filter that are wildcards; 0: as many as it has. */
  readonly filterWildcardsMax: number;
  /** How fast one client, all of one user, all by one listener may publish; 0: as fast as they
   *  can. */
  readonly clientMessagesPerSecond: number;
  readonly clientBytesPerSecond: number;
  readonly userMessagesPerSecond: number;
  readonly userBytesPerSecond: number;
  readonly listenerMessagesPerSecond: number;
  readonly listenerBytesPerSecond: number;
  /** Who would have to wait longer than this is far too fast and has to go. */
  readonly ratePauseMaxMs: number;
  /** Who is at its own bound for longer than this without a rest has to go; 0: nobody. */
  readonly rateSlowedMaxMs: number;
  /** How often clients may connect, by one listener and from one address; 0: at any rate. */
  readonly listenerConnectsPerSecond: number;
  readonly addressConnectsPerSecond: number;
  /** What the clients of one user may have together; 0: as much as they like. */
  readonly connectionsPerUserMax: number;
  readonly sessionsPerUserMax: number;
  /** Connects within a window of time, of one client id and from one address, before a ban; 0: as
   *  many as they like. */
  readonly flapsPerClientMax: number;
  readonly flapsPerAddressMax: number;
  readonly flapWindowMs: number;
  readonly flapBanMs: number;
  /** What queues, outputs and retained messages should take together; 0: no bound but theirs. */
  readonly memoryTargetBytes: number;
  /** Capabilities announced in CONNACK and enforced. */
  readonly maximumQoS: 0 | 1 | 2;
  readonly retainAvailable: boolean;
  readonly wildcardSubscriptionAvailable: boolean;
  readonly sharedSubscriptionAvailable: boolean;
  readonly subscriptionIdentifierAvailable: boolean;
  /** Check payloads whose format indicator claims UTF-8. */
  readonly checkPayloadFormat: boolean;
  /** Whether an empty client id is given one [MQTT-3.1.3-6]. */
  readonly assignClientIds: boolean;
  /** Methods of enhanced authentication that the authenticator knows; others get 0x8C. */
  readonly authMethods: readonly string[];
  /** Given to clients that ask for response information; empty for none. */
  readonly responseInformation: string;
  /** How often $SYS is published; 0 turns it off. */
  readonly sysIntervalMs: number;
  readonly drainTimeoutMs: number;
}

export const defaultOptions: BrokerOptions = Object.freeze({
  version: 'minnow 0.1.0',
  connectTimeoutMs: limits.connectTimeoutMs,
  keepAliveMaxSeconds: 0,
  sessionExpiryMaxSeconds: SESSION_NEVER_EXPIRES,
  takeover: 'anyone',
  packetSizeMax: limits.packetSizeMax,
  receiveMaximum: limits.receiveMaximum,
  inflightMax: limits.inflightMax,
  topicAliasMaximum: limits.topicAliasMaximum,
  topicAliasOutMax: limits.topicAliasOutMax,
  topicLevelsMax: limits.topicLevelsMax,
  queueMessagesMax: limits.queueMessagesMax,
  queueBytesMax: limits.queueBytesMax,
  queuedBytesTotalMax: limits.queuedBytesTotalMax,
  queuePolicy: 'drop-newest',
  queueQoS0: false,
  outputBytesMax: limits.outputBytesMax,
  outputHighWater: limits.outputHighWater,
  publisherPauseMaxMs: limits.publisherPauseMaxMs,
  connectionsMax: limits.connectionsMax,
  sessionsMax: limits.sessionsMax,
  subscriptionsPerSessionMax: limits.subscriptionsPerSessionMax,
  retainedMessagesMax: limits.retainedMessagesMax,
  retainedBytesMax: limits.retainedBytesMax,
  filterWildcardsMax: 0,
  clientMessagesPerSecond: 0,
  clientBytesPerSecond: 0,
  userMessagesPerSecond: 0,
  userBytesPerSecond: 0,
  listenerMessagesPerSecond: 0,
  listenerBytesPerSecond: 0,
  ratePauseMaxMs: limits.ratePauseMaxMs,
  rateSlowedMaxMs: 0,
  listenerConnectsPerSecond: 0,
  addressConnectsPerSecond: 0,
  connectionsPerUserMax: 0,
  sessionsPerUserMax: 0,
  flapsPerClientMax: 0,
  flapsPerAddressMax: 0,
  flapWindowMs: limits.flapWindowMs,
  flapBanMs: limits.flapBanMs,
  memoryTargetBytes: 0,
  maximumQoS: 2,
  retainAvailable: true,
  wildcardSubscriptionAvailable: true,
  sharedSubscriptionAvailable: true,
  subscriptionIdentifierAvailable: true,
  checkPayloadFormat: true,
  assignClientIds: true,
  authMethods: Object.freeze([]),
  responseInformation: '',
  sysIntervalMs: limits.sysIntervalMs,
  drainTimeoutMs: limits.drainTimeoutMs,
});
