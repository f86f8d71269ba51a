// ws under a name of its own: Bun puts another in the place of `ws`, and what these tests hold ours
// against would depend on the runtime.

declare module 'ws-plain' {
  import type { Writable } from 'node:stream';

  export { type RawData, WebSocket, WebSocketServer } from 'ws';

  /** Reads frames; its types are not published. */
  export const Receiver: new (options: {
    readonly isServer: boolean;
    readonly maxPayload: number;
    readonly allowSynchronousEvents: boolean;
  }) => Writable;
}
