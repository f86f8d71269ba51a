// The request that asks for a WebSocket [RFC 6455, 4.2] and what is answered. It is the only one
// there is here, so much of HTTP is refused: a body, folded headers, lines that end otherwise than
// in CR LF, other versions. Nothing of it can hide a second request.

import { createHash } from 'node:crypto';
import type { WebSocketTable } from '../../config/sections/listeners.ts';
import { limits } from '../../limits.ts';

export const NEED_MORE = 0;

export interface UpgradeRequest {
  readonly method: string;
  readonly target: string;
  /** By names in lower case; what came several times is joined by ", ". */
  readonly headers: ReadonlyMap<string, string>;
  /** What comes behind it begins here. */
  readonly length: number;
}

/** Why somebody is not let in. */
export interface Refusal {
  readonly status: number;
  readonly why: string;
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  426: 'Upgrade Required',
  431: 'Request Header Fields Too Large',
};

/** What the client has to hear with a status, beside its reason. */
const HINTS: Readonly<Record<number, string>> = {
  405: 'Allow: GET\r\n',
  426: 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n',
};

const SUB_PROTOCOLS = ['mqtt', 'mqttv3.1'] as const;

/** Of these there is one at most: which one counts would be a matter of taste. */
const SINGLE = new Set([
  'host',
  'origin',
  'content-length',
  'sec-websocket-key',
  'sec-websocket-version',
]);

const REQUEST_LINE = /^([!#$%&'*+.^_`|~\w-]+) (\/[\x21-\x7e]*) HTTP\/1\.1$/;
const NAME = /^[!#$%&'*+.^_`|~\w-]+$/;
/** Sixteen bytes in base64. */
const KEY = /^[A-Za-z0-9+/]{21}[AQgw]==$/;
const ACCEPT_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** Of what a stranger says, so much is logged. */
const SHOWN_MAX = 200;

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const DEL = 0x7f;

const faulty = (why: string): Refusal => ({ status: 400, why });

/** Reads all that has come so far, of which the first `checked` bytes were seen before. */
export function readUpgrade(
  bytes: Buffer,
  checked: number,
): UpgradeRequest | Refusal | typeof NEED_MORE {
  const head = bytes.subarray(0, limits.upgradeBytesMax);
  // The last three bytes that were seen may begin its end.
  const end = head.indexOf('\r\n\r\n', Math.max(0, checked - 3), 'latin1');
  const text = end < 0 ? head : head.subarray(0, end + 2);
  // Whoever speaks something else is not waited for.
  if (!isText(text, Math.max(0, checked - 1))) return faulty('not HTTP');
  if (end >= 0) return parse(text.toString('latin1', 0, end), end + 4);
  if (bytes.length < limits.upgradeBytesMax) return NEED_MORE;
  return { status: 431, why: `a head of more than ${limits.upgradeBytesMax} bytes` };
}

/** Whether there are only characters that a head may have, and lines that end in CR LF. */
function isText(bytes: Uint8Array, start: number): boolean {
  const last = bytes.length - 1;
  for (let i = start; i <= last; i++) {
    const byte = bytes[i]!;
    if (byte >= SPACE && byte !== DEL) continue;
    if (byte === TAB) continue;
    if (byte === CR && (i === last || bytes[i + 1] === LF)) continue;
    if (byte === LF && i > 0 && bytes[i - 1] === CR) continue;
    return false;
  }
  return true;
}

function parse(text: string, length: number): UpgradeRequest | Refusal {
  const [first = '', ...lines] = text.split('\r\n');
  const request = REQUEST_LINE.exec(first);
  if (request === null) return faulty('not a request line of HTTP/1.1');
  const [, method = '', target = ''] = request;
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon)).toLowerCase();
    if (!NAME.test(name)) return faulty('a line that is no header');
    const value = bare(line.slice(colon + 1));
    const before = headers.get(name);
    if (before !== undefined && SINGLE.has(name)) return faulty(`several headers "${name}"`);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  if (!headers.has('host')) return faulty('no header "host"');
  const body = headers.get('content-length') ?? '0';
  if (body !== '0' || headers.has('transfer-encoding')) return faulty('a request with a body');
  return { method, target, headers, length };
}

/** Without what is blank to HTTP around it; by hand, as it takes time in proportion. */
function bare(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}

/** Null: it may come in. */
export function judge(request: UpgradeRequest, { path, origins }: WebSocketTable): Refusal | null {
  const { method, target, headers } = request;
  if (method !== 'GET') return { status: 405, why: 'no WebSocket upgrade' };
  if (!listed(headers, 'upgrade').includes('websocket')) {
    return { status: 426, why: 'no WebSocket upgrade' };
  }
  if (!listed(headers, 'connection').includes('upgrade')) {
    return { status: 426, why: 'no WebSocket upgrade' };
  }
  if (path !== '' && target.split('?', 1)[0] !== path) return { status: 404, why: 'no such path' };
  if (!originAllowed(headers.get('origin'), headers.get('host')!, origins)) {
    const why = 'origin not allowed: listeners.websocket.origins names those that are';
    return { status: 403, why };
  }
  if (headers.get('sec-websocket-version') !== '13') {
    return { status: 426, why: 'not version 13 of WebSocket' };
  }
  if (!KEY.test(headers.get('sec-websocket-key') ?? '')) return faulty('no Sec-WebSocket-Key');
  return subProtocolOf(request) === null ? faulty('no sub-protocol "mqtt"') : null;
}

/** Browsers say which page wants to connect; others need not say anything. */
function originAllowed(
  origin: string | undefined,
  host: string,
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

/** Which of those that are offered is ours [MQTT-6.0.0-3]. */
function subProtocolOf({ headers }: UpgradeRequest): string | null {
  const offered = (headers.get('sec-websocket-protocol') ?? '').split(',').map(bare);
  return SUB_PROTOCOLS.find(known => offered.includes(known)) ?? null;
}

function listed(headers: ReadonlyMap<string, string>, name: string): string[] {
  return (headers.get(name) ?? '').split(',').map(value => bare(value).toLowerCase());
}

/** What of a request that was refused is worth a word in the log. */
export function shown({ target, headers }: UpgradeRequest): Record<string, string> {
  const origin = headers.get('origin') ?? '';
  return { path: target.slice(0, SHOWN_MAX), origin: origin.slice(0, SHOWN_MAX) };
}

/** To a request that `judge` lets in. */
export function acceptance(request: UpgradeRequest): string {
  const key = request.headers.get('sec-websocket-key')!;
  const accept = createHash('sha1').update(`${key}${ACCEPT_SUFFIX}`).digest('base64');
  return [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${accept}`,
    `Sec-WebSocket-Protocol: ${subProtocolOf(request)}`, // [MQTT-6.0.0-4]
    '\r\n',
  ].join('\r\n');
}

/** The whole answer to whom is not let in. */
export function refusalText({ status, why }: Refusal): string {
  const body = `${why}\n`;
  const first = `HTTP/1.1 ${status} ${REASONS[status]}\r\n`;
  const about = `Content-Type: text/plain\r\nContent-Length: ${body.length}\r\n`;
  return `${first}${HINTS[status] ?? ''}Connection: close\r\n${about}\r\n${body}`;
}
