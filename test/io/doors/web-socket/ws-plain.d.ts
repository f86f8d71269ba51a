// ws under a name of its own: Bun puts another in the place of `ws`, and what these tests hold ours
// against would depend on the runtime.

declare module 'ws-plain' {
  export { type RawData, WebSocket, WebSocketServer } from 'ws';
}
