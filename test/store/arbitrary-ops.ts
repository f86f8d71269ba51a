// Random operations of every kind, with the extremes of each field.

import fc from 'fast-check';
import { type Op, OpKind } from '../../src/store/ops.ts';

const id = fc.oneof(fc.nat(300), fc.maxSafeNat());
const time = fc.oneof(
  fc.double({ min: 0, max: 1e15, noNaN: true }).map(value => value + 0),
  fc.constant(Number.POSITIVE_INFINITY),
);
const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.string({ minLength: 60, maxLength: 70 }),
  fc.constantFrom('', 'a'.repeat(64), 'ä'.repeat(64), 'x'.repeat(300), '\ufeffmark'),
);
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.constantFrom(253, 254, 5000).map(n => new Uint8Array(n).fill(7)),
);
const qos = fc.constantFrom(0 as const, 1 as const, 2 as const);
const packetId = fc.integer({ min: 0, max: 0xffff });
const hash = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const state = fc.constantFrom(0 as const, 1 as const, 2 as const, 3 as const);
/** Plain objects, so that they compare equal to what is read back. */
const plain = { noNullPrototype: true } as const;

const will = fc.record(
  {
    topic: text,
    payload: bytes,
    qos,
    retain: fc.boolean(),
    delaySeconds: fc.integer({ min: 0, max: 0xffff_ffff }),
    expirySeconds: fc.option(fc.integer({ min: 0, max: 0xffff_ffff })),
    properties: bytes,
  },
  plain,
);

const identity = fc.dictionary(text, text).map(value => JSON.stringify(value));

function of<Kind extends Op['kind']>(kind: Kind) {
  return fc.constant(kind);
}

const message = { topic: text, source: bytes, payloadStart: id, qos, expiresAt: time };

export const arbitraryOp: fc.Arbitrary<Op> = fc.oneof(
  fc.record(
    {
      kind: of(OpKind.SessionPut),
      sid: id,
      clientId: text,
      username: fc.option(text),
      peer: text,
      expirySeconds: fc.integer({ min: 0, max: 0xffff_ffff }),
      endsAt: time,
      willDueAt: time,
      connected: fc.boolean(),
      origin: fc.option(identity),
      grants: fc.option(identity),
      will: fc.option(will),
    },
    plain,
  ),
  fc.record({ kind: of(OpKind.SessionDrop), sid: id }, plain),
  fc.record(
    {
      kind: of(OpKind.SubscriptionPut),
      sid: id,
      filter: text,
      qos,
      noLocal: fc.boolean(),
      retainAsPublished: fc.boolean(),
      identifier: fc.nat(268_435_455),
    },
    plain,
  ),
  fc.record({ kind: of(OpKind.SubscriptionDrop), sid: id, filter: text }, plain),
  fc.record({ kind: of(OpKind.RetainedPut), ...message }, plain),
  fc.record({ kind: of(OpKind.RetainedDrop), topic: text }, plain),
  fc.record(
    { kind: of(OpKind.MessagePut), mid: id, ...message, retain: fc.boolean(), refs: id },
    plain,
  ),
  fc.record(
    {
      kind: of(OpKind.QueuePut),
      sid: id,
      rank: id,
      mid: id,
      qos,
      retain: fc.boolean(),
      identifiers: fc.option(fc.array(fc.nat(268_435_455), { minLength: 1, maxLength: 4 })),
      group: fc.option(text),
      state,
      packetId,
    },
    plain,
  ),
  fc.record({ kind: of(OpKind.QueueState), sid: id, rank: id, state, packetId }, plain),
  fc.record({ kind: of(OpKind.QueueDrop), sid: id, rank: id, mid: id, refs: id }, plain),
  fc.record({ kind: of(OpKind.ReceivedPut), sid: id, packetId, topicHash: fc.option(hash) }, plain),
  fc.record({ kind: of(OpKind.ReceivedDrop), sid: id, packetId }, plain),
);
