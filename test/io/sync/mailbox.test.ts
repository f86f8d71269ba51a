// The mailbox between a thread with an event loop and one that is blocked in epoll_wait.

import assert from 'node:assert/strict';
import { Worker } from 'node:worker_threads';
import { Doorbell } from '../../../src/io/sync/doorbell.ts';
import { createMailbox, Mailbox } from '../../../src/io/sync/mailbox.ts';
import { openLibc } from '../../../src/io/sync/open-libc.ts';
import { describe, freshSeed, rounds, test } from '../../harness.ts';
import { Prng } from '../../prng.ts';

interface Letter {
  readonly id: number;
  readonly text: string;
}

describe('a mailbox', () => {
  test('keeps order and content, whatever is longer than its ring', () => {
    const memory = createMailbox(1024);
    const woken: string[] = [];
    const first = new Mailbox(memory, 'first', () => woken.push('second'));
    const second = new Mailbox(memory, 'second', () => woken.push('first'));
    const long = 'Ünïcödé – '.repeat(5_000);
    assert.ok(first.send({ id: 1, long }));
    assert.ok(first.send([2]));
    assert.deepEqual(woken, ['second'], 'woken once');
    let received: unknown = null;
    for (let i = 0; received === null; i++) {
      assert.ok(i < 200);
      received = second.receive();
      assert.equal(first.receive(), null); // passes on what waits
    }
    assert.deepEqual(received, { id: 1, long });
    assert.deepEqual(second.receive(), [2]);
    assert.equal(second.receive(), null);
    assert.ok(woken.includes('first'), 'the sender was told that there is room');
  });

  test('refuses what would wait beyond its bound and keeps what it has taken', () => {
    const memory = createMailbox(1024);
    const first = new Mailbox(memory, 'first', () => {});
    const second = new Mailbox(memory, 'second', () => {});
    const text = 'x'.repeat(1024 * 1024);
    let taken = 0;
    while (first.send({ taken, text })) assert.ok(++taken < 10);
    assert.equal(taken, 3);
    for (let i = 0; i < taken; ) {
      const message = second.receive() as { taken: number; text: string } | null;
      if (message !== null) {
        assert.equal(message.taken, i++);
        assert.equal(message.text, text);
      }
      first.receive();
    }
    assert.ok(first.send({ small: true }));
  });

  test('takes what the other side waits for, however much waits', () => {
    const memory = createMailbox(1024);
    const first = new Mailbox(memory, 'first', () => {});
    const second = new Mailbox(memory, 'second', () => {});
    const text = 'x'.repeat(5 * 1024 * 1024);
    first.deliver({ text });
    assert.ok(!first.send({ log: 'line' }));
    first.deliver({ answer: 2 });
    const received: unknown[] = [];
    for (let i = 0; received.length < 2 && i < 50_000; i++) {
      const message = second.receive();
      if (message !== null) received.push(message);
      first.receive();
    }
    assert.deepEqual(received, [{ text }, { answer: 2 }]);
  });

  test('reaches a thread that is blocked, and back', async () => {
    const seed = freshSeed();
    const random = new Prng(seed);
    const count = 2_000 * rounds;
    const libc = await openLibc();
    const bell = new Doorbell(libc);
    const memory = createMailbox(16 * 1024);
    const worker = new Worker(new URL('./mailbox-echo.ts', import.meta.url), {
      workerData: { memory, bell: bell.fd },
    });
    const box = new Mailbox(memory, 'first', () => bell.ring());
    const exited = new Promise<void>((resolve, reject) => {
      worker.once('exit', () => resolve());
      worker.once('error', reject);
    });
    const texts = new Map<number, string>();
    let sent = 0;
    let returned = 0;
    const pump = () => {
      while (sent < count && sent - returned < 50) {
        const text = 'é'.repeat(random.below(random.below(20) === 0 ? 50_000 : 100));
        texts.set(sent, text);
        assert.ok(box.send({ id: sent++, text } satisfies Letter));
      }
    };
    await new Promise<void>((resolve, reject) => {
      worker.once('error', reject);
      worker.on('message', () => {
        const take = () => box.receive() as Letter | null;
        for (let letter = take(); letter !== null; letter = take()) {
          assert.equal(letter.id, returned++, `seed ${seed}`);
          assert.equal(letter.text, texts.get(letter.id), `seed ${seed}`);
          texts.delete(letter.id);
          pump();
        }
        if (returned === count) resolve();
      });
      pump();
    });
    box.send('stop');
    await exited;
    bell.close();
  });
});
