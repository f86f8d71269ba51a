// Operations ↔ lines of JSON, for backups that people can read and for moving between machines. A
// field is written as its type says: bytes in base64, never as null. A line that is read may come
// from anywhere, so each of its fields is checked.

import { type Op, OpKind } from '../ops.ts';

type FieldType =
  | 'id'
  | 'qos'
  | 'flag'
  | 'time'
  | 'text'
  | 'text?'
  | 'bytes'
  | 'id?'
  | 'ids?'
  | 'json?'
  | 'hash?'
  | 'will?';

type Shape = Readonly<Record<string, FieldType>>;

const message: Shape = {
  topic: 'text',
  source: 'bytes',
  payloadStart: 'id',
  qos: 'qos',
  expiresAt: 'time',
};

/** The operations that build up what is stored, by the names that they have in a line. */
const shapes: Readonly<Record<string, { readonly kind: OpKind; readonly fields: Shape }>> = {
  session: {
    kind: OpKind.SessionPut,
    fields: {
      sid: 'id',
      clientId: 'text',
      username: 'text?',
      peer: 'text',
      expirySeconds: 'id',
      endsAt: 'time',
      willDueAt: 'time',
      connected: 'flag',
      origin: 'json?',
      grants: 'json?',
      will: 'will?',
    },
  },
  subscription: {
    kind: OpKind.SubscriptionPut,
    fields: {
      sid: 'id',
      filter: 'text',
      qos: 'qos',
      noLocal: 'flag',
      retainAsPublished: 'flag',
      identifier: 'id',
    },
  },
  retained: { kind: OpKind.RetainedPut, fields: message },
  received: {
    kind: OpKind.ReceivedPut,
    fields: { sid: 'id', packetId: 'id', topicHash: 'hash?' },
  },
  message: {
    kind: OpKind.MessagePut,
    fields: { mid: 'id', ...message, retain: 'flag', refs: 'id' },
  },
  delivery: {
    kind: OpKind.QueuePut,
    fields: {
      sid: 'id',
      rank: 'id',
      mid: 'id',
      qos: 'qos',
      retain: 'flag',
      identifiers: 'ids?',
      group: 'text?',
      state: 'id',
      packetId: 'id',
    },
  },
};

const willFields: Shape = {
  topic: 'text',
  payload: 'bytes',
  qos: 'qos',
  retain: 'flag',
  delaySeconds: 'id',
  expirySeconds: 'id?',
  properties: 'bytes',
};

const names = new Map(Object.entries(shapes).map(([name, { kind }]) => [kind, name]));

type Fields = Readonly<Record<string, unknown>>;

/** What earlier lines did not have: left out where there is none, and not asked for. */
const added: ReadonlySet<FieldType> = new Set(['json?', 'hash?']);

/** A line without its end. */
export function lineOf(op: Op): string {
  const name = names.get(op.kind);
  if (name === undefined) throw new Error(`operation ${op.kind} does not build anything up`);
  const fields = Object.entries(shapes[name].fields)
    .map(([field, type]) => [field, toJson((op as unknown as Fields)[field], type), type] as const)
    .filter(([, value, type]) => value !== null || !added.has(type));
  return JSON.stringify({ kind: name, ...Object.fromEntries(fields) });
}

function toJson(value: unknown, type: FieldType): unknown {
  if (value === null) return null;
  switch (type) {
    case 'bytes':
      return Buffer.from(value as Uint8Array).toString('base64');
    case 'time':
      return value === Number.POSITIVE_INFINITY ? null : value;
    case 'json?':
      return JSON.parse(value as string);
    case 'will?':
      return Object.fromEntries(
        Object.entries(willFields).map(([field, inner]) => [
          field,
          toJson((value as Fields)[field], inner),
        ]),
      );
    default:
      return value;
  }
}

/** What is wrong with a line, in words that go on from its number. */
export class LineFault extends Error {}

/** Reads a parsed line; throws a LineFault. */
export function opOf(line: unknown): Op {
  const { kind } = fieldsOf(line, 'line');
  if (typeof kind !== 'string' || !Object.hasOwn(shapes, kind)) {
    const known = Object.keys(shapes).join(', ');
    throw new LineFault(`found kind ${JSON.stringify(kind)}, expected one of ${known}`);
  }
  const shape = shapes[kind];
  return { kind: shape.kind, ...readFields(line, shape.fields, '') } as unknown as Op;
}

function readFields(line: unknown, shape: Shape, within: string): Fields {
  const fields = fieldsOf(line, within);
  return Object.fromEntries(
    Object.entries(shape).map(([name, type]) => {
      return [name, fromJson(fields[name], type, within + name)];
    }),
  );
}

function fieldsOf(value: unknown, where: string): Fields {
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value as Fields;
  throw new LineFault(`${where}: found ${shown(value)}, expected an object`);
}

function fromJson(value: unknown, type: FieldType, where: string): unknown {
  if (type.endsWith('?') && value === null) return null;
  if (value === undefined && added.has(type)) return null;
  switch (type) {
    case 'will?':
      return readFields(value, willFields, `${where}.`);
    case 'json?':
      return JSON.stringify(fieldsOf(value, where));
    case 'bytes':
      if (typeof value === 'string' && /^[A-Za-z0-9+/]*={0,2}$/.test(value)) {
        return new Uint8Array(Buffer.from(value, 'base64'));
      }
      break;
    case 'time':
      if (value === null) return Number.POSITIVE_INFINITY;
      if (typeof value === 'number') return value;
      break;
    case 'text':
    case 'text?':
      if (typeof value === 'string') return value;
      break;
    case 'flag':
      if (typeof value === 'boolean') return value;
      break;
    case 'qos':
      if (value === 0 || value === 1 || value === 2) return value;
      break;
    case 'hash?':
      if (typeof value === 'number' && (value | 0) === value) return value;
      break;
    case 'ids?':
      if (Array.isArray(value) && value.every(isId)) return value;
      break;
    default:
      if (isId(value)) return value;
  }
  throw new LineFault(`${where}: found ${shown(value)}, expected ${expected[type]}`);
}

const expected: Readonly<Record<FieldType, string>> = {
  id: 'an integer from 0 on',
  'id?': 'an integer from 0 on, or null',
  'ids?': 'a list of integers, or null',
  qos: '0, 1 or 2',
  flag: 'true or false',
  time: 'milliseconds, or null for never',
  text: 'a string',
  'text?': 'a string, or null',
  bytes: 'a string in base64',
  'json?': 'an object, or null',
  'hash?': 'an integer of 32 bits, or null',
  'will?': 'an object, or null',
};

function isId(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
