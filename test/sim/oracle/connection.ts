// What the oracle knows of one connection: how far it has got, what was agreed at CONNECT, and the
// answers that the broker still has to give on it, in order.

import { type ConnectWire, join, PacketDecoder, type WirePacket } from '../../wire.ts';

import type { WillDraft } from './broker-model.ts';
import { demand } from './message.ts';
import type { SessionModel } from './session.ts';

/** An answer that is due. */
export interface Answer {
  readonly packetId: number;
  /** Reason codes, any of which will do; null where it does not matter. */
  readonly reasons: readonly (readonly number[])[] | null;
  /** Rank of the publication that is acknowledged, -1 for none. */
  readonly rank: number;
}

export type AnswerType =
  | 'puback'
  | 'pubrec'
  | 'pubrel'
  | 'pubcomp'
  | 'suback'
  | 'unsuback'
  | 'pingresp';

const answerTypes: readonly string[] = [
  ...['puback', 'pubrec', 'pubrel', 'pubcomp', 'suback', 'unsuback', 'pingresp'],
];

export function isAnswer(packet: WirePacket): boolean {
  return answerTypes.includes(packet.type);
}

export class ConnectionModel {
  /** For messages: "#12". */
  readonly name: string;
  state: 'fresh' | 'authenticating' | 'connected' | 'closing' = 'fresh';
  session: SessionModel | null = null;
  connect: ConnectWire | null = null;
  version: 3 | 4 | 5 = 4;
  keepAliveMs = 0;
  receiveMaximum = 65_535;
  packetSizeMax = Infinity;
  aliasMax = 0;
  will: WillDraft | null = null;
  connackSeen = false;
  /** What CONNACK has to say about the session. */
  sessionPresent = false;
  /** The reason code that it is refused with, 0 when it is let in. */
  refusal = 0;
  /** Reason codes that a DISCONNECT may carry now. */
  readonly farewells = new Set<number>();
  readonly openedAt: number;
  /** The last complete packet that the broker has read, and what may count as much: part of a large
   *  one, or that it did not read. */
  lastPacketAt: number;
  aliveAt: number;
  /** Topic aliases, by the direction they are used in. */
  readonly aliasesIn = new Map<number, string>();
  readonly aliasesOut = new Map<number, string>();
  /** Bytes handed to the broker: in all, those not read by the oracle yet, and their decoder. */
  fed = 0;
  unread: Uint8Array[] = [];
  readonly decoder = new PacketDecoder(4, 'client');
  /** Bytes of the broker's output: written in all, and seen by the oracle. */
  consumed = 0;
  seen = 0;
  readonly sent = new PacketDecoder(4);
  readonly #answers = new Map<AnswerType, Answer[]>();

  constructor(name: string, now: number) {
    this.name = name;
    this.openedAt = now;
    this.lastPacketAt = now;
    this.aliveAt = now;
  }

  /** Takes the first `count` bytes that the oracle has not read yet. */
  takeUnread(count: number): Uint8Array {
    const all = join(this.unread);
    this.unread = count < all.length ? [all.subarray(count)] : [];
    return all.subarray(0, count);
  }

  get unreadBytes(): number {
    return this.unread.reduce((sum, chunk) => sum + chunk.length, 0);
  }

  expect(type: AnswerType, packetId: number, reasons: Answer['reasons'] = null, rank = -1): void {
    const answers = this.#answers.get(type) ?? [];
    this.#answers.set(type, answers);
    answers.push({ packetId, reasons, rank });
  }

  /** The broker sent an answer: the one that is due next of its kind. Returns it. */
  answered(packet: WirePacket): Answer {
    const answer = this.#answers.get(packet.type as AnswerType)?.shift();
    const text = JSON.stringify(packet);
    demand(answer !== undefined, () => `${this.name} gets an answer to nothing: ${text}`);
    if (!('packetId' in packet)) return answer;
    demand(
      packet.packetId === answer.packetId,
      () => `${this.name} gets ${text} out of order, due is packet id ${answer.packetId}`,
    );
    const given = 'reasons' in packet ? packet.reasons : 'reason' in packet ? [packet.reason] : [];
    if (answer.reasons !== null && !(this.version < 5 && packet.type === 'unsuback')) {
      const fine =
        given.length === answer.reasons.length &&
        answer.reasons.every((codes, i) => codes.includes(given[i]!));
      demand(fine, () => `${this.name} gets ${text}, expected ${JSON.stringify(answer.reasons)}`);
    }
    return answer;
  }

  /** Every answer leaves in the turn of its question. */
  checkAnswered(): void {
    for (const [type, answers] of this.#answers) {
      const first = answers[0];
      demand(!first, () => `${this.name} waits for ${type} of packet id ${first?.packetId}`);
    }
  }
}
