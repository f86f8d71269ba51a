// What the oracle knows of one connection: whose it is, and the answers that the broker owes on it.

import type { ConnectWire, WirePacket } from '../../wire.ts';
import type { Promised } from './fact.ts';
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

  constructor(clientId: string, version: number) {
    this.clientId = clientId;
    this.version = version;
  }
}
