// ws under a name of its own: `ws` itself is replaced by Bun, and what is bounded, closed and
// refused would then depend on the runtime.

declare module 'ws-plain' {
  export { WebSocket, WebSocketServer } from 'ws';
}
