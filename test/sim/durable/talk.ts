// What the oracle knows of one connection: whose it is, and the answers that the broker owes on it.

import type { ConnectWire, WirePacket } from '../../wire.ts';
import { demand } from '../oracle/message.ts';
import type { Promised } from './fact.ts';
import { Passing } from './passing.ts';
import type { SessionState } from './session.ts';

/** An answer that is due on a connection; they leave in the order of what they answer. */
export interface Due {
  readonly type: WirePacket['type'];
  readonly packetId: number;
  readonly refused: boolean;
  readonly present: boolean;
  readonly durability: number;
  readonly promises: readonly Promised[];
}

/** What the oracle knows of one connection. */
export class Talk {
  readonly clientId: string;
  readonly version: number;
  connect: ConnectWire | null = null;
  /** Null once the session has gone to another connection, or the connection has ended. */
  state: SessionState | null = null;
  readonly due: Due[] = [];
  readonly passing = new Passing();

  constructor(clientId: string, version: number) {
    this.clientId = clientId;
    this.version = version;
  }

  /** The broker owes an answer; without a class it has to be a refusal. */
  owe(
    type: Due['type'],
    packetId: number,
    durability: number,
    promises: readonly Promised[],
    present = false,
  ): void {
    this.due.push({ type, packetId, refused: durability < 0, durability, promises, present });
  }

  /** The broker answers: what that promises holds from here on. */
  answered(packet: WirePacket & { packetId?: number; reason?: number }): Due {
    const due = this.due.shift();
    const what = () => `${packet.type} ${packet.packetId} to ${this.clientId}`;
    demand(due?.type === packet.type, () => `${what()}, due was ${due?.type} ${due?.packetId}`);
    if (packet.type === 'connack') {
      const { sessionPresent } = packet;
      demand(sessionPresent === due.present, () => `${what()} says session ${sessionPresent}`);
    } else {
      demand(due.packetId === packet.packetId, () => `${what()}, due was ${due.packetId}`);
    }
    if (packet.type === 'puback' || packet.type === 'pubrec') {
      demand(due.refused === packet.reason >= 0x80, () => `${what()} says ${packet.reason}`);
    }
    for (const promise of due.promises) {
      promise.promised = Math.max(promise.promised, due.durability);
    }
    return due;
  }
}

/** How long a session lives without a connection, as its CONNECT says. */
export function expirySeconds({ version, cleanStart, properties }: ConnectWire): number {
  if (version === 5) return properties.sessionExpiryInterval ?? 0;
  return cleanStart ? 0 : 0xffff_ffff;
}
