// The three classes of machines and what each is given where nobody says otherwise. The numbers
// follow what a class has to carry: 500, 20,000 and a million connections, 100, 2,000 and 50,000
// connects per second, in 64 MB, 512 MB and 4 GB. profile.ts lowers them to what a machine has.
// Keys are the options of the configuration that override them.

import { KB, limits, MB } from '../limits.ts';

/** How bytes are moved: by the runtime's event-driven sockets, or by blocking system calls. */
export const ioModes = ['async', 'sync'] as const;
export type IoMode = (typeof ioModes)[number];

export const profileNames = ['constrained', 'gateway', 'server'] as const;
export type ProfileName = (typeof profileNames)[number];

/** Everything that a profile chooses, by the option that overrides it. */
export interface Values {
  readonly profile: ProfileName;
  readonly 'io.mode': IoMode;
  readonly 'io.poolSize': number;
  readonly 'io.readBufferBytes': number;
  readonly 'io.ringBytes': number;
  readonly 'io.smallHeap': boolean;
  readonly 'io.backlog': number;
  readonly 'io.acceptsPerSecond': number;
  readonly 'limits.connectionsMax': number;
  readonly 'limits.sessionsMax': number;
  readonly 'limits.packetSizeMaxBytes': number;
  readonly 'limits.outputBytesMax': number;
  readonly 'limits.outputHighWaterBytes': number;
  readonly 'limits.retainedMessagesMax': number;
  readonly 'limits.retainedBytesMax': number;
  readonly 'queue.messagesMax': number;
  readonly 'queue.bytesMax': number;
  readonly 'queue.totalBytesMax': number;
  readonly 'store.durability': 'batched' | 'strict';
  readonly 'store.thread': 'own' | 'inline';
  readonly 'store.batchBytes': number;
  readonly 'store.flashBytesPerDay': number;
  readonly 'store.windowMessages': number;
  readonly 'store.walBytes': number;
}

export type ChoicePath = keyof Values;

/** What the class alone decides; the others depend on more. */
export type ClassValues = Omit<
  Values,
  'profile' | 'io.mode' | 'io.poolSize' | 'store.thread' | 'store.flashBytesPerDay'
>;

const GB = 1024 * MB;

export const table: Readonly<Record<ProfileName, ClassValues>> = {
  constrained: {
    'io.readBufferBytes': 32 * KB,
    'io.ringBytes': 64 * KB,
    'io.smallHeap': true,
    'io.backlog': 512,
    'io.acceptsPerSecond': 200,
    'limits.connectionsMax': 1_000,
    'limits.sessionsMax': 2_000,
    'limits.packetSizeMaxBytes': 1 * MB,
    'limits.outputBytesMax': 2 * MB,
    'limits.outputHighWaterBytes': 256 * KB,
    'limits.retainedMessagesMax': 10_000,
    'limits.retainedBytesMax': 8 * MB,
    'queue.messagesMax': 1_000,
    'queue.bytesMax': 2 * MB,
    'queue.totalBytesMax': 8 * MB,
    'store.durability': 'batched',
    'store.batchBytes': 64 * KB,
    'store.windowMessages': 200,
    'store.walBytes': 1 * MB,
  },
  gateway: {
    'io.readBufferBytes': 256 * KB,
    'io.ringBytes': 1 * MB,
    'io.smallHeap': false,
    'io.backlog': limits.backlog,
    'io.acceptsPerSecond': limits.acceptsPerSecond,
    'limits.connectionsMax': 25_000,
    'limits.sessionsMax': 50_000,
    'limits.packetSizeMaxBytes': limits.packetSizeMax,
    'limits.outputBytesMax': limits.outputBytesMax,
    'limits.outputHighWaterBytes': limits.outputHighWater,
    'limits.retainedMessagesMax': 250_000,
    'limits.retainedBytesMax': 128 * MB,
    'queue.messagesMax': limits.queueMessagesMax,
    'queue.bytesMax': limits.queueBytesMax,
    'queue.totalBytesMax': 128 * MB,
    'store.durability': 'strict',
    'store.batchBytes': 256 * KB,
    'store.windowMessages': 1_000,
    'store.walBytes': limits.storeWalBytes,
  },
  server: {
    'io.readBufferBytes': 256 * KB,
    'io.ringBytes': 1 * MB,
    'io.smallHeap': false,
    'io.backlog': limits.backlog,
    'io.acceptsPerSecond': 50_000,
    'limits.connectionsMax': 1_000_000,
    'limits.sessionsMax': 2_000_000,
    'limits.packetSizeMaxBytes': limits.packetSizeMax,
    'limits.outputBytesMax': limits.outputBytesMax,
    'limits.outputHighWaterBytes': limits.outputHighWater,
    'limits.retainedMessagesMax': 1_000_000,
    'limits.retainedBytesMax': 1 * GB,
    'queue.messagesMax': limits.queueMessagesMax,
    'queue.bytesMax': limits.queueBytesMax,
    'queue.totalBytesMax': 1 * GB,
    'store.durability': 'strict',
    'store.batchBytes': 256 * KB,
    'store.windowMessages': 1_000,
    'store.walBytes': 16 * MB,
  },
};

/** Why these values, in words; what a class has to say of its own stands in its own table. */
const common: Readonly<Record<keyof ClassValues, string>> = {
  'io.readBufferBytes': 'one buffer per worker, however many connections there are',
  'io.ringBytes': 'what the core may lag behind a worker before reading pauses',
  'io.smallHeap': 'memory is what a small machine has least of',
  'io.backlog': 'a crowd that comes back at once can wait in it',
  'io.acceptsPerSecond': 'the connects per second it has to carry, with room',
  'limits.connectionsMax': 'the connections it has to carry, with room',
  'limits.sessionsMax': 'twice the connections: clients that are away count too',
  'limits.packetSizeMaxBytes': 'large enough for firmware in pieces and for pictures',
  'limits.outputBytesMax': 'several of the largest packets',
  'limits.outputHighWaterBytes': 'publishers are slowed long before output is dropped',
  'limits.retainedMessagesMax': 'several topics for each connection',
  'limits.retainedBytesMax': 'some hundred bytes for each retained message',
  'queue.messagesMax': 'hours of a sensor that is away, each second',
  'queue.bytesMax': 'a full queue of ordinary messages',
  'queue.totalBytesMax': 'what all queues together may take of the memory',
  'store.durability': 'what was acknowledged survives a power cut; group commits make it cheap',
  'store.batchBytes': 'a batch is written when it is this large, or old enough',
  'store.windowMessages': 'the front of a backlog; the rest waits on disk',
  'store.walBytes': 'rarely written back, and soon read at a start',
};

const ofConstrained: Partial<Record<keyof ClassValues, string>> = {
  'io.acceptsPerSecond': 'twice the 100 connects per second that a router has to carry',
  'limits.connectionsMax': 'twice the 500 connections that a router has to carry',
  'limits.packetSizeMaxBytes': 'a packet is held in memory whole, and memory is short',
  'queue.messagesMax': 'a quarter of an hour of a sensor that is away, each second',
  'queue.totalBytesMax': 'memory is short',
  'store.durability': 'flash lives longer with few large writes; a crash costs the last batch',
  'store.walBytes': 'storage is short too',
};

export function reasonFor(name: ProfileName, path: keyof ClassValues): string {
  return (name === 'constrained' ? ofConstrained[path] : undefined) ?? common[path];
}
