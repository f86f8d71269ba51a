// What the thread that has the sockets and the one that has the core say to each other, in records
// of a ring (../ring.ts) each way. A record is about a link, by a number that the sockets' side
// gives; the words carry no bytes unless it is said.

import type { Origin } from '../../../core/access.ts';
import type { IoOptions } from '../../options.ts';
import type { RoomShare } from '../../room.ts';
import type { RingMemory } from '../ring.ts';

/** From the sockets to the core. */
export const Up = {
  /** A transport was accepted: it is the Newcomer that was introduced just before. */
  Opened: 1,
  /** The bytes came, one after the other in as many records as there is need for. */
  Bytes: 2,
  /** The socket takes less than it was given: the rest waits with whoever has the socket. */
  Blocked: 3,
  /** It has taken everything. */
  Drained: 4,
  /** The peer has ended its side. */
  Ended: 5,
  Closed: 6,
  /** What an operator should know: the bytes are a Told in JSON. About no link. */
  Told: 7,
  /** The thread has failed, the bytes say how: a bug. About no link. */
  Failed: 8,
  /** The bytes are a Newcomer in JSON, in as many records as there is need for. */
  Introduced: 9,
} as const;

/** From the core to the sockets. */
export const Down = {
  /** The bytes are to be written. */
  Data: 1,
  Pause: 2,
  Resume: 3,
  Close: 4,
  Abort: 5,
  /** Accept from the listening socket whose descriptor the number is; the bytes are its name. About
   *  no link. */
  Listen: 6,
  StopListening: 7,
} as const;

export interface Newcomer {
  readonly peer: string;
  /** Of somebody who came by a listener of the core's driver only its name counts. */
  readonly origin: Origin | null;
}

export interface Told {
  readonly level: 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: Readonly<Record<string, string | number>>;
}

/** What a pool's thread is started with. */
export interface PoolThreadData {
  readonly minnowPool: {
    readonly options: IoOptions;
    readonly up: RingMemory;
    readonly down: RingMemory;
    /** What there is for the sockets of the whole process. */
    readonly room: RoomShare;
    /** One word; not 0: end everything and go. */
    readonly stop: SharedArrayBuffer;
    /** The Doorbell that wakes this thread, and the one that wakes the core's; -1: that has an
     *  event loop, and is sent an empty message. */
    readonly bell: number;
    readonly coreBell: number;
  };
}
