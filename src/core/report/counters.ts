// What the broker counts about itself since it started. Plain numbers, raised in place; $SYS and
// `minnow ctl stats` read them.

export class Counters {
  bytesReceived = 0;
  bytesSent = 0;
  packetsReceived = 0;
  packetsSent = 0;
  /** PUBLISH packets. */
  publishReceived = 0;
  publishSent = 0;
  publishBytesReceived = 0;
  publishBytesSent = 0;
  connectsReceived = 0;
  connectsRefused = 0;
  connectionsOpened = 0;
  clientsMaximum = 0;
  sessionsExpired = 0;
  /** Ended because the store was over its bound. */
  sessionsDropped = 0;
  /** QoS 0 for a client that does not take what waits for it. */
  droppedSlowConsumer = 0;
  /** QoS 0 for a client that is not connected. */
  droppedOffline = 0;
  /** QoS 1 and 2 beyond the bound of a session's queue. */
  droppedQueueFull = 0;
  droppedExpired = 0;
  /** Larger than the recipient's maximum packet size [MQTT-3.1.2-25]. */
  droppedTooLarge = 0;
  /** Published by somebody who was not allowed to. */
  droppedNotAuthorized = 0;
  /** Said to be UTF-8, and was not. */
  droppedPayloadFormat = 0;
  /** Retained messages beyond the bound of the store. */
  droppedRetainedFull = 0;
  /** Answered with an error by the recipient. */
  rejectedByClient = 0;
  /** Refused because the store could not keep it. */
  droppedStoreFailing = 0;
  /** The memory target: retained messages, and those that would have had to wait. */
  droppedMemoryRetained = 0;
  droppedMemoryQueued = 0;
  publishersPaused = 0;
  /** Publishers that were too fast and had to wait, and those that were far too fast. */
  publishersSlowed = 0;
  disconnectedRate = 0;
  /** Connects refused: too many at once, banned, too many of a user, no memory. */
  refusedRate = 0;
  refusedBanned = 0;
  refusedQuota = 0;
  refusedMemory = 0;
  /** Connects refused: the client id belongs to another user. */
  refusedTakeover = 0;
  /** Bans of clients and addresses that connected too often. */
  bans = 0;
  protocolErrors = 0;

  /** Everything dropped, whatever the reason. */
  get dropped(): number {
    return (
      this.droppedSlowConsumer +
      this.droppedOffline +
      this.droppedQueueFull +
      this.droppedExpired +
      this.droppedTooLarge +
      this.droppedNotAuthorized +
      this.droppedPayloadFormat +
      this.droppedRetainedFull +
      this.droppedMemoryRetained +
      this.droppedMemoryQueued +
      this.droppedStoreFailing
    );
  }
}
