// How `minnow sub` prints a message: the three ways of mosquitto_sub (payload only, topic and
// payload, a format string). A format is compiled once into pieces; payloads are printed as the
// bytes they are.

import { UsageError } from '../flags.ts';
import type { IncomingMessage } from '../mqtt-client.ts';
import { namedProperties, userPropertyObject } from '../properties.ts';
import { isoTime, strftime } from './strftime.ts';

/** Bytes to print for a message, or null to print nothing. Throws PrintError. */
export type Printer = (message: IncomingMessage) => Buffer | null;

/** This one message cannot be printed as asked. */
export class PrintError extends Error {}

export interface PrintOptions {
  readonly format: string | undefined;
  readonly verbose: boolean;
  readonly newline: boolean;
  readonly pretty: boolean;
}

type Piece = (message: IncomingMessage) => string | Buffer;

export function printer(options: PrintOptions): Printer {
  const end = options.newline ? '\n' : '';
  if (options.format !== undefined) {
    const pieces = compile(options.format, options.pretty);
    return message => join([...pieces.map(piece => piece(message)), end]);
  }
  if (options.verbose) {
    return message => {
      if (message.payload.length > 0) return join([`${message.topic} `, message.payload, end]);
      return options.newline ? join([`${message.topic} (null)`, end]) : null;
    };
  }
  return message => (message.payload.length > 0 ? join([message.payload, end]) : null);
}

function join(parts: readonly (string | Buffer)[]): Buffer {
  return Buffer.concat(parts.map(part => (typeof part === 'string' ? Buffer.from(part) : part)));
}

const escapes: Readonly<Record<string, string>> = {
  '\\': '\\',
  '0': '\0',
  a: '\x07',
  e: '\x1b',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

function compile(format: string, pretty: boolean): Piece[] {
  const sequence = /%(-|0)?(\d+)?(?:\.(\d+))?(.)|@(.)|\\(.)|[^%@\\]+|[%@\\]$/gsu;
  const pieces: Piece[] = [];
  for (const [text, flag, width, max, parameter, time, escaped] of format.matchAll(sequence)) {
    if (parameter !== undefined) {
      pieces.push(parameterPiece(parameter, padding(flag, width, max), pretty));
    } else if (time !== undefined) {
      strftime(time, new Date()); // a conversion that does not exist is refused at once
      pieces.push(message => strftime(time, message.receivedAt));
    } else if (escaped !== undefined) {
      const meant = escapes[escaped];
      if (meant === undefined) throw new UsageError(`--format: unknown escape \\${escaped}`);
      pieces.push(() => meant);
    } else if (text.length === 1 && '%@\\'.includes(text)) {
      throw new UsageError(`--format: it ends with a lone ${text}; write it twice to print it`);
    } else {
      pieces.push(() => text);
    }
  }
  return pieces;
}

type Pad = (text: string, numeric: boolean) => string;

function padding(
  flag: string | undefined,
  width: string | undefined,
  max: string | undefined,
): Pad {
  const columns = Number(width ?? 0);
  return (text, numeric) => {
    const cut = max === undefined || numeric ? text : text.slice(0, Number(max));
    if (flag === '-') return cut.padEnd(columns);
    return cut.padStart(columns, flag === '0' && numeric ? '0' : ' ');
  };
}

/** Parameters that are text or numbers and may be padded. */
const fields: Readonly<Record<string, (message: IncomingMessage) => string | number>> = {
  A: ({ properties }) => (properties.topicAlias as number | undefined) ?? '',
  C: ({ properties }) => (properties.contentType as string | undefined) ?? '',
  E: ({ properties }) => (properties.messageExpiryInterval as number | undefined) ?? '',
  F: ({ properties }) => numberOrNothing(properties.payloadFormatIndicator),
  I: ({ receivedAt }) => isoTime(receivedAt),
  l: ({ payload }) => payload.length,
  m: ({ messageId }) => messageId,
  R: ({ properties }) => (properties.responseTopic as string | undefined) ?? '',
  S: ({ properties }) => [properties.subscriptionIdentifier ?? []].flat().join(' '),
  t: ({ topic }) => topic,
};

function numberOrNothing(flag: unknown): number | '' {
  return flag === undefined ? '' : Number(flag);
}

function parameterPiece(letter: string, pad: Pad, pretty: boolean): Piece {
  if (Object.hasOwn(fields, letter)) {
    const field = fields[letter];
    return message => {
      const value = field(message);
      return pad(String(value), typeof value === 'number');
    };
  }
  switch (letter) {
    case '%':
      return () => '%';
    case 'p':
      return ({ payload }) => payload;
    case 'x':
      return ({ payload }) => pad(payload.toString('hex'), true);
    case 'X':
      return ({ payload }) => pad(payload.toString('hex').toUpperCase(), true);
    case 'q':
      return ({ qos }) => String(qos);
    case 'r':
      return ({ retain }) => String(+retain);
    case 'D':
      return ({ properties }) => (properties.correlationData as Buffer | undefined) ?? '';
    case 'P':
      return ({ userProperties }) => userProperties.map(([k, v]) => `${k}:${v}`).join(' ');
    case 'U':
      return ({ receivedAt }) => `${strftime('s', receivedAt)}.${strftime('N', receivedAt)}`;
    case 'j':
      return message => json(message, false, pretty);
    case 'J':
      return message => json(message, true, pretty);
    default:
      throw new UsageError(`--format: unknown parameter %${letter}`);
  }
}

function json(message: IncomingMessage, payloadIsJson: boolean, pretty: boolean): string {
  const { topic, qos, retain, payload, messageId, properties, userProperties } = message;
  const named = Object.fromEntries(namedProperties(properties));
  if (userProperties.length > 0) named['user-properties'] = userPropertyObject(userProperties);
  const head = {
    tst: isoTime(message.receivedAt, true),
    topic,
    qos,
    retain: +retain,
    payloadlen: payload.length,
    ...(qos > 0 ? { mid: messageId } : {}),
    ...(Object.keys(named).length > 0 ? { properties: named } : {}),
  };
  const text = payload.toString();
  if (!payloadIsJson) return JSON.stringify({ ...head, payload: text }, null, pretty ? 2 : 0);
  const value = parsed(text, topic);
  if (pretty) return JSON.stringify({ ...head, payload: value }, null, 2);
  // The payload's own text, so that numbers too large for a double arrive as they were sent.
  return `${JSON.stringify(head).slice(0, -1)},"payload":${text.trim() || 'null'}}`;
}

function parsed(text: string, topic: string): unknown {
  if (text === '') return null;
  try {
    return JSON.parse(text);
  } catch {
    throw new PrintError(`the message on topic ${topic} is not valid JSON, which %J needs`);
  }
}
