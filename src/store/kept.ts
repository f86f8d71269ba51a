// From rows to what the core restores: everything of one session brought together.

import type { Origin } from '../core/access.ts';
import type { KeptDelivery, KeptMessage, KeptSession } from '../core/restore.ts';
import type { StoreLog } from './log.ts';
import type { SubscriptionPut } from './ops.ts';
import type { InflightRow, Loaded, QueueSummary, StoredMessage, WindowRow } from './store.ts';

/** What a queued delivery costs besides its topic and its bytes; as Message.size counts. */
const DELIVERY_OVERHEAD = 64;

export function keptSessions(loaded: Loaded, log: StoreLog): KeptSession[] {
  const subscriptions = bySession<SubscriptionPut>(loaded.subscriptions);
  const inflight = bySession<InflightRow>(loaded.inflight);
  const received = bySession(loaded.received);
  const identities = new Identities();
  const queues = new Map<number, QueueSummary>();
  for (const queue of loaded.queues) queues.set(queue.sid, queue);
  return loaded.sessions.map(session => {
    const queue = queues.get(session.sid);
    const queued = queue?.queued ?? 0;
    return {
      ...session,
      origin: identities.origin(session.origin),
      grants: identities.grants(session.grants),
      will: session.will === null ? null : { ...session.will, payloadIsUtf8: false },
      subscriptions: subscriptions.get(session.sid) ?? [],
      waiting: queued,
      waitingBytes: (queue?.bytes ?? 0) + queued * DELIVERY_OVERHEAD,
      lastRank: queue?.lastRank ?? 0,
      inflight: (inflight.get(session.sid) ?? []).map(row => ({
        ...keptRow(row, log),
        state: row.state,
        packetId: row.packetId,
      })),
      received: received.get(session.sid) ?? [],
    };
  });
}

/** Reads who sessions act for; what many of them have in common stands once in memory. */
export class Identities {
  private readonly known = new Map<string, object>();

  origin(text: string | null): Origin | null {
    return this.grants(text) as Origin | null;
  }

  grants(text: string | null): object | null {
    if (text === null) return null;
    let value = this.known.get(text);
    if (value === undefined) {
      value = JSON.parse(text) as object;
      this.known.set(text, value);
    }
    return value;
  }
}

/** A window as the core takes it. */
export function keptRows(rows: readonly WindowRow[], log: StoreLog): KeptDelivery[] {
  return rows.map(row => keptRow(row, log));
}

/** A window's row as the core takes it: queued, with its message. */
export function keptRow(row: WindowRow, log: StoreLog): KeptDelivery {
  return {
    rank: row.rank,
    qos: row.qos,
    retain: row.retain,
    identifiers: row.identifiers,
    group: row.group,
    state: 0,
    packetId: 0,
    message: row.mid === 0 ? null : keptMessage(row),
    stored: log.adopt(row.mid, row.refs, log.classOf(row.topic)),
  };
}

function keptMessage(row: StoredMessage): KeptMessage {
  const { topic, source, payloadStart, messageQos, expiresAt } = row;
  return { topic, source, payloadStart, qos: messageQos, expiresAt };
}

function bySession<Row extends { readonly sid: number }>(rows: readonly Row[]): Map<number, Row[]> {
  const groups = new Map<number, Row[]>();
  for (const row of rows) {
    const group = groups.get(row.sid);
    if (group === undefined) groups.set(row.sid, [row]);
    else group.push(row);
  }
  return groups;
}
