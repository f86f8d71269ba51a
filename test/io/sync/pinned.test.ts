// Memory under the C library's hands: the synchronous driver echoes through buffers that come, grow
// and go as the core's do, while its thread collects garbage again and again. Every byte that comes
// back is checked. An hour of a quiet router, ten turns a second, without the quiet.

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { Worker } from 'node:worker_threads';
import { Doorbell } from '../../../src/io/sync/doorbell.ts';
import { openLibc } from '../../../src/io/sync/open-libc.ts';
import { describe, freshSeed, rounds, test } from '../../harness.ts';
import { Prng } from '../../prng.ts';
import type { PinnedData, PinnedReport } from './pinned-echo.ts';

const CLIENTS = 12;
const TURNS = 36_000 * rounds;

/** Byte `at` of what client `who` says. */
function byteAt(who: number, at: number): number {
  return (Math.imul(at + 1, 0x9e3779b1) ^ Math.imul(who + 1, 0x85ebca6b)) >>> 24;
}

/** Sends bursts of random size and takes what comes back; resolves when it was told to end and has
 *  everything back. */
function runClient(who: number, port: number, random: Prng, ending: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    let sent = 0;
    let returned = 0;
    const say = () => {
      const big = random.below(1_500) === 0;
      const bytes = new Uint8Array(1 + random.below(big ? 12_000_000 : 700));
      for (let i = 0; i < bytes.length; i++) bytes[i] = byteAt(who, sent + i);
      sent += bytes.length;
      // Not read before all is written: so its socket fills up on the other side.
      if (big) socket.pause();
      socket.write(bytes, () => socket.resume());
    };
    socket.on('connect', say);
    socket.on('data', chunk => {
      for (let i = 0; i < chunk.length; i++) {
        if (chunk[i] === byteAt(who, returned + i)) continue;
        reject(new Error(`client ${who}: byte ${returned + i} of ${sent} is damaged`));
        socket.destroy();
        return;
      }
      returned += chunk.length;
      if (returned < sent) return;
      if (ending()) socket.end();
      else say();
    });
    socket.on('error', reject);
    socket.on('close', () => {
      if (returned === sent) resolve();
      else reject(new Error(`client ${who} was left with ${returned} of ${sent} bytes`));
    });
  });
}

describe("the C library's buffers", () => {
  test(`stay where they are for ${TURNS} turns of garbage collection`, async () => {
    const seed = freshSeed();
    const random = new Prng(seed);
    const bell = new Doorbell(await openLibc());
    const workerData: PinnedData = { bell: bell.fd, turns: TURNS, seed };
    const worker = new Worker(new URL('./pinned-echo.ts', import.meta.url), { workerData });
    const clients: Promise<void>[] = [];
    let report: PinnedReport | null = null;
    const done = new Promise<void>((resolve, reject) => {
      worker.once('error', reject);
      worker.once('exit', () => resolve());
      worker.on('message', (message: PinnedReport | { port: number }) => {
        if ('port' in message) {
          for (let who = 0; who < CLIENTS; who++) {
            const own = new Prng(random.uint32());
            const client = runClient(who, message.port, own, () => report !== null);
            client.catch(reject);
            clients.push(client);
          }
        } else {
          report = message;
          Promise.all(clients).then(() => bell.ring(), reject);
        }
      });
    });
    try {
      await done;
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`);
    } finally {
      await worker.terminate();
      bell.close();
    }
    assert.ok(report !== null);
    const { turns, collections, partial } = report as PinnedReport;
    assert.ok(turns >= TURNS && collections > TURNS / 200, `${collections} collections`);
    assert.ok(partial > 0, 'sockets were full now and then');
  }, 400_000);
});
