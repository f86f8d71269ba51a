// What a recording says was promised, and when: the traffic of each connection cut into packets,
// each with the moment at which its last byte was received or sent, and what they add up to.
// MQTT 3.1.1 only, and as load.ts speaks it: every exchange is begun once.

import type { Class } from './load.ts';
import { type Event, Kind } from './recording.ts';

const NEVER = Number.POSITIVE_INFINITY;

const Type = {
  Connect: 1,
  Connack: 2,
  Publish: 3,
  Puback: 4,
  Pubrec: 5,
  Pubrel: 6,
  Pubcomp: 7,
  Subscribe: 8,
  Suback: 9,
  Unsubscribe: 10,
  Unsuback: 11,
} as const;

interface Packet {
  readonly type: number;
  readonly flags: number;
  readonly body: Buffer;
  readonly at: number;
}

/** Moments of an exchange; Infinity: it did not come. */
export interface Published {
  readonly clientId: string;
  readonly topic: string;
  readonly durability: Class;
  /** "m0.17;", or what else the payload begins with. */
  readonly marker: string;
  readonly id: number;
  readonly qos: number;
  readonly retain: boolean;
  readonly received: number;
  /** PUBACK or PUBREC was sent. */
  acknowledged: number;
  /** PUBREL was received. */
  released: number;
  /** PUBCOMP was sent. */
  completed: number;
}

/** A message on its way to a persistent session. */
export interface Delivered {
  readonly clientId: string;
  readonly durability: Class;
  readonly marker: string;
  readonly qos: number;
  id: number;
  readonly sent: number;
  /** PUBACK or PUBREC was received. */
  acknowledged: number;
  /** PUBREL was sent. */
  released: number;
  /** PUBCOMP was received. */
  completed: number;
}

export interface Subscribed {
  readonly clientId: string;
  readonly filter: string;
  /** Null: unsubscribed. */
  readonly qos: number | null;
  readonly id: number;
  readonly received: number;
  acknowledged: number;
}

export interface Connected {
  readonly clientId: string;
  readonly clean: boolean;
  readonly will: boolean;
  readonly received: number;
  acknowledged: number;
  /** The last thing it sent. */
  last: number;
}

export class History {
  readonly connected: Connected[] = [];
  readonly published: Published[] = [];
  readonly delivered: Delivered[] = [];
  readonly subscribed: Subscribed[] = [];
  /** By client id and packet id: what is under way to a session. */
  private readonly underWay = new Map<string, Delivered>();
  private readonly first = new Set<string>();

  constructor(events: readonly Event[]) {
    const lines = new Map<number, Line>();
    for (const { kind, fd, sequence, data } of events) {
      if (kind === Kind.Close) lines.delete(fd);
      if (kind !== Kind.Received && kind !== Kind.Sent) continue;
      const line = lines.get(fd) ?? new Line();
      lines.set(fd, line);
      if (kind === Kind.Received) {
        for (const packet of line.inbound.take(data, sequence)) this.received(line, packet);
      } else {
        for (const packet of line.outbound.take(data, sequence)) this.sent(line, packet);
      }
    }
  }

  private received(line: Line, { type, flags, body, at }: Packet): void {
    const { connected } = line;
    if (connected !== null) connected.last = at;
    const clientId = connected?.clientId ?? '';
    switch (type) {
      case Type.Connect: {
        const clean = (body[7]! & 2) !== 0;
        const will = (body[7]! & 4) !== 0;
        const name = text(body, 10);
        const now = { clientId: name, clean, will, received: at, acknowledged: NEVER, last: at };
        line.connected = now;
        this.connected.push(now);
        break;
      }
      case Type.Publish: {
        const m = message(flags, body);
        const times = { acknowledged: NEVER, released: NEVER, completed: NEVER };
        const published = { clientId, ...m, received: at, ...times };
        this.published.push(published);
        if (m.qos > 0) line.exchanges.set(m.id, published);
        break;
      }
      case Type.Pubrel:
        line.exchanges.get(body.readUInt16BE(0))!.released = at;
        break;
      case Type.Puback:
      case Type.Pubrec: {
        const delivered = this.underWay.get(`${clientId} ${body.readUInt16BE(0)}`)!;
        delivered.acknowledged = Math.min(delivered.acknowledged, at);
        break;
      }
      case Type.Pubcomp: {
        const delivered = this.underWay.get(`${clientId} ${body.readUInt16BE(0)}`)!;
        delivered.completed = Math.min(delivered.completed, at);
        break;
      }
      case Type.Subscribe:
      case Type.Unsubscribe: {
        const id = body.readUInt16BE(0);
        const filter = text(body, 2);
        const qos = type === Type.Subscribe ? body.at(-1)! : null;
        const now = { clientId, filter, qos, id, received: at, acknowledged: NEVER };
        this.subscribed.push(now);
        line.asked.set(id, now);
        break;
      }
    }
  }

  private sent(line: Line, { type, flags, body, at }: Packet): void {
    const id = body.length >= 2 ? body.readUInt16BE(0) : 0;
    const connected = line.connected!;
    switch (type) {
      case Type.Connack:
        connected.acknowledged = at;
        break;
      case Type.Publish:
        this.delivering(connected.clientId, message(flags, body), at);
        break;
      case Type.Puback:
      case Type.Pubrec:
        line.exchanges.get(id)!.acknowledged = at;
        break;
      case Type.Pubcomp:
        line.exchanges.get(id)!.completed = at;
        break;
      case Type.Pubrel: {
        // One of a message that a clean start of the broker would not know is answered as well.
        const delivered = this.underWay.get(`${connected.clientId} ${id}`)!;
        delivered.released = Math.min(delivered.released, at);
        break;
      }
      case Type.Suback:
      case Type.Unsuback:
        line.asked.get(id)!.acknowledged = at;
        break;
    }
  }

  /** Sent again after a reconnection it is the same delivery, of QoS 1 under another id perhaps. */
  private delivering(clientId: string, m: Message, at: number): void {
    if (m.qos === 0) return;
    const name = `${clientId} ${m.marker}`;
    const key = `${clientId} ${m.id}`;
    if (this.first.has(name)) {
      const again = this.delivered.findLast(
        d => d.clientId === clientId && d.marker === m.marker && d.completed === NEVER,
      );
      if (again !== undefined) {
        again.id = m.id;
        this.underWay.set(key, again);
        return;
      }
    }
    this.first.add(name);
    const { durability, marker, qos, id } = m;
    const times = { sent: at, acknowledged: NEVER, released: NEVER, completed: NEVER };
    const delivered = { clientId, durability, marker, qos, id, ...times };
    this.delivered.push(delivered);
    this.underWay.set(key, delivered);
  }
}

/** One connection's life. */
class Line {
  readonly inbound = new Cutter();
  readonly outbound = new Cutter();
  connected: Connected | null = null;
  readonly exchanges = new Map<number, Published>();
  readonly asked = new Map<number, Subscribed>();
}

/** A stream of bytes cut into packets. */
class Cutter {
  private rest: Buffer = Buffer.alloc(0);

  take(chunk: Buffer, at: number): Packet[] {
    const bytes = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    const packets: Packet[] = [];
    let start = 0;
    for (;;) {
      let length = 0;
      let position = start + 1;
      let shift = 0;
      let more = true;
      while (more && position < bytes.length) {
        const byte = bytes[position++]!;
        length |= (byte & 127) << shift;
        shift += 7;
        more = byte >= 128;
      }
      if (more || position + length > bytes.length) break;
      const first = bytes[start]!;
      const body = bytes.subarray(position, position + length);
      packets.push({ type: first >> 4, flags: first & 15, body, at });
      start = position + length;
    }
    this.rest = bytes.subarray(start);
    return packets;
  }
}

function text(bytes: Buffer, at: number): string {
  return bytes.toString('utf8', at + 2, at + 2 + bytes.readUInt16BE(at));
}

type Message = ReturnType<typeof message>;

function message(flags: number, body: Buffer) {
  const topic = text(body, 0);
  const qos = (flags >> 1) & 3;
  const behind = 2 + body.readUInt16BE(0);
  const id = qos === 0 ? 0 : body.readUInt16BE(behind);
  const marker = markerOf(body.subarray(behind + (qos === 0 ? 0 : 2)));
  const durability = topic.split('/')[1] as Class;
  return { topic, durability, marker, id, qos, retain: (flags & 1) !== 0 };
}

/** What tells a payload from all others: up to the first semicolon, or all of it. */
export function markerOf(payload: Uint8Array): string {
  const end = payload.indexOf(0x3b);
  return Buffer.from(payload.subarray(0, end < 0 ? payload.length : end + 1)).toString('latin1');
}
