// `minnow sub`: subscribes and prints what arrives, until told to stop, a count or a time is
// reached. A lost connection is opened again, a refused one is not.

import { setTimeout as delay } from 'node:timers/promises';
import { Reason, reasonText } from '../../mqtt/reason.ts';
import { filterMatches, filterValid } from '../../mqtt/topic.ts';
import { type Flag, type Flags, UsageError } from './flags.ts';
import { PrintError, printer } from './format/format.ts';
import { ConnectionError, type IncomingMessage, MqttClient } from './mqtt-client.ts';
import { type ClientSettings, clientFlags, clientSettings } from './options.ts';
import { complain, runClient, tracer } from './run-client.ts';
import { usageText } from './run-command.ts';

const EXIT_TIMEOUT = 27;
const RECONNECT_DELAY_MS = 1_000;

const flags: readonly Flag[] = [
  { long: 'topic', short: 't', value: 'FILTER', help: 'topic filter to subscribe to; repeatable' },
  { long: 'unsubscribe', short: 'U', value: 'FILTER', help: 'unsubscribe from it; repeatable' },
  { long: 'filter-out', short: 'T', value: 'FILTER', help: 'do not print its topics; repeatable' },
  { long: 'verbose', short: 'v', help: 'print the topic before the payload' },
  { long: 'format', short: 'F', value: 'FORMAT', help: 'print e.g. %t %p %q %r %m %l %x %j %U %I' },
  { long: 'pretty', help: 'spread %j and %J over several lines' },
  { long: 'no-newline', short: 'N', help: 'no end of line after a message' },
  { long: 'count', short: 'C', value: 'N', help: 'exit after N messages' },
  { long: 'timeout', short: 'W', value: 'SECONDS', help: 'exit with code 27 after that time' },
  { long: 'exit-after-subscribe', short: 'E', help: 'exit once the subscriptions stand' },
  { long: 'no-retained', short: 'R', help: 'do not print retained messages' },
  { long: 'retained-only', help: 'print retained messages and exit at the first other one' },
  { long: 'remove-retained', help: 'delete the retained messages that arrive' },
  { long: 'retain-as-published', help: 'MQTT 5: show the retain flag as it was published' },
  ...clientFlags,
];

const usage = usageText('minnow sub [options] -t FILTER [-t FILTER ...]', flags);

export function run(args: readonly string[]): Promise<number> {
  return runClient({ name: 'sub', usage, flags, run: flags => new Subscriber(flags).run() }, args);
}

class Subscriber {
  readonly #flags: Flags;
  readonly #settings: ClientSettings;
  readonly #filters: readonly string[];
  readonly #filteredOut: readonly string[];
  readonly #print: (message: IncomingMessage) => Buffer | null;
  readonly #countMax: number;
  readonly #timeoutSeconds: number | undefined;
  readonly #stop = new AbortController();
  #client: MqttClient | null = null;
  #count = 0;
  #exitCode = 0;

  constructor(flags: Flags) {
    this.#flags = flags;
    this.#settings = clientSettings(flags);
    const { urlTopic, options } = this.#settings;
    this.#filters = [...flags.texts('topic'), ...(urlTopic === null ? [] : [urlTopic])];
    this.#filteredOut = flags.texts('filter-out');
    const unsubscribed = flags.texts('unsubscribe');
    if (this.#filters.length + unsubscribed.length === 0) {
      throw new UsageError('a topic filter is missing: -t FILTER');
    }
    for (const filter of [...this.#filters, ...this.#filteredOut, ...unsubscribed]) {
      if (filter !== '' && filterValid(filter)) continue;
      throw new UsageError(
        `'${filter}' is not a topic filter: + stands for a whole level, # for all that follow`,
      );
    }
    if (flags.has('retain-as-published') && options.version !== 5) {
      throw new UsageError('--retain-as-published needs MQTT 5; add -V 5');
    }
    this.#print = printer({
      format: flags.text('format'),
      verbose: flags.has('verbose'),
      newline: !flags.has('no-newline'),
      pretty: flags.has('pretty'),
    });
    this.#countMax = flags.integer('count', 1, Number.MAX_SAFE_INTEGER) ?? Infinity;
    this.#timeoutSeconds = flags.integer('timeout', 1, 2_000_000);
  }

  async run(): Promise<number> {
    const interrupt = () => this.#finish(0);
    process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
    process.stdout.on('error', interrupt); // whoever read our output has gone
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      await this.#connect();
      const seconds = this.#timeoutSeconds;
      if (seconds !== undefined) timer = setTimeout(() => this.#timeOut(), seconds * 1000);
      await this.#stayConnected();
    } catch (error) {
      if (!this.#stop.signal.aborted) throw error;
    } finally {
      clearTimeout(timer);
      process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
    }
    await new Promise<void>(resolve => process.stdout.write('', () => resolve()));
    return this.#exitCode;
  }

  /** Returns when we have finished; a connection that was lost meanwhile is opened again. */
  async #stayConnected(): Promise<void> {
    const { signal } = this.#stop;
    for (;;) {
      const failure = await this.#client?.closed;
      if (signal.aborted) return;
      if (failure && failure.exitCode >= Reason.UnspecifiedError) throw failure;
      complain(this.#flags, `${failure?.message ?? 'the connection ended'}; connecting again`);
      this.#client = null;
      while (!this.#client) {
        await delay(RECONNECT_DELAY_MS, undefined, { signal });
        await this.#connect().catch((error: unknown) => {
          if (signal.aborted || !(error instanceof ConnectionError)) throw error;
          if (error.exitCode > 1) throw error;
        });
      }
    }
  }

  async #connect(): Promise<void> {
    const { options, properties, qos } = this.#settings;
    const events = {
      message: (message: IncomingMessage) => this.#onMessage(message),
      trace: tracer(this.#flags),
    };
    const client = await MqttClient.connect(options, events, this.#stop.signal);
    this.#client = client;
    if (this.#filters.length > 0) {
      const codes = await client.subscribe({
        filters: this.#filters,
        qos,
        retainAsPublished: this.#flags.has('retain-as-published'),
        properties: properties.subscribe,
      });
      this.#onSubscribed(codes);
    }
    const unsubscribed = this.#flags.texts('unsubscribe');
    if (unsubscribed.length > 0) await client.unsubscribe(unsubscribed, properties.unsubscribe);
    if (this.#flags.has('exit-after-subscribe')) this.#finish(this.#exitCode);
  }

  #onSubscribed(codes: readonly number[]): void {
    const refused = codes.filter(code => code >= Reason.UnspecifiedError);
    codes.forEach((code, i) => {
      if (code < Reason.UnspecifiedError) return;
      const why = this.#settings.options.version === 5 ? `: ${reasonText(code)}` : '';
      complain(this.#flags, `the broker refused the subscription to '${this.#filters[i]}'${why}`);
    });
    if (refused.length > 0 && refused.length === codes.length) this.#finish(refused[0]);
  }

  #onMessage(message: IncomingMessage): void {
    const { topic, retain } = message;
    if (this.#stop.signal.aborted) return;
    if (this.#flags.has('retained-only') && !retain) {
      this.#finish(0);
      return;
    }
    if (this.#filteredOut.some(filter => filterMatches(filter, topic))) return;
    if (retain && this.#flags.has('remove-retained')) this.#removeRetained(topic);
    if (retain && this.#flags.has('no-retained')) return;
    this.#write(message);
    if (++this.#count >= this.#countMax) this.#finish(0);
  }

  #write(message: IncomingMessage): void {
    try {
      const text = this.#print(message);
      if (text === null || process.stdout.write(text)) return;
    } catch (error) {
      if (!(error instanceof PrintError)) throw error;
      complain(this.#flags, error.message);
      return;
    }
    // Whoever reads our output is slower than the broker: let the messages wait there.
    const client = this.#client;
    client?.pause();
    process.stdout.once('drain', () => client?.resume());
  }

  #removeRetained(topic: string): void {
    const message = { topic, payload: Buffer.alloc(0), qos: 1, retain: true } as const;
    this.#client?.publish(message).catch((error: Error) => complain(this.#flags, error.message));
  }

  #timeOut(): void {
    complain(this.#flags, 'timed out');
    this.#finish(EXIT_TIMEOUT);
  }

  #finish(exitCode: number): void {
    if (this.#stop.signal.aborted) return;
    this.#exitCode = exitCode;
    this.#stop.abort();
    void this.#client?.end();
  }
}
