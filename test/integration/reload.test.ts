// Reading the configuration again while clients are connected, in both I/O modes: what can be taken
// over is, the rest is told, a broken file changes nothing, and nobody's connection notices.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, test } from '../harness.ts';
import { messages, minnow, minnowSub, ok, run, useMinnow } from './process.ts';

for (const mode of ['async', 'sync']) {
  describe(`a reload in the mode ${mode}`, () => {
    const directory = mkdtempSync(join(tmpdir(), 'minnow-reload-'));
    const file = join(directory, 'minnow.toml');
    const write = (...lines: string[]) => writeFileSync(file, `${lines.join('\n')}\n`);
    write('[queue]', 'messagesMax = 100');
    const broker = useMinnow('--config', file, '--io', mode);
    afterAll(() => rmSync(directory, { recursive: true }));

    const reload = () => run([...minnow, 'reload', '--data', broker.data]);
    const pub = (...args: string[]) =>
      ok([...minnow, 'pub', ...broker.address, '-q', '1', ...args]);

    test('takes over what can be, tells the rest, and cuts nobody off', async () => {
      const here = await minnowSub(broker, '-i', 'here', '-q', '1', '-t', 'a/#');
      await pub('-t', 'a/b', '-m', 'before');
      const more = ['[log]', 'level = "debug"', '[limits]', 'packetSizeMaxBytes = "1MB"'];
      write('[queue]', 'messagesMax = 2', ...more);
      const { code, lines } = await reload();
      assert.equal(code, 0);
      assert.deepEqual(lines, [
        'taken over: log.level, queue.messagesMax',
        'these wait for a restart: limits.packetSizeMaxBytes',
      ]);
      await pub('-t', 'a/b', '-m', 'after');
      await here.until(() => messages(here).length === 2, 'both messages');
      assert.deepEqual(messages(here), ['a/b before', 'a/b after']);

      // The queue's new bound holds: two of three wait for a client that is away.
      const away = ['-i', 'away', '-c', '-q', '1', '-t', 'q'];
      const sub = [...minnow, 'sub', ...broker.address, ...away];
      await ok([...sub, '-E']);
      for (const text of ['1', '2', '3']) await pub('-t', 'q', '-m', text);
      const { lines: kept } = await ok([...sub, '-C', '2']);
      assert.deepEqual(kept, ['1', '2']);
      await here.end();
    });

    test('SIGHUP does the same', async () => {
      write('[queue]', 'messagesMax = 3');
      process.kill(broker.process.pid, 'SIGHUP');
      await broker.process.line(/messagesMax.*configuration reloaded/);
    });

    test('a file with faults leaves everything as it is, and says why', async () => {
      write('[queue]', 'messagesMax = "many"');
      const { code, stderr } = await reload();
      assert.equal(code, 1);
      assert.match(stderr, /minnow\.toml:2: queue\.messagesMax: found "many", expected a whole/);
      await broker.process.line(/messagesMax.*the old one stays in force/);
      await pub('-t', 'a/b', '-m', 'still here');
    });
  });
}
