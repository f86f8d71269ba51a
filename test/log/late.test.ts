// The logger of a start: what it holds, in which order it lets go, and who may hurry it.

import assert from 'node:assert/strict';
import type { LogConfig } from '../../src/config/config.ts';
import { createLateLogger } from '../../src/log/late.ts';
import { createLogger, type RootLogger } from '../../src/log.ts';
import { describe, test } from '../harness.ts';

/** Flushes end by themselves, long before. */
const FLUSH_MS = 30_000;
const CONFIG: LogConfig = { level: 'info', format: 'json', levels: {}, burst: 100 };

/** A late logger, and everything that the one behind it wrote. */
function rig(config = CONFIG) {
  const lines: string[] = [];
  let opened = 0;
  let released = () => {};
  const release = new Promise<void>(resolve => {
    released = resolve;
  });
  const open = async (): Promise<RootLogger> => {
    opened++;
    const sink = {
      write(bytes: Uint8Array, done: (error: null, written: number) => void) {
        lines.push(...Buffer.from(bytes).toString().trimEnd().split('\n'));
        done(null, bytes.length);
        released();
      },
    };
    return createLogger(CONFIG, { sink });
  };
  const said = () => lines.map(line => JSON.parse(line) as Record<string, unknown>);
  return { log: createLateLogger(config, open), said, release, opened: () => opened };
}

describe('the logger of a start', () => {
  test('holds lines and lets them go by itself, each with its module', async () => {
    const { log, said, release, opened } = rig();
    log.child('store').warn('first', { path: 'a' });
    log.info('second');
    assert.deepEqual([said().length, opened()], [0, 0], 'nothing is loaded at once');
    await release;
    await log.flush(FLUSH_MS);
    assert.deepEqual(
      said().map(({ module, level, msg }) => [module, level, msg]),
      [
        ['store', 'warn', 'first'],
        ['main', 'info', 'second'],
      ],
    );
    assert.equal(said()[0]!.path, 'a');
    assert.equal(opened(), 1);
  });

  test('a flush waits for what is held, and later lines follow at once', async () => {
    const { log, said } = rig();
    log.error('why it ends');
    await log.flush(FLUSH_MS);
    log.child('io').info('after');
    await log.flush(FLUSH_MS);
    assert.deepEqual(
      said().map(({ msg }) => msg),
      ['why it ends', 'after'],
    );
  });

  test('knows the level of a module before anything is loaded, and hears of a change', async () => {
    const { log, said } = rig({ ...CONFIG, levels: { io: 'error' } });
    const io = log.child('io');
    assert.deepEqual(
      [log.shows('info'), log.shows('debug'), io.shows('warn')],
      [true, false, false],
    );
    io.warn('not shown');
    log.reconfigure({ ...CONFIG, level: 'debug' });
    assert.ok(io.shows('warn'));
    log.debug('shown');
    await log.flush(FLUSH_MS);
    log.reconfigure({ ...CONFIG, level: 'error' });
    log.warn('no more');
    await log.flush(FLUSH_MS);
    assert.deepEqual(
      said().map(({ msg }) => msg),
      ['shown'],
    );
  });
});
