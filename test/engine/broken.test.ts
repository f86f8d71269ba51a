// A bug on any thread ends the whole program, says what happened, and gives the exit code of a bug:
// whoever supervises the broker starts it again. Nothing hangs.

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

/** Starts minnow, whose `part` fails, and gives how it ends. */
async function breakOne(part: string, mode: string, poolSize: number) {
  const runtime = [process.execPath, ...process.execArgv.filter(arg => arg.startsWith('--import'))];
  const flags = ['--listen', '127.0.0.1:0', '--data', data, '--io', mode];
  const settings = ['--set', `io.poolSize=${poolSize}`, '--set', 'store.thread=own'];
  const command = [...runtime, program, 'serve', ...flags, ...settings];
  const broker = new Background(['env', `MINNOW_BREAKS=${part}`, ...command]);
  if (part !== 'pool') {
    await broker.line(/minnow is ready/);
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
      const { code, said } = await breakOne(part, mode, poolSize);
      assert.equal(code, Exit.internal, said);
      assert.match(said, /this is a bug in minnow/);
      assert.match(said, why);
    });
  }
});
