// kill -9 at a random moment: whatever was said to be committed is there, in both classes, and what
// is there has no gaps.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { newFolder, openInline, removeFolders, StoreUser } from '../contract/store-kit.ts';
import { afterAll, describe, freshSeed, rounds, test } from '../harness.ts';
import { Prng } from '../prng.ts';

afterAll(removeFolders);

const program = fileURLToPath(new URL('./crash-child.ts', import.meta.url));
const seed = freshSeed();

/** Lets a child commit at least `count` messages, kills it, and gives the last that it told of. */
async function killAfter(count: number, folder: string, kind: string): Promise<number> {
  const child = spawn(process.execPath, [...process.execArgv, program, folder, kind], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  let text = '';
  const last = () => Number(text.slice(0, text.lastIndexOf('\n')).split('\n').at(-1));
  for await (const chunk of child.stdout.setEncoding('utf8')) {
    text += chunk;
    if (last() >= count) child.kill('SIGKILL');
  }
  assert.deepEqual(await exited, [null, 'SIGKILL']);
  return last();
}

describe(`kill -9 (MINNOW_SEED=${seed})`, () => {
  for (const kind of ['written', 'strict']) {
    test(`loses nothing that was committed, class ${kind}`, async () => {
      const prng = new Prng(seed);
      for (let round = 0; round < 3 * rounds; round++) {
        const folder = newFolder();
        const last = await killAfter(prng.between(1, 400), folder, kind);
        const user = new StoreUser(openInline(folder));
        const { queues, clock } = await user.store.load();
        const rows = await user.backlog(1, 1_000);
        assert.ok(rows.length >= last, `${rows.length} of ${last}`);
        assert.deepEqual(
          rows.map(({ rank }) => rank),
          Array.from(rows, (_, i) => i + 1),
        );
        assert.equal(queues[0]?.queued, rows.length);
        assert.ok(clock !== null && rows.length - clock.clock <= 1_001);
        await user.store.close();
      }
    });
  }
});
