// What is read at the start, record by record: from the database, or from the thread that reads it,
// into one `Loaded`.

import type { SubscriptionPut } from './ops.ts';
import { OpKind, type ReceivedPut, type RetainedPut, type SessionPut } from './ops.ts';
import type { InflightRow, Loaded, QueueSummary } from './store.ts';

/** Beside those of OpKind. */
export const LoadedKind = { Queue: 64, Inflight: 65 } as const;

export type LoadedRecord =
  | SessionPut
  | SubscriptionPut
  | RetainedPut
  | ReceivedPut
  | { readonly kind: typeof LoadedKind.Queue; readonly queue: QueueSummary }
  | { readonly kind: typeof LoadedKind.Inflight; readonly inflight: InflightRow };

/** What belongs to no record. */
export type LoadedTotals = Pick<Loaded, 'maxSid' | 'maxMid' | 'clock' | 'skippedRows'>;

export interface LoadSink {
  take(record: LoadedRecord): void;
  /** What was taken so far comes from a database that turned out to be damaged: forget it. */
  reset(): void;
}

export class LoadCollector implements LoadSink {
  private sessions: SessionPut[] = [];
  private subscriptions: SubscriptionPut[] = [];
  private retained: RetainedPut[] = [];
  private received: ReceivedPut[] = [];
  private queues: QueueSummary[] = [];
  private inflight: InflightRow[] = [];

  take(record: LoadedRecord): void {
    switch (record.kind) {
      case OpKind.SessionPut:
        this.sessions.push(record);
        break;
      case OpKind.SubscriptionPut:
        this.subscriptions.push(record);
        break;
      case OpKind.RetainedPut:
        this.retained.push(record);
        break;
      case OpKind.ReceivedPut:
        this.received.push(record);
        break;
      case LoadedKind.Queue:
        this.queues.push(record.queue);
        break;
      case LoadedKind.Inflight:
        this.inflight.push(record.inflight);
        break;
    }
  }

  reset(): void {
    this.sessions = [];
    this.subscriptions = [];
    this.retained = [];
    this.received = [];
    this.queues = [];
    this.inflight = [];
  }

  finish(totals: LoadedTotals): Loaded {
    const { sessions, subscriptions, retained, received, queues, inflight } = this;
    return { sessions, subscriptions, retained, received, queues, inflight, ...totals };
  }
}
