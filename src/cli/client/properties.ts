// MQTT 5 properties as people write them on a command line (-D COMMAND NAME VALUE) and as
// mqtt-packet takes them. One table says which exist, what they hold and where they may stand.

import type { UserProperty } from '../../mqtt/packet.ts';
import { integer, UsageError } from './flags.ts';

export const propertyCommands = [
  'connect',
  'publish',
  'subscribe',
  'unsubscribe',
  'disconnect',
  'will',
] as const;
export type PropertyCommand = (typeof propertyCommands)[number];

/** Property name of mqtt-packet → value. User properties are an array of one-pair objects: that
 *  form, unlike the documented one, keeps their order when mqtt-packet encodes them. */
export type Properties = Record<string, unknown>;
export type PropertySets = Record<PropertyCommand, Properties>;

type Kind = 'flag' | 'text' | 'binary' | 'pair' | { readonly max: number; readonly min?: number };

interface Property {
  readonly key: string;
  readonly kind: Kind;
  readonly commands: readonly PropertyCommand[];
}

const U16 = { min: 1, max: 0xffff } as const;
const U32 = { max: 0xffff_ffff } as const;
const message = ['publish', 'will'] as const;

const table: Readonly<Record<string, Property>> = {
  'authentication-data': { key: 'authenticationData', kind: 'binary', commands: ['connect'] },
  'authentication-method': { key: 'authenticationMethod', kind: 'text', commands: ['connect'] },
  'content-type': { key: 'contentType', kind: 'text', commands: message },
  'correlation-data': { key: 'correlationData', kind: 'binary', commands: message },
  'maximum-packet-size': {
    key: 'maximumPacketSize',
    kind: { min: 1, max: U32.max },
    commands: ['connect'],
  },
  'message-expiry-interval': { key: 'messageExpiryInterval', kind: U32, commands: message },
  'payload-format-indicator': { key: 'payloadFormatIndicator', kind: 'flag', commands: message },
  'receive-maximum': { key: 'receiveMaximum', kind: U16, commands: ['connect'] },
  'request-problem-information': {
    key: 'requestProblemInformation',
    kind: 'flag',
    commands: ['connect'],
  },
  'request-response-information': {
    key: 'requestResponseInformation',
    kind: 'flag',
    commands: ['connect'],
  },
  'response-topic': { key: 'responseTopic', kind: 'text', commands: message },
  'session-expiry-interval': {
    key: 'sessionExpiryInterval',
    kind: U32,
    commands: ['connect', 'disconnect'],
  },
  'subscription-identifier': {
    key: 'subscriptionIdentifier',
    kind: { min: 1, max: 268_435_455 },
    commands: ['subscribe'],
  },
  'topic-alias': { key: 'topicAlias', kind: U16, commands: ['publish'] },
  'topic-alias-maximum': { key: 'topicAliasMaximum', kind: { max: 0xffff }, commands: ['connect'] },
  'user-property': { key: 'userProperties', kind: 'pair', commands: propertyCommands },
  'will-delay-interval': { key: 'willDelayInterval', kind: U32, commands: ['will'] },
};

/** How many words -D takes: COMMAND NAME VALUE, and one more for a user property. */
export function propertyWords(following: readonly string[]): number {
  return following[1] === 'user-property' ? 4 : 3;
}

/** What all -D flags together say, sorted by the packet they belong to. */
export function parseProperties(given: readonly (readonly string[])[]): PropertySets {
  const sets: PropertySets = {
    connect: {},
    publish: {},
    subscribe: {},
    unsubscribe: {},
    disconnect: {},
    will: {},
  };
  for (const [command, name, ...values] of given) {
    if (!Object.hasOwn(sets, command)) {
      throw new UsageError(`-D: unknown command '${command}', use ${propertyCommands.join(', ')}`);
    }
    if (!Object.hasOwn(table, name)) throw new UsageError(`-D: unknown property '${name}'`);
    const property = table[name];
    if (!property.commands.includes(command as PropertyCommand)) {
      const allowed = property.commands.join(', ');
      throw new UsageError(`-D: ${name} does not belong to ${command}, only to ${allowed}`);
    }
    for (const value of values) {
      const bytes = Buffer.byteLength(value);
      if (bytes > 65_535) throw new UsageError(`-D ${name}: ${bytes} bytes, at most 65535 fit`);
    }
    addProperty(sets[command as PropertyCommand], property, name, values);
  }
  return sets;
}

function addProperty(into: Properties, property: Property, name: string, values: string[]): void {
  const { key, kind } = property;
  if (kind === 'pair') {
    into[key] = [...((into[key] as object[] | undefined) ?? []), { [values[0]]: values[1] }];
    return;
  }
  if (key in into) throw new UsageError(`-D: ${name} may be given only once`);
  into[key] = parseValue(kind, `-D ${name}`, values[0]);
}

function parseValue(kind: Exclude<Kind, 'pair'>, what: string, text: string): unknown {
  if (kind === 'text') return text;
  if (kind === 'binary') return Buffer.from(text);
  if (kind === 'flag') return integer(what, text, 0, 1) === 1;
  return integer(what, text, kind.min ?? 0, kind.max);
}

/** Received properties under their written names, for people and for JSON; user properties apart
 *  (their order matters), topic alias left out (it says nothing about the message). */
export function namedProperties(properties: Properties): [name: string, value: unknown][] {
  const named: [string, unknown][] = [];
  for (const [name, { key, kind }] of Object.entries(table)) {
    const value = properties[key];
    if (value === undefined || kind === 'pair' || key === 'topicAlias') continue;
    named.push([name, printable(value)]);
  }
  return named;
}

function printable(value: unknown): unknown {
  if (typeof value === 'boolean') return Number(value);
  return value instanceof Uint8Array ? Buffer.from(value).toString() : value;
}

/** User properties as an object; a name that stands more than once holds an array. */
export function userPropertyObject(pairs: readonly UserProperty[]): Record<string, unknown> {
  const result: Record<string, unknown> = Object.create(null);
  for (const [name, value] of pairs) {
    const before = result[name];
    if (before === undefined) result[name] = value;
    else if (Array.isArray(before)) before.push(value);
    else result[name] = [before, value];
  }
  return result;
}
