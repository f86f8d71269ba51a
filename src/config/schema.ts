// The one place that says which options exist: type, range, default, unit, description and whether
// a change takes effect without a restart. The reference, the sample file, the environment's names
// and every message are derived from it; config.ts turns its output into what the code reads.

import * as z from 'zod/mini';
import { defaultOptions } from '../core/options.ts';
import { KB, MB } from '../limits.ts';
import { PACKET_SIZE_LIMIT, SESSION_NEVER_EXPIRES } from '../mqtt/packet.ts';
import { filterValid, parseShare } from '../mqtt/topic.ts';
import { isHost, parseAddress } from './address.ts';
import {
  bytes,
  choice,
  count,
  flag,
  milliseconds,
  type OptionMeta,
  option,
  optionMeta,
  path,
  scalar,
  seconds,
  section,
  sectionMeta,
  text,
} from './option.ts';

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export const logModules = ['main', 'core', 'io', 'auth', 'control', 'store'] as const;
/** Durability classes, weakest first: core/journal.ts says what each promises. */
export const durabilities = ['none', 'batched', 'written', 'strict'] as const;

const GB = 1024 * MB;
const MANY = 100_000_000;
const DAY_MS = 86_400_000;
const d = defaultOptions;

const listener = z.pipe(
  z.transform((value: unknown) => {
    const parsed = typeof value === 'string' ? parseAddress(value) : value;
    return parsed ?? value;
  }),
  z.strictObject({
    host: z._default(z.string().check(z.refine(isHost)), 'localhost'),
    port: z._default(z.int().check(z.minimum(0), z.maximum(65_535)), 1883),
  }),
);

const rule = z.strictObject({
  user: z._default(z.string(), '*'),
  filter: z.string().check(z.refine(value => filterValid(value) && parseShare(value) === null)),
  allow: z.enum(['publish', 'subscribe', 'both', 'none']),
});

const storeRule = z.strictObject({
  filter: z.string().check(z.refine(value => filterValid(value) && parseShare(value) === null)),
  durability: z.enum(durabilities),
});

const secretText = z.string().check(z.minLength(1));

export const schema = z.strictObject({
  data: path({
    default: '',
    defaultText: 'see there',
    example: 'data = "/var/lib/minnow"',
    description:
      'Directory for everything that is kept. Where it is not set: $STATE_DIRECTORY (systemd), ' +
      'else /var/lib/minnow for root, else $XDG_STATE_HOME/minnow, else ~/.local/state/minnow.',
  }),
  listeners: option(
    z.array(listener).check(z.minLength(1)),
    {
      shape: 'list',
      unit: 'list of addresses',
      expected:
        'a list like ["127.0.0.1:1883", "[::1]:1883"], where ":1883" is every interface and ' +
        '"1883" this machine only, or [[listeners]] tables with host and port',
    },
    {
      default: [{ host: 'localhost', port: 1883 }],
      defaultText: '["localhost:1883"]',
      example: 'listeners = ["localhost:1883", "192.0.2.7:1883"]',
      description:
        'Where to listen. `HOST:PORT`, IPv6 in brackets; `:1883` is every interface; `1883` and ' +
        '`localhost:1883` are 127.0.0.1 and ::1. A table form exists: `[[listeners]]` with ' +
        '`host` and `port`. Port 0 lets the system choose.',
    },
  ),
  log: section('What is said on standard output, and how.', {
    level: choice({
      of: logLevels,
      default: 'info',
      reload: 'live',
      description: 'The least important level that is shown.',
    }),
    format: choice({
      of: ['auto', 'text', 'json'],
      default: 'auto',
      description: 'Readable text or one JSON object per line; auto: text on a terminal.',
    }),
    levels: option(
      z.partialRecord(z.enum(logModules), z.enum(logLevels)),
      {
        shape: 'table',
        unit: 'table of module = level',
        expected: `a level (${logLevels.join(', ')}) per module (${logModules.join(', ')})`,
      },
      {
        default: {},
        example: 'levels = { core = "debug", io = "warn" }',
        reload: 'live',
        description: `A level of its own per module: ${logModules.join(', ')}.`,
      },
    ),
    burst: count({
      default: 100,
      min: 1,
      max: 1_000_000,
      reload: 'live',
      description: 'Lines with the same cause per 10 s; the rest is counted and summed up.',
    }),
  }),
  limits: section('Bounds on what clients can make the broker hold or do.', {
    connectionsMax: count({
      default: d.connectionsMax,
      min: 1,
      max: MANY,
      description: 'Connections at once; further ones are refused.',
    }),
    sessionsMax: count({
      default: d.sessionsMax,
      min: 1,
      max: MANY,
      description:
        'Sessions, connected or not; further clients are told that the quota is used up.',
    }),
    subscriptionsPerSessionMax: count({
      default: d.subscriptionsPerSessionMax,
      min: 1,
      max: MANY,
      description: 'Subscriptions of one session.',
    }),
    connectTimeoutMs: milliseconds({
      default: d.connectTimeoutMs,
      min: 100,
      max: DAY_MS,
      description: 'Time a fresh connection has to complete its CONNECT.',
    }),
    packetSizeMaxBytes: bytes({
      default: d.packetSizeMax,
      min: KB,
      max: PACKET_SIZE_LIMIT,
      description: 'Largest packet accepted from a client; MQTT 5 clients are told.',
    }),
    receiveMaximum: count({
      default: d.receiveMaximum,
      min: 1,
      max: 65_535,
      description: 'QoS 1 and 2 messages a client may have unacknowledged towards the broker.',
    }),
    inflightMax: count({
      default: d.inflightMax,
      min: 1,
      max: 65_535,
      description: 'QoS 1 and 2 messages in flight towards one client; it may ask for fewer.',
    }),
    topicLevelsMax: count({
      default: d.topicLevelsMax,
      min: 1,
      max: 65_535,
      description: 'Levels of a topic name or filter.',
    }),
    topicAliasMaximum: count({
      default: d.topicAliasMaximum,
      min: 0,
      max: 65_535,
      description: 'Topic aliases a client may define; 0 is none.',
    }),
    topicAliasOutMax: count({
      default: d.topicAliasOutMax,
      min: 0,
      max: 65_535,
      description: 'Topic aliases the broker defines towards a client that allows them.',
    }),
    retainedMessagesMax: count({
      default: d.retainedMessagesMax,
      min: 0,
      max: MANY,
      description: 'Retained messages.',
    }),
    retainedBytesMax: bytes({
      default: d.retainedBytesMax,
      min: 0,
      max: 1024 * GB,
      description: 'Retained messages together.',
    }),
    outputBytesMax: bytes({
      default: d.outputBytesMax,
      min: 4 * KB,
      max: GB,
      description: 'Bytes waiting to be sent to one client; past it QoS 0 is dropped and counted.',
    }),
    outputHighWaterBytes: bytes({
      default: d.outputHighWater,
      min: KB,
      max: GB,
      description: 'Waiting output from which on publishers are slowed and messages stay queued.',
    }),
    publisherPauseMaxMs: milliseconds({
      default: d.publisherPauseMaxMs,
      min: 0,
      max: DAY_MS,
      description: 'Longest time a publisher is not read from for the sake of a slow consumer.',
    }),
    drainTimeoutMs: milliseconds({
      default: d.drainTimeoutMs,
      min: 0,
      max: DAY_MS,
      description: 'Time clients get to take their last bytes when they are closed.',
    }),
  }),
  mqtt: section('What the broker offers to clients and tells them about itself.', {
    maximumQos: scalar(
      value => ([0, 1, 2] as const).find(qos => String(qos) === String(value)),
      { unit: '0 \\| 1 \\| 2', expected: '0, 1 or 2' },
      { default: d.maximumQoS, description: 'Highest QoS clients may publish with.' },
    ),
    retainAvailable: flag({
      default: d.retainAvailable,
      description: 'Whether retained messages are kept.',
    }),
    wildcardSubscriptionAvailable: flag({
      default: d.wildcardSubscriptionAvailable,
      description: 'Whether filters may contain + and #.',
    }),
    sharedSubscriptionAvailable: flag({
      default: d.sharedSubscriptionAvailable,
      description: 'Whether $share subscriptions are served.',
    }),
    subscriptionIdentifierAvailable: flag({
      default: d.subscriptionIdentifierAvailable,
      description: 'Whether subscriptions may carry an identifier.',
    }),
    checkPayloadFormat: flag({
      default: d.checkPayloadFormat,
      description: 'Check that payloads which claim to be UTF-8 are.',
    }),
    keepAliveMaxSeconds: seconds({
      default: d.keepAliveMaxSeconds,
      min: 0,
      max: 65_535,
      description: 'Longest keep alive granted; 0 leaves the choice to the client.',
    }),
    assignClientIds: flag({
      default: d.assignClientIds,
      description: 'Give a client that brings no id one.',
    }),
    responseInformation: text({
      default: d.responseInformation,
      description: 'Told to clients that ask for response information; empty for nothing.',
    }),
  }),
  session: section('Sessions that outlive their connection.', {
    expiryMaxSeconds: seconds({
      default: d.sessionExpiryMaxSeconds,
      min: 0,
      max: SESSION_NEVER_EXPIRES,
      description: 'Longest session expiry granted; 4294967295 sets no bound.',
    }),
  }),
  queue: section('Messages that wait for a client that is away or slow.', {
    messagesMax: count({
      default: d.queueMessagesMax,
      min: 0,
      max: MANY,
      description: 'Messages waiting per session.',
    }),
    bytesMax: bytes({
      default: d.queueBytesMax,
      min: 0,
      max: 1024 * GB,
      description: 'Bytes waiting per session.',
    }),
    totalBytesMax: bytes({
      default: d.queuedBytesTotalMax,
      min: 0,
      max: 1024 * GB,
      description: 'Bytes waiting in all sessions together.',
    }),
    policy: choice({
      of: ['drop-newest', 'drop-oldest'],
      default: d.queuePolicy,
      description: 'What goes when a queue is full; every drop is counted.',
    }),
    qos0: flag({
      default: d.queueQoS0,
      description: 'Whether QoS 0 messages wait for a client that is away.',
    }),
  }),
  auth: section('Who may connect, and what they may do.', {
    anonymous: flag({
      default: true,
      description: 'Whether clients without a user name are let in.',
    }),
    users: option(
      z.record(z.string().check(z.minLength(1)), secretText),
      {
        shape: 'table',
        unit: 'table of name = password',
        expected: 'a table of user names and their passwords, as in [auth.users] alice = "secret"',
        secret: true,
      },
      {
        default: {},
        example: 'users = { alice = "a long secret", meter = "another" }',
        description:
          'User names and passwords. A client that brings a user name must be one of them, ' +
          'unless there are none and anonymous clients are let in.',
      },
    ),
    rules: option(
      z.array(rule),
      {
        shape: 'list',
        unit: 'list of rules',
        expected:
          '[[auth.rules]] tables with user (a name, "*" for all or "" for anonymous), filter ' +
          '(a topic filter) and allow (publish, subscribe, both or none)',
      },
      {
        default: [],
        example: 'rules = [{ user = "meter", filter = "meters/%c/#", allow = "publish" }]',
        description:
          'What clients may do. Each rule has `user` (a name, `*` for all, empty for anonymous), ' +
          '`filter` (`%u` and `%c` stand for the user name and the client id) and `allow` ' +
          '(`publish`, `subscribe`, `both`, or `none`, which forbids both). The first rule that ' +
          'speaks about the user, the topic and the action decides; with any rules at all, what ' +
          'none of them allows is forbidden.',
      },
    ),
  }),
  store: section('What survives a restart, a crash and a power cut, and how well.', {
    kind: choice({
      of: ['sqlite', 'memory'],
      default: 'sqlite',
      description:
        '`sqlite` keeps sessions, retained messages and wills in a file in the data directory; ' +
        '`memory` forgets them with the process.',
    }),
    durability: choice({
      of: durabilities,
      default: 'strict',
      description:
        'What an acknowledgement promises where no rule says otherwise, and for sessions and ' +
        'subscriptions. `none`: never written. `batched`: acknowledged at once, on disk within ' +
        'a batch. `written`: acknowledged when the operating system has it. `strict`: ' +
        'acknowledged when the disk has it.',
    }),
    rules: option(
      z.array(storeRule),
      {
        shape: 'list',
        unit: 'list of rules',
        expected:
          '[[store.rules]] tables with filter (a topic filter) and durability ' +
          `(${durabilities.join(', ')})`,
      },
      {
        default: [],
        reload: 'restart',
        example: 'rules = [{ filter = "sensors/#", durability = "batched" }]',
        description:
          'Durability by topic: the first rule whose `filter` matches decides for the message ' +
          'and for the state of its exchange.',
      },
    ),
    thread: choice({
      of: ['auto', 'own', 'inline'],
      default: 'auto',
      description:
        'Whether the store writes on a thread of its `own`, so that a slow disk stalls only ' +
        'those who wait for it, or `inline`, which costs less memory. `auto`: its own where ' +
        'there is more than one core.',
    }),
    batchMs: milliseconds({
      default: 1_000,
      min: 1,
      max: DAY_MS,
      description: 'How long a batch gathers what nobody waits for.',
    }),
    batchBytes: bytes({
      default: 64 * KB,
      min: KB,
      max: GB,
      description: 'How large it grows before it is written all the same.',
    }),
    flashBytesPerDay: bytes({
      default: 0,
      min: 0,
      max: 1024 * GB,
      description:
        'Bytes that may be written to the disk per day: past them batches gather longer. Never ' +
        'puts off what an acknowledgement waits for. 0 sets no bound.',
    }),
    quotaBytes: bytes({
      default: 0,
      min: 0,
      max: 1024 * GB,
      description:
        'Bytes the database may take. Past it the session with a backlog whose client has been ' +
        'away longest ends, then the next; when there is none, what would have to be stored is ' +
        'refused (0x97). 0 sets no bound.',
    }),
    freeBytesMin: bytes({
      default: 16 * MB,
      min: 0,
      max: 1024 * GB,
      description:
        'Bytes that stay free on the file system of the data directory: with less, sessions go ' +
        'as for the quota. 0 sets no bound.',
    }),
    windowMessages: count({
      default: 1_000,
      min: 10,
      max: MANY,
      description: 'Waiting messages of one session kept in memory; the others wait on disk.',
    }),
    walBytes: bytes({
      default: 4 * MB,
      min: 64 * KB,
      max: GB,
      description: 'How long the write-ahead log grows before it is written back to the file.',
    }),
  }),
  sys: section('The $SYS topics.', {
    intervalMs: milliseconds({
      default: d.sysIntervalMs,
      min: 0,
      max: DAY_MS,
      description: 'How often they are published; 0 turns them off.',
    }),
  }),
  control: section('The socket that `minnow ctl` speaks to; file permissions are its lock.', {
    enabled: flag({ default: true, description: 'Whether there is one.' }),
    path: path({
      default: '',
      defaultText: 'control.sock in the data directory',
      example: 'path = "/run/minnow/control.sock"',
      description: 'The socket file, at most 107 bytes long.',
    }),
  }),
});

export type Settings = z.infer<typeof schema>;

export interface Option extends OptionMeta {
  /** "limits.packetSizeMaxBytes". */
  readonly path: string;
}

export interface Section {
  /** "limits"; empty for the options that stand outside of any section. */
  readonly name: string;
  readonly description: string;
  readonly options: readonly Option[];
}

function readSections(): Section[] {
  const top: Option[] = [];
  const sections: Section[] = [{ name: '', description: '', options: top }];
  for (const [name, child] of Object.entries(schema.shape)) {
    const own = optionMeta.get(child);
    if (own !== undefined) top.push({ ...own, path: name });
    if (!sectionMeta.has(child)) continue;
    const group = child as z.ZodMiniPrefault<z.ZodMiniObject>;
    const members = Object.entries(group.def.innerType.def.shape);
    const options = members.map(([key, member]) => ({
      ...(optionMeta.get(member) as OptionMeta),
      path: `${name}.${key}`,
    }));
    sections.push({ name, description: sectionMeta.get(child)?.description ?? '', options });
  }
  return sections;
}

/** Everything there is to configure, in the order of the schema. */
export const sections: readonly Section[] = readSections();
export const options: ReadonlyMap<string, Option> = new Map(
  sections.flatMap(s => s.options).map(o => [o.path, o]),
);
