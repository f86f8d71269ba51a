// What an operator may say about sockets; every driver understands all of it.

import { KB, limits } from '../limits.ts';

export interface IoOptions {
  /** Connections the system completes before they are accepted. Beyond it clients try again after
   *  one, three, seven seconds: a low bound makes a crowd come back late. */
  readonly backlog: number;
  /** Several processes may listen on one port, and the system shares clients out among them. */
  readonly reusePort: boolean;
  /** Send small packets at once (TCP_NODELAY). */
  readonly noDelay: boolean;
  /** Silence after which the system asks whether the peer is still there; 0: never. */
  readonly keepAliveSeconds: number;
  /** Longest time what was sent may stay unacknowledged, or a peer may take nothing at all; 0: the
   *  system's own, many minutes. */
  readonly userTimeoutMs: number;
  /** Transports let in per second; src/io/pacing.ts says what for. */
  readonly acceptsPerSecond: number;
  /** What one read takes at most where there is one buffer for all of a thread's sockets. */
  readonly readBufferBytes: number;
  /** What may be under way between two threads, each way; rounded up to a power of two. */
  readonly ringBytes: number;
}

export const defaultIoOptions: IoOptions = {
  backlog: limits.backlog,
  reusePort: false,
  noDelay: true,
  keepAliveSeconds: limits.tcpKeepAliveSeconds,
  userTimeoutMs: limits.tcpUserTimeoutMs,
  acceptsPerSecond: limits.acceptsPerSecond,
  readBufferBytes: 64 * KB,
  ringBytes: 256 * KB,
};
