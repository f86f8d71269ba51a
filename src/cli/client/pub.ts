// `minnow pub`: publishes a message, a file, or standard input as one message or line by line.

import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { reasonText } from '../../mqtt/reason.ts';
import { hasWildcard } from '../../mqtt/topic.ts';
import { Exit, Failure } from '../exit.ts';
import { type Flag, type Flags, UsageError } from './flags.ts';
import { MqttClient } from './mqtt-client.ts';
import { clientFlags, clientSettings } from './options.ts';
import { complain, runClient, tracer } from './run-client.ts';
import { usageText } from './run-command.ts';

const NEWLINE = 0x0a;

const flags: readonly Flag[] = [
  { long: 'topic', short: 't', value: 'TOPIC', help: 'topic to publish to' },
  { long: 'message', short: 'm', value: 'TEXT', help: 'the payload' },
  { long: 'file', short: 'f', value: 'FILE', help: 'the payload is the content of FILE' },
  { long: 'null-message', short: 'n', help: 'an empty payload' },
  { long: 'stdin-file', short: 's', help: 'the payload is all of standard input' },
  { long: 'stdin-line', short: 'l', help: 'a message for every line of standard input' },
  { long: 'retain', short: 'r', help: 'the broker keeps the message for later subscribers' },
  { long: 'repeat', value: 'N', help: 'publish N times (with -m, -f, -n and -s)' },
  { long: 'repeat-delay', value: 'SECONDS', help: 'wait that long in between (0)' },
  ...clientFlags,
];

const usage = usageText('minnow pub [options] -t TOPIC (-m TEXT | -f FILE | -n | -s | -l)', flags);

export function run(args: readonly string[]): Promise<number> {
  return runClient({ name: 'pub', usage, flags, run: publish }, args);
}

async function publish(flags: Flags): Promise<number> {
  const { options, properties, qos, urlTopic } = clientSettings(flags);
  const topic = checkedTopic(flags.text('topic') ?? urlTopic);
  const stop = new AbortController();
  const payloads = payloadSource(flags, stop.signal);
  const client = await MqttClient.connect(options, { message: () => {}, trace: tracer(flags) });

  let exitCode = 0;
  let failure: Error | null = null;
  const unacknowledged = new Set<Promise<void>>();
  const send = (payload: Buffer): Promise<void> => {
    const message = { topic, payload, qos, retain: flags.has('retain') };
    const sent = client
      .publish({ ...message, properties: properties.publish })
      .then(reason => {
        if (reason < 0x80) return;
        exitCode = reason;
        complain(flags, `the broker refused the message: ${reasonText(reason)}`);
      })
      .catch((error: Error) => {
        failure ??= error;
        stop.abort();
      })
      .finally(() => unacknowledged.delete(sent));
    unacknowledged.add(sent);
    return sent;
  };

  const interrupt = () => stop.abort();
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  void client.closed.then(interrupt);
  for await (const payload of payloads) {
    if (flags.has('stdin-line')) {
      void send(payload);
      await client.writable();
    } else {
      await send(payload);
    }
  }
  await Promise.all(unacknowledged);
  process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  failure = (await client.end()) ?? failure;
  if (failure) throw failure;
  return exitCode;
}

function checkedTopic(topic: string | null): string {
  if (topic === null) throw new UsageError('a topic is missing: -t TOPIC');
  if (topic === '') throw new UsageError('--topic: a topic has at least one character');
  if (hasWildcard(topic)) {
    throw new UsageError(`--topic: '${topic}' holds a wildcard; only subscribers may use + and #`);
  }
  const bytes = Buffer.byteLength(topic);
  if (bytes > 65_535) throw new UsageError(`--topic: ${bytes} bytes, at most 65535 fit`);
  return topic;
}

/** The payloads that the one given source yields, until it ends or `stop` is aborted. */
function payloadSource(flags: Flags, stop: AbortSignal): AsyncIterable<Buffer> {
  const sources = ['message', 'file', 'null-message', 'stdin-file', 'stdin-line'];
  const given = sources.filter(name => flags.has(name));
  if (given.length !== 1) {
    const found = given.length === 0 ? 'none' : given.map(name => `--${name}`).join(' and ');
    throw new UsageError(`one of -m, -f, -n, -s and -l says what to publish; found ${found}`);
  }
  if (flags.has('stdin-line')) {
    if (flags.has('repeat')) throw new UsageError('--repeat does not go with --stdin-line');
    return lines(stdinChunks(stop));
  }
  const times = flags.integer('repeat', 1, 2 ** 31 - 1) ?? 1;
  return repeated(singlePayload(flags, stop), times, repeatDelayMs(flags), stop);
}

/** Reads what can be read at once, so that a file that is missing is said before connecting. */
function singlePayload(flags: Flags, stop: AbortSignal): () => Promise<Buffer> {
  if (flags.has('stdin-file')) {
    return async () => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of stdinChunks(stop)) chunks.push(chunk);
      return Buffer.concat(chunks);
    };
  }
  const file = flags.text('file');
  const payload = file === undefined ? Buffer.from(flags.text('message') ?? '') : readPayload(file);
  return async () => payload;
}

function readPayload(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new Failure(Exit.noInput, `pub: cannot read ${file}: ${(error as Error).message}`);
  }
}

function repeatDelayMs(flags: Flags): number {
  const text = flags.text('repeat-delay') ?? '0';
  const seconds = Number(text);
  if (text.trim() !== '' && seconds >= 0 && seconds <= 86_400) return seconds * 1000;
  throw new UsageError(`--repeat-delay: '${text}' is not a number of seconds from 0 to 86400`);
}

async function* repeated(
  read: () => Promise<Buffer>,
  times: number,
  delayMs: number,
  stop: AbortSignal,
): AsyncIterable<Buffer> {
  const payload = await read();
  for (let i = 0; i < times && !stop.aborted; i++) {
    if (i > 0 && delayMs > 0) await delay(delayMs, undefined, { signal: stop }).catch(() => {});
    if (!stop.aborted) yield payload;
  }
}

async function* stdinChunks(stop: AbortSignal): AsyncIterable<Buffer> {
  stop.addEventListener('abort', () => process.stdin.destroy());
  try {
    for await (const chunk of process.stdin) yield chunk as Buffer;
  } catch (error) {
    if (!stop.aborted) throw error; // destroying the stream is how an interrupted read ends
  }
}

/** Splits at newlines, which belong to no message; a last line need not end with one. */
export async function* lines(chunks: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  let rest: Buffer[] = [];
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      yield Buffer.concat([...rest, chunk.subarray(start, end)]);
      rest = [];
      start = end + 1;
    }
    if (start < chunk.length) rest.push(chunk.subarray(start));
  }
  if (rest.length > 0) yield Buffer.concat(rest);
}
