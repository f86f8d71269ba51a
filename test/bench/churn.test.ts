// Clients that come and go: how many at once, under which names, and who waits for whom.

import assert from 'node:assert/strict';
import { Churn } from '../../src/bench/churn.ts';
import type { Client, Engine, FrameHandler } from '../../src/bench/engine.ts';
import { FrameScanner } from '../../src/bench/scanner.ts';
import type { Memory } from '../../src/bench/system.ts';
import { connectFrame } from '../../src/bench/wire.ts';
import { describe, test } from '../harness.ts';

function memory(size: number): Memory {
  const buffer = new ArrayBuffer(size);
  return { bytes: new Uint8Array(buffer), view: new DataView(buffer), address: 0 };
}

const TURNS = 10;

/** An engine whose broker answers everybody in every turn, with this code, and which then ends. */
class Hall {
  readonly system = { memory };
  readonly open = new Set<Client>();
  readonly frames: Buffer[] = [];
  readonly waiting: number[] = [];
  private connected = 0;
  private readonly code: number;

  constructor(code = 0) {
    this.code = code;
  }

  connect(): Client {
    const client = { index: this.connected++ } as Client;
    this.open.add(client);
    return client;
  }

  send(_client: Client, { bytes }: Memory, start: number, end: number): void {
    this.frames.push(Buffer.from(bytes.slice(start, end)));
  }

  drop(client: Client): void {
    this.open.delete(client);
  }

  turn(handler: FrameHandler): void {
    if (this.waiting.length === TURNS) throw new Error('the hall closes');
    this.waiting.push(this.open.size);
    const answer = memory(4);
    answer.bytes.set([0x20, 2, 0, this.code]);
    for (const client of [...this.open]) {
      const scanner = new FrameScanner();
      scanner.next(answer.bytes, 0, 4);
      handler.onFrame(client, scanner, answer);
    }
  }
}

describe('churn', () => {
  const identity = { version: 4, prefix: 'bench-' } as const;

  test('the first comes alone, then always as many as wanted, each with a name', () => {
    const hall = new Hall();
    const churn = new Churn(hall as unknown as Engine, identity, 3);
    churn.measuring = true;
    assert.throws(() => churn.run(60_000), /the hall closes/);
    const answered = 1 + 3 * (TURNS - 1);
    assert.deepEqual(hall.waiting, [1, ...Array.from({ length: TURNS - 1 }, () => 3)]);
    const hellos = hall.frames.filter(frame => frame[0] === 0x10);
    hellos.forEach((frame, n) => {
      const expected = connectFrame(4, `bench-${String(n).padStart(8, '0')}`);
      assert.ok(frame.equals(expected), `client ${n}`);
    });
    assert.deepEqual([churn.answered, churn.latency.count], [answered, answered]);
    assert.equal(hellos.length, answered + 3, 'three are on their way');
    assert.equal(hall.frames.filter(frame => frame[0] === 0xe0).length, answered);
    assert.equal(hall.open.size, 3);
  });

  test('a client that is refused ends it', () => {
    const churn = new Churn(new Hall(5) as unknown as Engine, identity, 3);
    assert.throws(() => churn.run(1_000), /refused CONNECT with code 5/);
  });
});
