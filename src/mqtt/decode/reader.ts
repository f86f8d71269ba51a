// Reads the fields of a rare packet one after another. The first thing that is wrong sticks: from
// then on every read returns an empty value and `fault` says what it was, so that decoders read top
// to bottom and ask once. Nothing it returns refers to the bytes it was given: they are borrowed.

import { Fault } from '../fault.ts';
import type { UserProperty } from '../packet.ts';
import {
  PropertyId,
  PropertyKind,
  propertyKind,
  propertyPackets,
  propertyRepeats,
  WILL,
} from '../properties.ts';
import { Reason } from '../reason.ts';
import { topicNameValid } from '../topic.ts';
import { utf8Decode, utf8Valid } from '../utf8.ts';
import { readVarint, varintLength } from '../varint.ts';

type PropertyValue = number | string | Uint8Array;

/** The properties of one packet, by identifier. Which type a value has, the table decides. */
export class PropertyBag {
  readonly userProperties: UserProperty[] = [];
  /** Will Properties only: the encoded bytes of what travels on with the message, in order. */
  readonly travelling: Uint8Array[] = [];
  private readonly values = new Map<number, PropertyValue>();

  has(id: number): boolean {
    return this.values.has(id);
  }

  set(id: number, value: PropertyValue): void {
    this.values.set(id, value);
  }

  /** A number, or `absent` when the packet does not say. */
  number<T>(id: number, absent: T): number | T {
    return (this.values.get(id) as number | undefined) ?? absent;
  }

  text(id: number): string | null {
    return (this.values.get(id) as string | undefined) ?? null;
  }

  bytes(id: number): Uint8Array | null {
    return (this.values.get(id) as Uint8Array | undefined) ?? null;
  }
}

export class Reader {
  fault: Fault | null = null;
  private readonly buf: Uint8Array;
  private end: number;
  private at: number;

  constructor(buf: Uint8Array, start: number, end: number) {
    this.buf = buf;
    this.at = start;
    this.end = end;
  }

  get remaining(): number {
    return this.end - this.at;
  }

  /** Notes what is wrong, unless something was before, and ends the reading. */
  fail(reason: number, why: string): void {
    this.fault ??= new Fault(reason, why);
    this.at = this.end;
  }

  malformed(why: string): void {
    this.fail(Reason.MalformedPacket, why);
  }

  protocolError(why: string): void {
    this.fail(Reason.ProtocolError, why);
  }

  byte(): number {
    return this.take(1) ? this.buf[this.at++] : 0;
  }

  u16(): number {
    if (!this.take(2)) return 0;
    const { buf, at } = this;
    this.at += 2;
    return (buf[at] << 8) | buf[at + 1];
  }

  u32(): number {
    const high = this.u16();
    return high * 0x1_0000 + this.u16();
  }

  /** A variable byte integer in its shortest form [MQTT-1.5.5-1]. */
  varint(): number {
    const value = readVarint(this.buf, this.at, this.end);
    if (value < 0) {
      this.malformed('a variable byte integer is too long or cut short');
      return 0;
    }
    this.at += varintLength(value);
    return value;
  }

  /** A UTF-8 Encoded String [MQTT 5.0 1.5.4]. */
  string(): string {
    const length = this.u16();
    if (!this.take(length)) return '';
    const start = this.at;
    this.at += length;
    if (utf8Valid(this.buf, start, this.at)) return utf8Decode(this.buf, start, this.at);
    this.malformed('a string is not valid UTF-8'); // [MQTT-1.5.4-1, MQTT-1.5.4-2]
    return '';
  }

  /** A string that must be a Topic Name; `reason` is what to call it when it is none. */
  topicName(reason: number, what: string): string {
    const before = this.at;
    const name = this.string();
    if (this.fault === null && !topicNameValid(this.buf, before + 2, this.at)) {
      this.fail(reason, `${what} is empty or contains wildcards`);
    }
    return name;
  }

  /** Binary Data, copied out [MQTT 5.0 1.5.6]. */
  binary(): Uint8Array {
    const length = this.u16();
    if (!this.take(length)) return new Uint8Array(0);
    this.at += length;
    return this.copy(this.at - length);
  }

  /** The properties of a packet of type `packet`, or WILL: length and all [MQTT 5.0 2.2.2]. */
  properties(packet: number): PropertyBag {
    const bag = new PropertyBag();
    const length = this.varint();
    if (!this.take(length)) return bag;
    const { end } = this;
    this.end = this.at + length; // No property reaches beyond the property length.
    while (this.remaining > 0) this.property(bag, packet);
    if (this.fault === null) this.end = end;
    return bag;
  }

  /** To be called last: a packet has no bytes behind its last field. */
  finish(): void {
    if (this.remaining > 0) this.malformed('bytes follow the last field of the packet');
  }

  private take(length: number): boolean {
    if (length <= this.remaining) return true;
    this.malformed('a field reaches beyond the packet or its properties');
    return false;
  }

  private copy(start: number): Uint8Array {
    return new Uint8Array(this.buf.subarray(start, this.at));
  }

  private property(bag: PropertyBag, packet: number): void {
    const start = this.at;
    const id = this.byte();
    if ((propertyPackets[id] & (1 << packet)) === 0) {
      this.malformed(`property 0x${id.toString(16)} does not belong into this packet`);
      return;
    }
    if (bag.has(id) && (propertyRepeats[id] & (1 << packet)) === 0) {
      this.protocolError(`property 0x${id.toString(16)} stands twice`);
      return;
    }
    if (propertyKind[id] === PropertyKind.Pair) {
      bag.userProperties.push([this.string(), this.string()]);
    } else {
      bag.set(id, this.value(id));
    }
    if (packet === WILL && this.fault === null && travels(id)) {
      bag.travelling.push(this.copy(start));
    }
  }

  private value(id: number): PropertyValue {
    switch (propertyKind[id]) {
      case PropertyKind.Byte:
        return this.flag(id);
      case PropertyKind.TwoByte:
        return this.checked(id, this.u16());
      case PropertyKind.FourByte:
        return this.checked(id, this.u32());
      case PropertyKind.Varint:
        return this.checked(id, this.varint());
      case PropertyKind.Binary:
        return this.binary();
      default:
        // A response topic is a topic name to publish to [MQTT-3.3.2-14].
        return id === PropertyId.ResponseTopic
          ? this.topicName(Reason.ProtocolError, 'the response topic')
          : this.string();
    }
  }

  /** Every byte property that a client may send is 0 or 1. */
  private flag(id: number): number {
    const value = this.byte();
    if (value > 1) this.protocolError(`property 0x${id.toString(16)} is neither 0 nor 1`);
    return value;
  }

  private checked(id: number, value: number): number {
    if (value === 0 && this.fault === null && neverZero(id)) {
      this.protocolError(`property 0x${id.toString(16)} is 0`);
    }
    return value;
  }
}

/** The numbers of which the specification calls 0 a Protocol Error. */
function neverZero(id: number): boolean {
  return (
    id === PropertyId.ReceiveMaximum ||
    id === PropertyId.MaximumPacketSize ||
    id === PropertyId.SubscriptionIdentifier
  );
}

/** Whether a Will Property goes on to the subscribers as it is. */
function travels(id: number): boolean {
  return id !== PropertyId.WillDelayInterval && id !== PropertyId.MessageExpiryInterval;
}
