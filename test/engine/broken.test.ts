// A bug on any thread ends the whole program, says what happened, and gives the exit code of a bug:
// whoever supervises the broker starts it again. Nothing hangs, and a signal ends a start as well.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Exit } from '../../src/cli/exit.ts';
import { afterAll, beforeAll, describe, test } from '../harness.ts';
import { Background, endChildren } from '../integration/process.ts';

let data = '';
beforeAll(() => {
  data = mkdtempSync(join(tmpdir(), 'minnow-broken-'));
});
afterAll(async () => {
  await endChildren();
  rmSync(data, { recursive: true });
});

const program = fileURLToPath(new URL('./broken-main.ts', import.meta.url));

const ready = /minnow is ready/;
const heldUp = /the start is held up/;

/** Starts minnow, whose `part` fails, ends it when it says `signalAt`, and gives how it ends: by
 *  itself within `drainMs` and a little more. */
async function breakOne(
  part: string,
  mode: string,
  poolSize: number,
  signalAt: RegExp | null,
  drainMs = 100,
) {
  const runtime = [process.execPath, ...process.execArgv.filter(arg => arg.startsWith('--import'))];
  const flags = ['--listen', '127.0.0.1:0', '--data', data, '--io', mode];
  const set = [`io.poolSize=${poolSize}`, 'store.thread=own', `limits.drainTimeoutMs=${drainMs}`];
  const settings = set.flatMap(text => ['--set', text]);
  const command = [...runtime, program, 'serve', ...flags, ...settings];
  const broker = new Background(['env', `MINNOW_BREAKS=${part}`, ...command]);
  if (signalAt !== null) {
    await broker.line(signalAt);
    process.kill(broker.pid, 'SIGTERM');
  }
  const code = await broker.finished();
  return { code, said: broker.lines.join('\n') };
}

describe('a bug ends the program', () => {
  for (const [part, mode, poolSize, why] of [
    ['engine', 'sync', 1, /TypeError/],
    ['engine', 'sync', 2, /TypeError/],
    ['store', 'sync', 1, /the store's thread has failed: TypeError/],
    ['store', 'sync', 2, /the store's thread has failed: TypeError/],
    ['pool', 'async', 2, /a thread of the pool has failed: Error: epoll_ctl failed: EBADF/],
  ] as const) {
    test(`${part}, ${mode}, ${poolSize} threads`, async () => {
      const { code, said } = await breakOne(part, mode, poolSize, part === 'pool' ? null : ready);
      assert.equal(code, Exit.internal, said);
      assert.match(said, /this is a bug in minnow/);
      assert.match(said, why);
    });
  }
});

describe('a signal that comes while it starts ends the program', () => {
  test('in order, as soon as the start is over', async () => {
    const { code, said } = await breakOne('slow start', 'sync', 1, heldUp, 30_000);
    assert.equal(code, Exit.ok, said);
    assert.match(said, /stopped/);
    assert.doesNotMatch(said, /not everything could be closed/);
  });

  test('within its bound, where the start is never over', async () => {
    const { code, said } = await breakOne('endless start', 'sync', 1, heldUp);
    assert.equal(code, Exit.ok, said);
    assert.match(said, /not everything could be closed in time/);
    assert.doesNotMatch(said, ready);
  });
});
