// What recipients answer: PUBACK, PUBREC and PUBCOMP to the messages we sent them. The states of an
// outgoing message stand in session/outbox.ts. PUBREL, which senders say to us, is in publish.ts.

import { PacketType } from '../../mqtt/packet.ts';
import { Reason } from '../../mqtt/reason.ts';
import { finish, progress, sendAck } from '../deliver.ts';
import type { Connection } from '../session/connection.ts';
import { DeliveryState } from '../session/outbox.ts';
import type { State } from '../state.ts';
import { holdOutput } from '../transport.ts';

const PUBREL = (PacketType.PUBREL << 4) | 2;

/** PUBACK: the end of a QoS 1 delivery. An error discards the message [MQTT-4.8.2-6]. */
export function onPuback(b: State, c: Connection, id: number, reason: number, now: number): number {
  const outbox = c.session!.outbox;
  const d = outbox === null ? null : outbox.find(id);
  if (d === null) return 0; // an answer to what a lost session sent: harmless
  if (d.state !== DeliveryState.AwaitPuback) return Reason.ProtocolError;
  if (reason >= 0x80) b.counters.rejectedByClient++;
  finish(b, c.session!, outbox!, d);
  progress(b, c.session!, now);
  return 0;
}

export function onPubrec(b: State, c: Connection, id: number, reason: number, now: number): number {
  const outbox = c.session!.outbox;
  const d = outbox === null ? null : outbox.find(id);
  if (d !== null && d.state === DeliveryState.AwaitPuback) return Reason.ProtocolError;
  if (d === null) {
    if (reason < 0x80) sendAck(b, c, PUBREL, id, Reason.PacketIdNotFound);
    return 0;
  }
  if (reason >= 0x80) {
    if (d.state !== DeliveryState.AwaitPubrec) return Reason.ProtocolError;
    b.counters.rejectedByClient++;
    finish(b, c.session!, outbox!, d);
    progress(b, c.session!, now);
    return 0;
  }
  if (d.holds) d.message.letGo(b);
  if (d.rank > 0) {
    const { durability } = d.message;
    outbox!.release(d);
    b.journal.moved(c.session!, d);
    // Were PUBREL sent and this forgotten, the message would be sent and taken once more.
    holdOutput(b, c, durability);
  } else {
    outbox!.release(d);
  }
  sendAck(b, c, PUBREL, id, 0); // [MQTT-4.3.3-3]
  return 0;
}

export function onPubcomp(b: State, c: Connection, id: number, now: number): number {
  const outbox = c.session!.outbox;
  const d = outbox === null ? null : outbox.find(id);
  if (d === null) return 0;
  if (d.state !== DeliveryState.AwaitPubcomp) return Reason.ProtocolError;
  finish(b, c.session!, outbox!, d);
  progress(b, c.session!, now);
  return 0;
}
