// What an ended session leaves behind. Messages it got through a share go to another member; those
// that wait on disk only are read back first, while the session lives on in the store under a name
// that no client can have, so that a crash in between loses none of them.

import { deliver } from './deliver.ts';
import { type Delivery, DeliveryState } from './session/outbox.ts';
import type { Session } from './session/session.ts';
import type { State } from './state.ts';

/** Passes on what must be, forgets the rest. The session is nobody's any more. */
export function divideEstate(b: State, session: Session, now: number): void {
  const outbox = session.outbox;
  session.outbox = null;
  const away = session.away!; // nobody has it, or it would not end
  away.estate = session.stored && outbox !== null && outbox.spilled > 0 && outbox.spilledShares;
  if (outbox !== null) {
    b.queuedBytes -= outbox.queuedBytes;
    for (const d of outbox.takeAll()) {
      if (d.holds) d.message.letGo(b);
      passOn(b, session, d, now);
    }
  }
  if (!session.stored) return;
  if (!away.estate) {
    b.journal.sessionEnded(session);
  } else {
    b.journal.sessionLeft(session);
    if (!outbox!.windowAsked) b.journal.wantWindow(session, outbox!.loadedRank);
  }
}

/** More of an estate came from the disk; nothing more is the end of it. */
export function settleEstate(
  b: State,
  session: Session,
  deliveries: readonly Delivery[],
  now: number,
): void {
  const last = deliveries.at(-1);
  if (last === undefined) {
    session.away!.estate = false;
    b.journal.sessionEnded(session);
    return;
  }
  for (const d of deliveries) passOn(b, session, d, now);
  b.journal.wantWindow(session, last.rank);
}

/** A QoS 2 message that was sent stays where it was [MQTT-4.8.2-4, MQTT-4.8.2-5]. */
function passOn(b: State, session: Session, d: Delivery, now: number): void {
  if (d.group !== null && d.message.expiresAt > now) {
    const sent = d.qos === 2 && d.state !== DeliveryState.Queued;
    const member = sent ? null : d.group.pick(session, b.access, d.message.topic);
    if (member !== null) deliver(b, member, d.message, false, now);
  }
  if (session.away!.estate && d.rank > 0) b.journal.finished(session, d);
}
