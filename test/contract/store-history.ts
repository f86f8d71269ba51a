// Random histories of operations that make sense, as the core would tell them: sessions come and
// go, messages are queued for several of them, deliveries move on and end.

import { type Op, OpKind, type QueuePut, type QueueStateValue } from '../../src/store/ops.ts';
import type { Prng } from '../prng.ts';
import { StoreModel } from './store-model.ts';

const NEVER = Number.POSITIVE_INFINITY;
const texts = ['', 'a', 'ä/€/😀', '\ufeffmark', "it's", 'x'.repeat(300)];

export class StoreHistory {
  /** What everything told so far amounts to. */
  readonly model = new StoreModel();
  private readonly prng: Prng;
  private lastSid = 0;
  private lastMid = 0;
  private lastRank = 0;

  constructor(prng: Prng) {
    this.prng = prng;
  }

  /** The next operations, about `count` of them. */
  next(count: number): Op[] {
    const ops: Op[] = [];
    while (ops.length < count) {
      const more = this.step();
      this.model.apply(more);
      ops.push(...more);
    }
    return ops;
  }

  private step(): Op[] {
    const { prng } = this;
    const dice = prng.below(100);
    if (this.model.sessions.size < 2 || dice < 4) return [this.session(++this.lastSid)];
    if (dice < 8) return [this.session(this.anySid())];
    if (dice < 10) return [{ kind: OpKind.SessionDrop, sid: this.anySid() }];
    if (dice < 20) return [this.subscription()];
    if (dice < 30) return [this.retained()];
    if (dice < 38) return [this.received()];
    if (dice < 70) return this.message();
    return this.delivery();
  }

  private session(sid: number): Op {
    const { prng } = this;
    const will = {
      topic: this.text('will'),
      payload: this.bytes(),
      qos: prng.below(3) as 0 | 1 | 2,
      retain: prng.chance(0.5),
      delaySeconds: prng.below(100),
      expirySeconds: prng.chance(0.5) ? null : prng.below(100),
      properties: this.bytes(),
    };
    return {
      kind: OpKind.SessionPut,
      sid,
      clientId: this.text(`client-${sid}`),
      username: prng.chance(0.5) ? null : this.text('user'),
      peer: '192.0.2.1:1',
      expirySeconds: prng.chance(0.3) ? 0xffff_ffff : prng.below(1_000),
      endsAt: this.time(),
      willDueAt: this.time(),
      connected: prng.chance(0.5),
      origin: prng.chance(0.5) ? null : JSON.stringify({ listener: this.text('door') }),
      grants: prng.chance(0.5) ? null : JSON.stringify({ rules: [this.text('rule')] }),
      will: prng.chance(0.5) ? null : will,
    };
  }

  private subscription(): Op {
    const { prng } = this;
    const sid = this.anySid();
    const filter = this.text(`filter/${prng.below(4)}`);
    if (prng.chance(0.3)) return { kind: OpKind.SubscriptionDrop, sid, filter };
    return {
      kind: OpKind.SubscriptionPut,
      sid,
      filter,
      qos: prng.below(3) as 0 | 1 | 2,
      noLocal: prng.chance(0.5),
      retainAsPublished: prng.chance(0.5),
      identifier: prng.below(3) * 100_000,
    };
  }

  private retained(): Op {
    const { prng } = this;
    const topic = this.text(`retained/${prng.below(6)}`);
    if (prng.chance(0.3)) return { kind: OpKind.RetainedDrop, topic };
    const source = this.bytes();
    return {
      kind: OpKind.RetainedPut,
      topic,
      source,
      payloadStart: prng.below(source.length + 1),
      qos: prng.below(3) as 0 | 1 | 2,
      expiresAt: this.time(),
    };
  }

  private received(): Op {
    const { prng } = this;
    const sid = this.anySid();
    const packetId = prng.between(1, 5);
    const known = this.model.received.get(sid)?.has(packetId) ?? false;
    if (known && prng.chance(0.8)) return { kind: OpKind.ReceivedDrop, sid, packetId };
    // Under an identifier that is known already, the message is another one.
    const topicHash = prng.chance(0.2) ? null : prng.below(2 ** 32) | 0;
    return { kind: OpKind.ReceivedPut, sid, packetId, topicHash };
  }

  /** A message for one session or several. */
  private message(): Op[] {
    const { prng } = this;
    const sids = [...this.model.sessions.keys()];
    const chosen = prng.chance(0.5) ? [prng.pick(sids)] : sids.filter(() => prng.chance(0.6));
    if (chosen.length === 0) return [];
    const source = this.bytes();
    const mid = ++this.lastMid;
    const put: Op = {
      kind: OpKind.MessagePut,
      mid,
      topic: this.text(`topic/${prng.below(5)}`),
      source,
      payloadStart: prng.below(source.length + 1),
      qos: prng.below(3) as 0 | 1 | 2,
      retain: prng.chance(0.3),
      expiresAt: this.time(),
      refs: chosen.length,
    };
    return [put, ...chosen.map(sid => this.queued(sid, mid))];
  }

  private queued(sid: number, mid: number): Op {
    const { prng } = this;
    const state = prng.chance(0.7) ? 0 : (prng.between(1, 2) as QueueStateValue);
    return {
      kind: OpKind.QueuePut,
      sid,
      rank: ++this.lastRank,
      mid,
      qos: prng.below(3) as 0 | 1 | 2,
      retain: prng.chance(0.3),
      identifiers: prng.chance(0.7) ? null : [1, 268_435_455],
      group: prng.chance(0.8) ? null : 'share/filter/+',
      state,
      packetId: state === 0 ? 0 : prng.between(1, 0xffff),
    };
  }

  /** Something happens to a delivery: mostly to one of the oldest. */
  private delivery(): Op[] {
    const { prng } = this;
    const rows = [...(this.model.queues.get(this.anySid())?.values() ?? [])];
    const row: QueuePut | undefined = prng.chance(0.7) ? rows[0] : prng.pick(rows);
    if (row === undefined) return [];
    const { sid, rank, mid, state } = row;
    if (state < 3 && prng.chance(0.5)) {
      const next = prng.between(Math.max(1, state), 3) as QueueStateValue;
      return [{ kind: OpKind.QueueState, sid, rank, state: next, packetId: prng.between(1, 9) }];
    }
    const refs = this.model.messages.get(mid)?.refs ?? 0;
    return [{ kind: OpKind.QueueDrop, sid, rank, mid, refs }];
  }

  private anySid(): number {
    return this.prng.pick([...this.model.sessions.keys()]);
  }

  private text(usual: string): string {
    return this.prng.chance(0.8) ? usual : this.prng.pick(texts);
  }

  private bytes(): Uint8Array {
    const length = this.prng.pick([0, 1, 20, 200, 5_000]);
    return new Uint8Array(length).fill(this.prng.below(256));
  }

  private time(): number {
    return this.prng.chance(0.5) ? NEVER : this.prng.below(1e9) + this.prng.fraction();
  }
}
