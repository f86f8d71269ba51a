// [store]: what survives, and how well.

import * as z from 'zod/mini';
import { KB, MB } from '../../limits.ts';
import { filterValid, parseShare } from '../../mqtt/topic.ts';
import {
  bytes,
  choice,
  count,
  DAY_MS,
  GB,
  MANY,
  milliseconds,
  option,
  section,
} from '../option.ts';

/** Durability classes, weakest first: core/journal.ts says what each promises. */
export const durabilities = ['none', 'batched', 'written', 'strict'] as const;

const storeRule = () =>
  z.strictObject({
    filter: z.string().check(z.refine(value => filterValid(value) && parseShare(value) === null)),
    durability: z.enum(durabilities),
  });

export const storeSection = section(
  'What survives a restart, a crash and a power cut, and how well.',
  {
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
      () => z.array(storeRule()),
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
        'there is more than one processor.',
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
      description:
        'How large it grows before it is written all the same. What is younger than a quarter of ' +
        'a second does not count, up to sixteen times as much: most of it is delivered and done ' +
        'with before it is written, and then is not.',
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
  },
);
