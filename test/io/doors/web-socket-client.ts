// A client that writes its WebSocket frames byte by byte, so that they can be wrong.

import type { Socket } from 'node:net';

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
/** RFC 6455, 1.3: the answer to that key. */
export const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

export const BINARY = 2;
export const TEXT = 1;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

export type Headers = Readonly<Record<string, string | null>>;

export function request(path: string, headers: Headers = {}): string {
  const all = {
    Host: 'broker.example:8083',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': KEY,
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Protocol': 'mqtt',
    ...headers,
  };
  const lines = Object.entries(all).flatMap(([name, value]) =>
    value === null ? [] : `${name}: ${value}\r\n`,
  );
  return `GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

/** A client's frame: masked. `size` declares another length than that of `payload`. */
export function frame(opcode: number, payload: string | Buffer, fin = true, size?: number): Buffer {
  const bytes = Buffer.from(payload as string);
  const length = size ?? bytes.length;
  const head = [(fin ? 0x80 : 0) | opcode];
  if (length < 126) head.push(0x80 | length);
  else if (length < 65_536) head.push(0x80 | 126, length >> 8, length & 0xff);
  else {
    const long = Buffer.alloc(8);
    long.writeBigUInt64BE(BigInt(length));
    head.push(0x80 | 127, ...long);
  }
  const mask = Buffer.from([0x12, 0x34, 0x56, 0x78]);
  const masked = bytes.map((byte, i) => byte ^ mask[i % 4]!);
  return Buffer.concat([Buffer.from(head), mask, masked]);
}

/** What the door says: the HTTP answer, then frames. */
export class Client {
  readonly socket: Socket;
  private got: Buffer = Buffer.alloc(0);

  private onMore: () => void = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', chunk => {
      this.got = Buffer.concat([this.got, chunk as Buffer]);
      this.onMore();
    });
  }

  private more(): Promise<void> {
    return new Promise(resolve => {
      this.onMore = resolve;
    });
  }

  async answer(): Promise<string> {
    while (!this.got.includes('\r\n\r\n')) await this.more();
    const end = this.got.indexOf('\r\n\r\n') + 4;
    const head = this.got.subarray(0, end).toString();
    this.got = this.got.subarray(end);
    return head;
  }

  /** The door's next frame, which is not masked. */
  async frame(): Promise<{ opcode: number; payload: Buffer }> {
    for (;;) {
      const { got } = this;
      if (got.length >= 2) {
        const short = got[1]! & 0x7f;
        const at = short === 127 ? 10 : short === 126 ? 4 : 2;
        if (got.length >= at) {
          const long = short === 127 ? Number(got.readBigUInt64BE(2)) : got.readUInt16BE(2);
          const end = at + (short < 126 ? short : long);
          if (got.length >= end) {
            this.got = got.subarray(end);
            return { opcode: got[0]! & 0x0f, payload: got.subarray(at, end) };
          }
        }
      }
      await this.more();
    }
  }

  /** The status that the door closes with. */
  async closeCode(): Promise<number> {
    for (;;) {
      const { opcode, payload } = await this.frame();
      if (opcode === CLOSE) return payload.readUInt16BE(0);
    }
  }
}
