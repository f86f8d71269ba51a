// What the hallway and the drivers see of each other. A driver moves bytes and tells time; the
// hallway (src/loop.ts) decides. One implementation per way of doing I/O stands beside this file.

import type { ListenerTerms } from '../config/address.ts';
import type { Origin } from '../core/access.ts';
import type { Connection } from '../core/session/connection.ts';

/** One transport, as the hallway sees it. */
export interface Link {
  readonly peer: string;
  /** Where it came in, and what the transport says beyond the peer's address. */
  readonly origin?: Origin | null;
  /** The hallway's own: set by `opened`, null when the transport was refused. */
  connection: Connection | null;
  /** Hallway's own: the driver took less than it was given and has not called `drained` since. */
  blocked: boolean;
  /** Hallway's own: nothing more will be written; close as soon as what waits has left. */
  closing: boolean;
  /** Writes buffer[start, end) as far as it goes without waiting; returns how many bytes went. */
  write(buffer: Uint8Array, start: number, end: number): number;
  /** Stops or goes on calling `bytes`. Saying it twice is harmless. */
  pause(paused: boolean): void;
  /** Says goodbye in order: the peer gets all that was written, then the end of the stream. What it
   *  still sends is read and thrown away until it closes. Nothing may be written any more. */
  close(): void;
  /** Ends it now, whatever waits; the peer sees a reset if something did. */
  abort(): void;
}

/** What is called about a transport. */
export interface Reception {
  /** A transport was accepted; false: it is one too many, abort it. */
  opened(link: Link): boolean;
  /** Bytes came. The chunk is borrowed until this returns. */
  bytes(link: Link, chunk: Uint8Array): void;
  /** A transport that took less than it was given takes bytes again. */
  drained(link: Link): void;
  /** It is gone, whoever ended it. Called once, and last; perhaps from within `abort`. A peer that
   *  only ended its own side still gets the answers to what it sent, as far as they go without
   *  waiting. */
  closed(link: Link): void;
}

/** What a driver calls. After a batch of what is about transports, when every ready one has had its
 *  turn: `turn`. */
export interface Hallway extends Reception {
  /** The peer has ended what is around MQTT, by saying goodbye there or by breaking its rules:
   *  nothing it sent from there on is handed on. It is given what waits for it, then the end. */
  parted(link: Link, why: string): void;
  /** Ends a turn: writes, closes, pauses. Returns when it wants to be called even if nothing comes:
   *  milliseconds from now, 0 for at once after I/O has been looked at, Infinity for never. */
  turn(): number;
}

/** How a driver says what an operator should know, e.g. that descriptors ran out: once when it
 *  begins, once when it is over. */
export type Tell = (
  level: 'info' | 'warn' | 'error',
  message: string,
  fields?: Readonly<Record<string, string | number>>,
) => void;

/** Where a driver listens. */
export interface Bound {
  readonly host: string;
  readonly port: number;
}

/** Constructed as `(hallway, options: IoOptions, tell: Tell, room: RoomShare)`. One that runs out
 *  of descriptors lets nobody in, tells so once, serves those it has, and goes on by itself. */
export interface Driver {
  /** Listens; resolves with the address in use. Rejects with an error that has `code`, `address`
   *  and `port`, e.g. EADDRINUSE. An IPv6 listener leaves IPv4 to its sibling on the same port.
   *  Links have an origin named after the listener, and keep to its `terms`; without any it takes
   *  everybody. */
  listen(host: string, port: number, terms?: ListenerTerms): Promise<Bound>;
  /** A turn is wanted although nothing came. To be called on the driver's own thread. */
  wake(): void;
  /** Accepts nothing more. */
  stopListening(): void;
  /** Ends everything that is still open. */
  stop(): void;
}

/** A driver that waits in system calls: `run` keeps its thread until `stop` was called. */
export interface BlockingDriver extends Driver {
  run(): void;
}
