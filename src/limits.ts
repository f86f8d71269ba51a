// Every bound in the program, with the relations between them asserted. A number here is a default
// or a hard ceiling; what an operator may change arrives through config/ as BrokerOptions.

export const KB = 1024;
export const MB = 1024 * KB;

export const limits = {
  /** Time a fresh connection has to complete CONNECT. */
  connectTimeoutMs: 10_000,
  /** Largest packet accepted from a client, bytes. */
  packetSizeMax: 2 * MB,
  /** Of a packet that takes its time: so many bytes more of it are a sign of life. */
  keepAliveStepBytes: 1_000,
  /** Largest CONNECT accepted from somebody who is not known yet, bytes. */
  connectSizeMax: 128 * KB,
  /** QoS 1 and 2 PUBLISH packets a client may have unacknowledged towards us. */
  receiveMaximum: 1_024,
  /** Messages in flight towards a client at once; an MQTT 5 client may ask for less. */
  inflightMax: 1_024,
  /** Topic aliases a client may define, and how many we define towards a client. */
  topicAliasMaximum: 32,
  topicAliasOutMax: 32,
  /** Levels of a topic name or filter. */
  topicLevelsMax: 128,
  /** Messages and bytes waiting per session for in-flight room or for the client. */
  queueMessagesMax: 10_000,
  queueBytesMax: 16 * MB,
  /** Bytes waiting in one connection's output; past it QoS 0 is dropped and counted. */
  outputBytesMax: 8 * MB,
  /** Output from which on queued messages wait in the session and publishers are slowed. */
  outputHighWater: 1 * MB,
  /** Output from which on it is written before the turn ends: while it is still in the processor's
   *  cache, and its buffer can be the next one's. A system call costs little per byte by then. */
  outputUrgent: 32 * KB,
  /** Output to which QoS 0 messages are dropped while memory is short. */
  outputScarce: 128 * KB,
  /** Longest time a publisher is not read from on behalf of one slow consumer. */
  publisherPauseMaxMs: 2_000,
  /** A consumer of QoS 0 messages that takes nothing for so long holds nobody up any more. */
  stallMs: 200,
  /** Rates: what may come at once after a while without any, and pauses of publishers that are too
   *  fast: the shortest worth its trouble, the longest before they are disconnected. */
  rateBurstMs: 1_000,
  ratePauseMinMs: 100,
  ratePauseMaxMs: 10_000,
  /** Client ids and addresses remembered for the rate at which they connect, each. */
  trackedNamesMax: 16_384,
  /** Clients that connect too often: the time their connects are counted in, and that of a ban. */
  flapWindowMs: 60_000,
  flapBanMs: 300_000,
  /** Shares of the memory target from which on, in this order: QoS 0 messages to slow clients are
   *  dropped; new retained messages are refused; messages to clients that are away are dropped if
   *  they cannot wait on disk; new clients are turned away and nothing more waits for anybody. A
   *  step ends when less than so much of it is in use. */
  memorySteps: [0.7, 0.8, 0.9, 1],
  memoryRelief: 0.95,
  connectionsMax: 1_000_000,
  /** Sockets: connections that wait to be accepted, transports let in per second, silence before
   *  the system asks, time what was sent may stay unacknowledged or untaken (devices on cellular
   *  networks sleep for a while). */
  backlog: 4_096,
  acceptsPerSecond: 5_000,
  tcpKeepAliveSeconds: 60,
  tcpUserTimeoutMs: 120_000,
  /** TLS, WebSocket and their like: bytes handed to one transport that have not left, connections
   *  that are not through their handshakes, the head of a WebSocket request, time a peer that
   *  leaves has to take its last answers. */
  doorWindowBytes: 128 * KB,
  arrivalsMax: 1_024,
  upgradeBytesMax: 8 * KB,
  doorFarewellMs: 2_000,
  sessionsMax: 1_000_000,
  subscriptionsPerSessionMax: 10_000,
  retainedMessagesMax: 1_000_000,
  retainedBytesMax: 1024 * MB,
  /** Messages waiting in all session queues together, bytes. */
  queuedBytesTotalMax: 1024 * MB,
  /** Filters in one SUBSCRIBE or UNSUBSCRIBE; the packet size bounds them as well. */
  filtersPerPacketMax: 10_000,
  /** Topics whose routes are remembered; the table is emptied when it is full. */
  routeCacheMax: 16_384,
  /** Retained topics that are looked at for the new subscriptions of one client per turn, and for
   *  those of all together: 0.1 to 1 µs each, five times that on small machines. */
  retainedPerTurn: 128,
  retainedPerTurnMax: 1_024,
  sysIntervalMs: 10_000,
  /** Time clients get to take their last bytes at shutdown or before a forced close. */
  drainTimeoutMs: 2_000,
  /** So many bytes are a burst, and less than so many in so long its end: then memory is given back
   *  to the system. A client that comes or goes counts for so many, as does a subscription: for the
   *  garbage it leaves behind. With more clients than these that would hold them up for more than
   *  about 10 ms (15 on Node). */
  burstBytes: 64 * MB,
  lullBytes: 4 * MB,
  lullMs: 5_000,
  changeBytes: 16 * KB,
  lullClientsMax: 12_000,
  /** The control socket: connections at once, one request, time without a word. */
  controlConnectionsMax: 16,
  controlLineBytesMax: 256 * KB,
  controlIdleMs: 60_000,
  /** The store: its pages, its page cache, the log from which on it is written back to the
   *  database, databases moved aside as damaged that are kept. */
  storePageBytes: 4 * KB,
  storeCacheBytes: 2 * MB,
  storeWalBytes: 4 * MB,
  storeBadKept: 3,
} as const;

function relation(holds: boolean, what: string): void {
  if (!holds) throw new Error(`limits.ts contradicts itself: ${what}`);
}
relation(limits.connectSizeMax <= limits.packetSizeMax, 'CONNECT may not exceed the packet size');
relation(limits.outputHighWater < limits.outputBytesMax, 'high water lies below the output bound');
relation(limits.receiveMaximum <= 65_535, 'receive maximum is a two-byte integer');
relation(limits.inflightMax <= 65_535, 'packet identifiers are two-byte integers');
relation(limits.queueBytesMax <= limits.queuedBytesTotalMax, 'one queue fits into all queues');
relation(limits.ratePauseMinMs < limits.ratePauseMaxMs, 'a pause may be as long as it has to be');
