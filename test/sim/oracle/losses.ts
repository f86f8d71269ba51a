// What the broker may lose, and must count when it does: QoS 0 that its client does not take,
// and QoS 1 and 2 beyond the bound of a queue. Everything else that is owed has to arrive.

import type { BrokerOptions } from '../../../src/core/options.ts';
import type { Counters } from '../../../src/core/report/counters.ts';
import type { BrokerModel } from './broker-model.ts';
import type { ConnectionModel } from './connection.ts';
import { demand, nameOf, type Owed, type OwedToShare } from './message.ts';
import type { SessionModel } from './session.ts';
import { sizeOf } from './wire-terms.ts';

type ConnectionOf = (session: SessionModel) => ConnectionModel | null;

export class Losses {
  readonly #model: BrokerModel;
  readonly #options: BrokerOptions;
  readonly #counters: Counters;
  /** Whether the world keeps to what makes each drop at the bound of a queue predictable. */
  readonly #exact: boolean;
  /** QoS 0 that a connected client did not get: for certain, and perhaps. */
  #slow = 0;
  #slowMaybe = 0;
  /** Copies that were excused at last: the broker may have counted them as dropped. */
  #excused = 0;

  constructor(model: BrokerModel, options: BrokerOptions, counters: Counters, exact: boolean) {
    this.#model = model;
    this.#options = options;
    this.#counters = counters;
    this.#exact = exact;
  }

  /** After each input: what did not leave at once and cannot leave later is lost. */
  settle(connectionOf: ConnectionOf): void {
    for (const { session, owed } of this.#model.atOnce.splice(0)) {
      if (session === null) this.#settleShare(owed as OwedToShare);
      else this.#settleQoS0(session, owed as Owed, connectionOf(session));
    }
    const counted = this.#counters.droppedSlowConsumer;
    const least = this.#slow;
    const most = least + this.#slowMaybe;
    if (this.#options.sysIntervalMs === 0) {
      demand(
        least <= counted && counted <= most,
        () => `QoS 0 lost on slow consumers: counted ${counted}, happened ${least} to ${most}`,
      );
    }
    if (this.#exact) this.#settleQueues();
  }

  /** The same for one session whose connection is about to end. */
  settleBeforeGoodbye(session: SessionModel, c: ConnectionModel): void {
    for (const { session: whose, owed } of this.#model.atOnce) {
      if (whose === session) this.#settleQoS0(session, owed as Owed, c);
    }
  }

  #settleQoS0(session: SessionModel, owed: Owed, c: ConnectionModel | null): void {
    if (!session.owed.has(owed)) return;
    if (this.#options.queueQoS0) this.#slowMaybe++;
    if (this.#options.queueQoS0 || c === null) return;
    session.owed.delete(owed);
    // Too large for its client, and so dropped for one reason or the other.
    if (this.#tooLarge(owed, c)) this.#slowMaybe++;
    else this.#slow++;
  }

  #settleShare(owed: OwedToShare): void {
    if (!this.#model.owedToShares.has(owed)) return;
    owed.excuse ??= 'it may have been meant for a slow member with QoS 0';
    this.#slowMaybe++;
  }

  #settleQueues(): void {
    for (const session of this.#model.sessions.values()) this.#model.trimQueue(session);
    const counted = this.#counters.droppedQueueFull;
    const happened = this.#model.queueFull;
    demand(counted === happened, () => `queue overflows: counted ${counted}, happened ${happened}`);
  }

  /** Copies in `session` may turn out too large for the limit of its new connection. */
  #tooLarge(owed: Owed, c: ConnectionModel): boolean {
    const { publication, terms } = owed;
    return sizeOf(publication, terms, c.version, c.aliasMax > 0) > c.packetSizeMax;
  }

  /** The client has taken all of its output: whatever it has room for must have been in it. */
  checkIdle(c: ConnectionModel, session: SessionModel, now: number): void {
    if (session.unacknowledged >= c.receiveMaximum) return;
    const resend = session.resendPublish.find(each => !each.mayVanish) ?? session.resendPubrel[0];
    demand(!resend, () => `${session.clientId}: packet id ${resend?.packetId} is not sent again`);
    for (const vanished of session.resendPublish.splice(0)) session.finish(vanished);
    session.underway.clear();
    for (const owed of session.owed) {
      if (owed.publication.expiresAt <= now || owed.excuse !== null || this.#tooLarge(owed, c)) {
        session.owed.delete(owed);
        if (owed.terms.qos > 0) this.#excused++;
      } else if (this.#exact || this.#counters.droppedQueueFull === 0) {
        const name = nameOf(owed.publication.topic, owed.publication.payload);
        demand(false, () => `${session.clientId} has room but never got ${JSON.stringify(name)}`);
      }
    }
  }

  /** At the end, with everybody connected and idle. */
  finish(now: number): void {
    const missing: string[] = [];
    for (const session of this.#model.sessions.values()) {
      for (const { publication, excuse } of session.owed) {
        const name = nameOf(publication.topic, publication.payload);
        if (session.online && excuse === null && publication.expiresAt > now) {
          missing.push(`${session.clientId}: ${JSON.stringify(name)}`);
        } else {
          this.#excused++;
        }
      }
      const [left] = session.inFlight.keys();
      demand(
        left === undefined || !session.online,
        () => `${session.clientId}: packet id ${left} stays in flight`,
      );
    }
    for (const owed of this.#model.owedToShares) {
      const { publication, share, excuse } = owed;
      const name = nameOf(publication.topic, publication.payload);
      const excused = excuse !== null || this.#tooLargeForSome(owed);
      if (excused || publication.expiresAt <= now) this.#excused++;
      else missing.push(`${share}: ${JSON.stringify(name)}`);
    }
    if (!this.#exact) this.#checkQueueFull(missing);
    this.#checkOffline();
  }

  #tooLargeForSome({ publication, members }: OwedToShare): boolean {
    return [...members].some(([clientId, [terms]]) => {
      const most = this.#model.sessions.get(clientId)?.packetSizeMax ?? 0;
      return sizeOf(publication, terms!, 5, true) > most;
    });
  }

  #checkQueueFull(missing: readonly string[]): void {
    const counted = this.#counters.droppedQueueFull;
    const least = missing.length;
    const most = least + this.#excused + this.#model.lostWithSession;
    demand(
      least <= counted && counted <= most,
      () => `lost: counted ${counted}, happened ${least} to ${most}; ${missing.slice(0, 5)}`,
    );
  }

  #checkOffline(): void {
    if (this.#options.sysIntervalMs > 0) return;
    const counted = this.#counters.droppedOffline;
    const least = this.#model.droppedOffline;
    const most = least + this.#model.droppedOfflineMaybe;
    demand(
      least <= counted && counted <= most,
      () => `QoS 0 for offline clients: counted ${counted}, happened ${least} to ${most}`,
    );
  }
}
