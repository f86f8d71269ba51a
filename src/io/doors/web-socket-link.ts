// MQTT in WebSocket frames. Frames say nothing: packets begin and end anywhere in them
// [MQTT-6.0.0-2]. Text is refused [MQTT-6.0.0-1].

import type { WebSocket } from 'ws';
import { limits } from '../../limits.ts';
import { DoorLink, type Passage } from './door-link.ts';
import type { DoorSide } from './side.ts';

const NORMAL = 1000;
const UNSUPPORTED_DATA = 1003;

export class WebSocketLink extends DoorLink {
  private readonly socket: WebSocket;

  constructor(socket: WebSocket, passage: Passage, side: DoorSide) {
    super(passage, side);
    this.socket = socket;
    socket.binaryType = 'nodebuffer';
    socket.on('error', () => this.finish()); // it closes by itself, and says why
  }

  protected stopReading(stopped: boolean): void {
    if (stopped) this.socket.pause();
    else this.socket.resume();
  }

  protected read(): void {
    const { socket } = this;
    socket.on('message', (data, isBinary) => {
      if (isBinary) {
        this.received(data as Buffer);
        return;
      }
      this.finish();
      socket.close(UNSUPPORTED_DATA, 'MQTT is binary');
    });
    socket.on('ping', data => {
      // Somebody who pings without reading gets no more answers than fit.
      if (this.stream.writableLength < limits.doorWindowBytes) socket.pong(data);
    });
  }

  protected send(bytes: Buffer): void {
    this.socket.send(bytes, () => {}); // when it fails, `close` follows
  }

  protected sayGoodbye(): void {
    this.socket.close(NORMAL);
  }
}
