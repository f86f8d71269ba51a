// By which way a load reaches its broker: plain TCP, or through TLS, WebSocket or both. Made once
// for all clients of an engine; each of them gets its own layers.

import type { System } from '../system.ts';
import type { Layer, Sink, Surroundings } from './layer.ts';
import { openSsl } from './open-ssl.ts';
import { TlsContext, TlsLayer, type TlsSettings } from './tls-layer.ts';
import { WebSocketContext, WebSocketLayer, type WebSocketSettings } from './web-socket-layer.ts';

export interface TransportSettings {
  readonly tls: TlsSettings | null;
  readonly webSocket: WebSocketSettings | null;
}

export class Transport {
  readonly tls: TlsContext | null;
  private readonly webSocket: WebSocketContext | null;

  private constructor(tls: TlsContext | null, webSocket: WebSocketContext | null) {
    this.tls = tls;
    this.webSocket = webSocket;
  }

  /** Null for plain TCP. Rejects where there is no OpenSSL, or a file cannot be used. */
  static async open(system: System, settings: TransportSettings): Promise<Transport | null> {
    const { tls, webSocket } = settings;
    if (tls === null && webSocket === null) return null;
    return new Transport(
      tls && new TlsContext(system, await openSsl(), tls),
      webSocket && new WebSocketContext(system, webSocket),
    );
  }

  /** What stands between a new client's frames and its socket. */
  layers(around: Surroundings): Layer {
    const { tls, webSocket } = this;
    if (tls === null) return new WebSocketLayer(webSocket!, around);
    return webSocket === null
      ? new TlsLayer(tls, around)
      : new SecureWebSocketLayer(tls, webSocket, around);
  }
}

class SecureWebSocketLayer implements Layer {
  readonly wrap: Sink;
  readonly unwrap: Sink;
  private readonly tls: TlsLayer;

  constructor(
    tls: TlsContext,
    webSocket: WebSocketContext,
    { below, above, opened }: Surroundings,
  ) {
    const upper: WebSocketLayer = new WebSocketLayer(webSocket, {
      below: (memory, start, end) => this.tls.wrap(memory, start, end),
      above,
      opened,
    });
    const secured = () => upper.begin();
    this.tls = new TlsLayer(tls, { below, above: upper.unwrap, opened: secured });
    this.wrap = upper.wrap;
    this.unwrap = this.tls.unwrap;
  }

  begin(): void {
    this.tls.begin();
  }

  free(): void {
    this.tls.free();
  }
}
