// What may stand between a client's MQTT frames and its socket. A layer does no input or output: it
// is given bytes and hands others on, up or down. Whatever is passed is borrowed until the call
// returns.

import type { Memory } from '../system.ts';

/** Takes [start, end) of a memory, which is valid until it returns, and may change it. */
export type Sink = (memory: Memory, start: number, end: number) => void;

export interface Layer {
  /** The connection is there: begins with the handshake, if it has one. */
  begin(): void;
  /** Takes whole frames, once it has said that it is open. */
  wrap: Sink;
  /** Takes what came. Throws when the handshake fails or the peer ends the conversation. */
  unwrap: Sink;
  /** Gives back what it holds outside of this heap. */
  free(): void;
}

/** Where a layer's bytes go, and whom it tells that its handshake is over. */
export interface Surroundings {
  readonly below: Sink;
  readonly above: Sink;
  readonly opened: () => void;
}
