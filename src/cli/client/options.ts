// The flags that `minnow pub` and `minnow sub` share, and what they come to: where to connect, as
// whom, and with which properties. Names and meaning are those of mosquitto's clients.

import { randomBytes } from 'node:crypto';
import type { ProtocolVersion, QoS } from '../../mqtt/packet.ts';
import { type Flag, type Flags, integer, UsageError } from './flags.ts';
import type { ClientOptions, Will } from './mqtt-client.ts';
import { type PropertySets, parseProperties, propertyWords } from './properties.ts';
import { type Address, tlsFlags, tlsOptions } from './socket.ts';

const SESSION_NEVER_EXPIRES = 0xffff_ffff;
const INFLIGHT_DEFAULT = 20;

export const clientFlags: readonly Flag[] = [
  { long: 'host', short: 'h', value: 'HOST', help: 'broker to connect to (localhost)' },
  { long: 'port', short: 'p', value: 'PORT', help: 'its port (1883, TLS 8883)' },
  { long: 'unix', value: 'PATH', help: 'connect to a unix socket instead' },
  { long: 'url', short: 'L', value: 'URL', help: 'mqtt[s]://[user[:password]@]host[:port]/topic' },
  { long: 'bind', short: 'A', value: 'ADDRESS', help: 'local address to connect from' },
  ...tlsFlags,
  { long: 'id', short: 'i', value: 'ID', help: 'client id (a random one)' },
  { long: 'id-prefix', short: 'I', value: 'PREFIX', help: 'client id: PREFIX and the process id' },
  { long: 'username', short: 'u', value: 'NAME', help: 'user name' },
  { long: 'pw', short: 'P', value: 'PASSWORD', help: 'password' },
  { long: 'protocol-version', short: 'V', value: 'VERSION', help: '31, 311 or 5 (311)' },
  { long: 'keepalive', short: 'k', value: 'SECONDS', help: 'keep alive (60); 0: none' },
  { long: 'disable-clean-session', short: 'c', help: 'keep the session; needs a client id' },
  {
    long: 'session-expiry-interval',
    short: 'x',
    value: 'SECONDS',
    help: 'MQTT 5: how long the session outlives the connection; -1: for ever',
  },
  { long: 'qos', short: 'q', value: 'QOS', help: '0, 1 or 2 (0)' },
  { long: 'max-inflight', short: 'M', value: 'N', help: 'messages sent but not acknowledged (20)' },
  {
    long: 'property',
    short: 'D',
    value: 'COMMAND NAME VALUE',
    words: propertyWords,
    help: 'MQTT 5 property, e.g. -D publish user-property name value; repeatable',
  },
  { long: 'will-topic', value: 'TOPIC', help: 'publish a will there if this client is lost' },
  { long: 'will-payload', value: 'TEXT', help: 'its payload (empty)' },
  { long: 'will-qos', value: 'QOS', help: 'its quality of service (0)' },
  { long: 'will-retain', help: 'retain it' },
  { long: 'debug', short: 'd', help: 'show the packets, on standard error' },
  { long: 'quiet', help: 'print no errors' },
  { long: 'help', help: 'this text' },
];

export interface ClientSettings {
  readonly options: ClientOptions;
  readonly properties: PropertySets;
  readonly qos: QoS;
  /** The topic that came with -L, or null. */
  readonly urlTopic: string | null;
}

export function clientSettings(flags: Flags): ClientSettings {
  if (flags.operands.length > 0) {
    throw new UsageError(`'${flags.operands[0]}' does not belong to any option`);
  }
  for (const name of ['id', 'username', 'pw', 'will-topic', 'will-payload']) {
    const bytes = Buffer.byteLength(flags.text(name) ?? '');
    if (bytes > 65_535) throw new UsageError(`--${name}: ${bytes} bytes, at most 65535 fit`);
  }
  const url = flags.text('url');
  const target = url === undefined ? null : parseUrl(url);
  const tls = tlsOptions(flags, target?.secure === true);
  const version = parseVersion(flags.text('protocol-version') ?? '311');
  const properties = parseProperties(flags.tuples('property'));
  if (flags.has('property') && version !== 5) {
    throw new UsageError('-D: only MQTT 5 has properties; add -V 5');
  }
  const username = flags.text('username') ?? target?.username;
  const password = flags.text('pw') ?? target?.password;
  if (password !== undefined && username === undefined) {
    throw new UsageError('--pw needs --username');
  }
  return {
    options: {
      address: parseAddress(flags, target, tls === null ? 1883 : 8883),
      tls,
      version,
      ...identity(flags, version, properties),
      keepAliveSeconds: flags.integer('keepalive', 0, 65_535) ?? 60,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      will: parseWill(flags, properties),
      connectProperties: properties.connect,
      disconnectProperties: properties.disconnect,
      inflightMax: flags.integer('max-inflight', 1, 65_535) ?? INFLIGHT_DEFAULT,
    },
    properties,
    qos: (flags.integer('qos', 0, 2) ?? 0) as QoS,
    urlTopic: target?.topic ?? null,
  };
}

function parseVersion(text: string): ProtocolVersion {
  const known: Record<string, ProtocolVersion> = { '31': 3, '311': 4, '5': 5, '50': 5 };
  const version = known[text.toLowerCase().replace(/^mqtt/, '').replace(/^v/, '')];
  if (version === undefined) {
    throw new UsageError(`--protocol-version: '${text}' is not one of 31, 311, 5`);
  }
  return version;
}

interface UrlTarget {
  readonly secure: boolean;
  readonly host: string;
  /** Null: that of the protocol. */
  readonly port: number | null;
  readonly topic: string | null;
  readonly username?: string;
  readonly password?: string;
}

/** Not the URL class: a topic may hold '#', '?' and '+', which mean nothing else here. */
export function parseUrl(text: string): UrlTarget {
  const form =
    /^mqtt(s?):\/\/(?:([^:@/]*)(?::([^@/]*))?@)?(\[[^\]]+\]|[^:/]+)(?::(\d+))?(?:\/(.*))?$/;
  const parts = form.exec(text);
  if (!parts) {
    throw new UsageError(`--url: '${text}' is not mqtt[s]://[user[:password]@]host[:port]/topic`);
  }
  const [, secure, username, password, host, port, topic] = parts;
  return {
    secure: secure !== '',
    host: host.replace(/^\[|\]$/g, ''),
    port: port === undefined ? null : integer('--url: port', port, 1, 65_535),
    topic: topic || null,
    ...(username === undefined ? {} : { username: decoded(username) }),
    ...(password === undefined ? {} : { password: decoded(password) }),
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new UsageError(`--url: '${text}' holds a '%' that is not followed by two hex digits`);
  }
}

function parseAddress(flags: Flags, target: UrlTarget | null, usual: number): Address {
  const path = flags.text('unix');
  if (path !== undefined) return { path };
  const localAddress = flags.text('bind');
  return {
    host: flags.text('host') ?? target?.host ?? 'localhost',
    port: flags.integer('port', 1, 65_535) ?? target?.port ?? usual,
    ...(localAddress === undefined ? {} : { localAddress }),
  };
}

/** Client id, clean start and session expiry: the three decide together what the session is. */
function identity(flags: Flags, version: ProtocolVersion, properties: PropertySets) {
  const clean = !flags.has('disable-clean-session');
  const prefix = flags.text('id-prefix');
  if (prefix !== undefined && flags.has('id')) {
    throw new UsageError('--id and --id-prefix exclude each other');
  }
  const given = prefix === undefined ? flags.text('id') : `${prefix}${process.pid}`;
  const clientId = given ?? (version === 5 ? '' : `minnow-${randomBytes(8).toString('hex')}`);
  if (!clean && !given) throw new UsageError('--disable-clean-session needs --id');
  const expiry = parseExpiry(flags.text('session-expiry-interval'));
  if (expiry !== undefined && version !== 5) {
    throw new UsageError('--session-expiry-interval needs MQTT 5; add -V 5');
  }
  if (version === 5) {
    const interval = expiry ?? (clean ? undefined : SESSION_NEVER_EXPIRES);
    if (interval !== undefined) properties.connect.sessionExpiryInterval ??= interval;
  }
  return { clientId, clean };
}

function parseExpiry(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (text === '-1' || text === '∞') return SESSION_NEVER_EXPIRES;
  return integer('--session-expiry-interval', text, 0, SESSION_NEVER_EXPIRES);
}

function parseWill(flags: Flags, properties: PropertySets): Will | null {
  const topic = flags.text('will-topic');
  if (topic === undefined) {
    for (const name of ['will-payload', 'will-qos', 'will-retain']) {
      if (flags.has(name)) throw new UsageError(`--${name} needs --will-topic`);
    }
    if (Object.keys(properties.will).length > 0) {
      throw new UsageError('-D will needs --will-topic');
    }
    return null;
  }
  return {
    topic,
    payload: Buffer.from(flags.text('will-payload') ?? ''),
    qos: (flags.integer('will-qos', 0, 2) ?? 0) as QoS,
    retain: flags.has('will-retain'),
    properties: properties.will,
  };
}
