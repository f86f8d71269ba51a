// What everything that is built has to pass, wherever it runs: it says what it is, starts, serves
// real clients at every QoS, keeps what it has to over a restart, and ends when it is told to.

import assert from 'node:assert/strict';
import manifest from '../../package.json' with { type: 'json' };
import { afterAll, beforeAll, describe, skipped, test } from '../harness.ts';
import {
  Background,
  endChildren,
  mosquittoClientsMissing,
  ok,
  waitUpTo,
} from '../integration/process.ts';

export interface Artefact {
  /** How it is called on this machine. */
  readonly command: readonly string[];
  /** What it says of itself, after its version. */
  readonly built: RegExp;
  /** Flags of the broker beside those that every target gets. */
  readonly flags: readonly string[];
  /** The I/O mode that it has to choose with them. */
  readonly io: 'sync' | 'async';
  /** Longest time for anything it does, on a machine that does nothing else. */
  readonly waitMs: number;
  /** An empty folder, as the program calls it. */
  readonly data: string;
}

/** How much longer it may take where there is much else to do. */
const BUSY = 4;

/** Registers the tests. */
export function smoke(name: string, artefact: Artefact): void {
  const { command } = artefact;
  const waitMs = artefact.waitMs * BUSY;
  const one = (title: string, body: () => Promise<void>) => test(title, body, waitMs * 2);

  describe(name, () => {
    let broker: Running | null = null;

    beforeAll(() => waitUpTo(waitMs));
    afterAll(endChildren);

    one('says what it is and what it runs on', async () => {
      const version = (await ok([...command, 'version'])).stdout.toString();
      assert.ok(version.startsWith(`minnow ${manifest.version} (`), version);
      assert.match(version, artefact.built);
      const platform = (await ok([...command, 'platform', '--json'])).stdout.toString();
      const { facts } = JSON.parse(platform) as { facts: { libc: { name: string } } };
      assert.match(facts.libc.name, /^(glibc|musl)$/);
      const [said] = (await ok([...command, 'check-config', '--listen', '1883'])).lines;
      assert.equal(said, 'the configuration is right');
    });

    one('starts, in the mode that is meant for it', async () => {
      broker = await Running.start(artefact);
      assert.equal(broker.io, artefact.io);
    });

    const why = mosquittoClientsMissing();
    if (why !== null) {
      skipped('serves mosquitto_pub and mosquitto_sub, and remembers', why);
      return;
    }

    for (const qos of ['0', '1', '2']) {
      one(`carries messages of mosquitto's clients at QoS ${qos}`, async () => {
        const sub = await broker!.subscribe('-t', 'a/#', '-q', qos, '-i', `sub-${qos}`);
        for (const payload of ['one', 'two', 'three']) {
          await broker!.publish('-t', 'a/b', '-q', qos, '-m', payload);
        }
        await sub.matching(/^MSG /, 3);
        const found = sub.lines.filter(line => line.startsWith('MSG '));
        assert.deepEqual(found, ['MSG a/b one', 'MSG a/b two', 'MSG a/b three']);
        await sub.end();
      });
    }

    one('remembers sessions, queues and what is retained over SIGTERM and a restart', async () => {
      const session = ['-t', 'q/#', '-q', '1', '-i', 'away', '-c'];
      await broker!.run('mosquitto_sub', ...session, '-E');
      await broker!.publish('-t', 'q/1', '-q', '1', '-m', 'waited');
      await broker!.publish('-t', 'kept', '-q', '1', '-r', '-m', 'retained');
      assert.equal(await broker!.process.end('SIGTERM'), 0);

      broker = await Running.start(artefact);
      const back = await broker.subscribe(...session);
      assert.equal(await back.line(/^MSG /), 'MSG q/1 waited');
      const late = await broker.subscribe('-t', 'kept');
      assert.equal(await late.line(/^MSG /), 'MSG kept retained');
    });

    one('ends at SIGTERM with exit code 0, and its clients with it', async () => {
      const watcher = await broker!.subscribe('-V', '5', '-t', '#', '-i', 'watcher');
      assert.equal(await broker!.process.end('SIGTERM'), 0);
      await watcher.line(/DISCONNECT|lost|disconnect/i);
    });
  });
}

/** A broker of the artefact that has said that it is ready. */
class Running {
  readonly process: Background;
  readonly io: string;
  private readonly address: readonly string[];

  static async start({ command, flags, data }: Artefact): Promise<Running> {
    const always = ['--listen', '127.0.0.1:0', '--data', data, '--set', 'log.format=json'];
    const process = new Background([...command, 'serve', ...always, ...flags]);
    return new Running(process, JSON.parse(await process.line(/"minnow is ready"/)));
  }

  private constructor(process: Background, ready: { addresses: string; io: string }) {
    this.process = process;
    this.io = ready.io;
    const port = /:(\d+)/.exec(ready.addresses)?.[1] ?? '';
    this.address = ['-h', '127.0.0.1', '-p', port];
  }

  /** Runs a client to its end. */
  async run(client: string, ...args: string[]): Promise<void> {
    await ok([client, ...this.address, ...args]);
  }

  publish(...args: string[]): Promise<void> {
    return this.run('mosquitto_pub', ...args);
  }

  /** Resolves behind its SUBACK. Its messages are the lines behind "MSG ". */
  async subscribe(...args: string[]): Promise<Background> {
    const command = ['stdbuf', '-oL', 'mosquitto_sub', '-d', ...this.address];
    const subscriber = new Background([...command, '-F', 'MSG %t %p', ...args]);
    await subscriber.line(/received SUBACK/);
    return subscriber;
  }
}
