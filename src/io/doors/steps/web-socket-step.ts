// The step from HTTP to WebSocket. node:http reads the request, which also serves streams that did
// not come from a listener of its own; `ws` does what comes after.

import { createServer, type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ServerOptions, WebSocket } from 'ws';
import { WebSocketServer } from 'ws-plain';
import type { WebSocketTable } from '../../../config/sections/listeners.ts';
import { KB, limits } from '../../../limits.ts';
import type { Arrival, Step } from './arrival.ts';

/** Packets may be joined in a frame: it may be somewhat larger than the largest packet. */
const FRAME_EXTRA_BYTES = 64 * KB;

/** Of what a stranger says, so much is logged. */
const SHOWN_MAX = 200;

const SUB_PROTOCOLS: readonly string[] = ['mqtt', 'mqttv3.1'];

type Refuse = Parameters<Step>[2];

interface Waiting {
  readonly arrival: Arrival;
  readonly next: () => void;
  readonly refuse: Refuse;
}

export class WebSocketStep {
  private readonly settings: WebSocketTable;
  private readonly waiting = new Map<Duplex, Waiting>();
  private readonly sockets = new WeakMap<Duplex, WebSocket>();
  private readonly frames: WebSocketServer;
  private readonly http = createServer({ maxHeaderSize: limits.upgradeBytesMax });

  constructor(settings: WebSocketTable, packetSizeMax: number) {
    this.settings = settings;
    const options: ServerOptions & { closeTimeout: number } = {
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: packetSizeMax + FRAME_EXTRA_BYTES,
      closeTimeout: limits.doorFarewellMs,
      autoPong: false,
      handleProtocols: offered => SUB_PROTOCOLS.find(known => offered.has(known)) ?? false,
    };
    this.frames = new WebSocketServer(options);
    this.http.on('upgrade', (request, stream, head) => this.upgrade(request, stream, head));
    this.http.on('request', (request, response) => {
      response.writeHead(426, { Connection: 'close', Upgrade: 'websocket' }).end('MQTT is here\n');
      this.waiting.get(request.socket)?.refuse('no WebSocket upgrade');
    });
    this.http.on('clientError', (error, stream) => {
      this.waiting.get(stream)?.refuse('no HTTP request', { why: error.message });
    });
  }

  readonly step: Step = (arrival, next, refuse) => {
    const { stream } = arrival;
    this.waiting.set(stream, { arrival, next, refuse });
    stream.once('close', () => this.waiting.delete(stream));
    this.http.emit('connection', stream);
    stream.resume(); // it was accepted paused
  };

  /** The frames of an arrival that has taken this step. */
  socketOf({ stream }: Arrival): WebSocket {
    return this.sockets.get(stream)!;
  }

  private upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    const waiting = this.waiting.get(stream);
    if (waiting === undefined) return; // it was refused meanwhile
    this.waiting.delete(stream);
    const [status, why] = this.fault(request);
    if (status !== 0) {
      const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close`;
      stream.write(`${head}\r\n\r\n${why}\n`);
      const { url = '', headers } = request;
      const shown = (text: string) => text.slice(0, SHOWN_MAX);
      waiting.refuse(why, { path: shown(url), origin: shown(headers.origin ?? '') });
      return;
    }
    this.frames.handleUpgrade(request, stream, head, socket => {
      this.sockets.set(stream, socket);
      waiting.next();
    });
  }

  /** Why a request is refused, and the status that says so; status 0: it is not. */
  private fault({ url = '', headers }: IncomingMessage): [status: number, why: string] {
    const { path, origins } = this.settings;
    if (path !== '' && url.split('?', 1)[0] !== path) return [404, 'no such path'];
    if (!originAllowed(headers.origin, headers.host, origins)) {
      return [403, 'origin not allowed: listeners.websocket.origins names those that are'];
    }
    const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map(name => name.trim());
    if (offered.some(name => SUB_PROTOCOLS.includes(name))) return [0, ''];
    return [400, 'no sub-protocol "mqtt"']; // [MQTT-6.0.0-3]
  }
}

/** Browsers say which page wants to connect; others need not say anything. */
function originAllowed(
  origin: string | undefined,
  host: string | undefined,
  origins: readonly string[],
): boolean {
  if (origin === undefined || origins.includes('*')) return true;
  if (origins.length > 0) return origins.includes(origin.toLowerCase());
  try {
    return new URL(origin).hostname === new URL(`http://${host}`).hostname;
  } catch {
    return false; // "null", or nonsense
  }
}
