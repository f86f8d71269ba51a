// What the synchronous mode asks of the kernel per message, as strace sees the whole program: the
// core's thread reads, writes and waits; no other thread touches a client's socket, nobody is woken
// and nothing is posted.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, skipped, test } from '../../harness.ts';
import { Background, minnow, program } from '../../integration/process.ts';
import { bytes, string, text, u16 } from '../../wire.ts';

const MESSAGES = 1_000;
/** For what happens now and then: collecting garbage, compiling, timers. */
const NOW_AND_THEN = MESSAGES / 3;
const TRACED = 'accept4,recvfrom,sendto,read,write,epoll_wait,epoll_pwait,futex,close';

class Client {
  private readonly socket: Socket;
  private received = Buffer.alloc(0);
  private wanted = () => {};

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.on('data', chunk => {
      this.received = Buffer.concat([this.received, chunk as Buffer]);
      this.wanted();
    });
  }

  send(type: number, ...parts: Parameters<typeof bytes>): void {
    const body = bytes(...parts);
    this.socket.write(bytes(type, body.length, body));
  }

  /** Waits for a packet of `length` bytes and throws it away. */
  async take(length: number): Promise<void> {
    while (this.received.length < length) {
      await new Promise<void>(resolve => {
        this.wanted = resolve;
      });
    }
    this.received = this.received.subarray(length);
  }

  async leave(): Promise<void> {
    this.socket.end(bytes(0xe0, 0));
    await once(this.socket, 'close');
  }
}

async function login(port: number, id: string): Promise<Client> {
  const client = new Client(port);
  client.send(0x10, string('MQTT'), 4, 2, u16(60), string(id));
  await client.take(4);
  return client;
}

/** One message of QoS 1 after the other, each acknowledged on both sides before the next. */
async function exchange(port: number): Promise<void> {
  const publisher = await login(port, 'publisher');
  const subscriber = await login(port, 'subscriber');
  subscriber.send(0x82, u16(1), string('t'), 1);
  await subscriber.take(5);
  for (let id = 1; id <= MESSAGES; id++) {
    publisher.send(0x32, string('t'), u16(id), text('hello'));
    await subscriber.take(12);
    subscriber.send(0x40, u16(id));
    await publisher.take(4);
  }
  await publisher.leave();
  await subscriber.leave();
}

/** While clients are connected: how often each thread made each call, and on which sockets. */
function count(trace: string): {
  readonly core: string;
  readonly calls: ReadonlyMap<string, number>;
  readonly strangers: readonly string[];
} {
  const calls = new Map<string, number>();
  const open = new Set<string>();
  const strangers: string[] = [];
  let core = '';
  for (const line of trace.split('\n')) {
    const accepted = /^(\d+) +(?:<\.\.\. )?accept4.* = (\d+)$/.exec(line);
    if (accepted !== null) {
      core = accepted[1]!;
      open.add(accepted[2]!);
    }
    const call = /^(\d+) +(\w+)\((\d+)?/.exec(line);
    if (call === null || open.size === 0) continue;
    const [, thread, name, fd = ''] = call as unknown as [string, string, string, string?];
    if (name === 'close' && thread === core) open.delete(fd);
    const key = thread === core ? name : `other ${name}`;
    calls.set(key, (calls.get(key) ?? 0) + 1);
    if (thread !== core && name !== 'futex' && name !== 'close' && open.has(fd)) {
      strangers.push(line);
    }
  }
  return { core, calls, strangers };
}

const strace = program('strace');

describe('the synchronous mode', () => {
  const name = 'makes system calls for bytes, and for nothing else that happens per message';
  if (strace === null) {
    skipped(name, 'there is no strace here');
    return;
  }
  test(name, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'minnow-strace-'));
    const file = join(folder, 'trace');
    // -D: the process is minnow, strace its grandchild, which is gone when the output ends.
    const tracing = [strace, '-D', '-f', '-qq', '-o', file, '-e', `trace=${TRACED}`];
    const serving = ['serve', '--io', 'sync', '--listen', '127.0.0.1:0', '--data', folder];
    const settings = ['--set', 'store.kind=memory', '--set', 'log.format=json'];
    const broker = new Background([...tracing, ...minnow, ...serving, ...settings]);
    try {
      const ready = JSON.parse(await broker.line(/"minnow is ready"/)) as { addresses: string };
      await exchange(Number(/:(\d+)/.exec(ready.addresses)?.[1]));
      assert.equal(await broker.end(), 0);
      const { core, calls, strangers } = count(readFileSync(file, 'utf8'));
      const made = (call: string) => calls.get(call) ?? 0;
      const all = JSON.stringify([...calls]);
      assert.notEqual(core, '');
      assert.deepEqual(strangers, [], "no other thread touches a client's socket");
      // Each of two packets in and two packets out per message, and a wait for each packet in.
      for (const call of ['recvfrom', 'sendto']) {
        assert.ok(Math.abs(made(call) - 2 * MESSAGES) < MESSAGES / 10, all);
      }
      assert.ok(made('epoll_wait') <= 2 * MESSAGES + NOW_AND_THEN, all);
      for (const call of ['futex', 'write', 'other write', 'other epoll_wait']) {
        assert.ok(made(call) < NOW_AND_THEN, `${call} in ${all}`);
      }
    } finally {
      if (broker.running) await broker.end('SIGKILL');
      rmSync(folder, { recursive: true });
    }
  });
});
