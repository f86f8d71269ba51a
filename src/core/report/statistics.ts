// The broker's figures by name, for $SYS and for `minnow ctl stats`. Names follow mosquitto's $SYS
// tree where it has one for the thing.

import { memoryBytes } from '../limits/memory.ts';
import type { State } from '../state.ts';

export type Statistics = Record<string, number | string>;

export function statistics(b: State, now: number): Statistics {
  const c = b.counters;
  return {
    version: b.options.version,
    uptime: Math.floor((now - b.startedAt) / 1000),
    'clients/total': b.sessions.size,
    'clients/connected': b.clientCount,
    'clients/disconnected': b.sessions.size - b.clientCount,
    'clients/maximum': c.clientsMaximum,
    'clients/expired': c.sessionsExpired,
    'clients/dropped': c.sessionsDropped,
    'clients/refused': c.connectsRefused,
    'connections/count': b.connectionCount,
    'subscriptions/count': b.router.subscriptionCount,
    'shared_subscriptions/count': b.router.groupCount,
    'retained messages/count': b.retained.count,
    'retained messages/bytes': b.retained.bytes,
    'store/messages/bytes': b.queuedBytes,
    'messages/received': c.packetsReceived,
    'messages/sent': c.packetsSent,
    'bytes/received': c.bytesReceived,
    'bytes/sent': c.bytesSent,
    'publish/messages/received': c.publishReceived,
    'publish/messages/sent': c.publishSent,
    'publish/messages/dropped': c.dropped,
    'publish/bytes/received': c.publishBytesReceived,
    'publish/bytes/sent': c.publishBytesSent,
    'dropped/slow consumer': c.droppedSlowConsumer,
    'dropped/offline': c.droppedOffline,
    'dropped/queue full': c.droppedQueueFull,
    'dropped/expired': c.droppedExpired,
    'dropped/too large': c.droppedTooLarge,
    'dropped/not authorized': c.droppedNotAuthorized,
    'dropped/payload format': c.droppedPayloadFormat,
    'dropped/retained full': c.droppedRetainedFull,
    'dropped/store failing': c.droppedStoreFailing,
    'dropped/memory target/retained': c.droppedMemoryRetained,
    'dropped/memory target/queued': c.droppedMemoryQueued,
    'rejected by clients': c.rejectedByClient,
    'refused/rate': c.refusedRate,
    'refused/banned': c.refusedBanned,
    'refused/quota': c.refusedQuota,
    'refused/memory target': c.refusedMemory,
    'refused/takeover': c.refusedTakeover,
    bans: c.bans,
    'publishers paused': c.publishersPaused,
    'publishers slowed': c.publishersSlowed,
    'publishers disconnected': c.disconnectedRate,
    'memory/bytes': memoryBytes(b),
    'memory/pressure': b.guard.memory?.pressure ?? 0,
    'protocol errors': c.protocolErrors,
    ...b.journal.figures(),
  };
}
