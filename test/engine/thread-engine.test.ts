// What an engine's thread says first counts, however early it comes: on a busy machine the thread
// may serve clients before whoever launched it runs again.

import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { allowAll } from '../../src/auth/allow-all.ts';
import { loadConfig } from '../../src/config/config.ts';
import type { FromEngine } from '../../src/engine/thread/messages.ts';
import { type Launch, type Thread, ThreadEngine } from '../../src/engine/thread/thread-engine.ts';
import { createProcessRoom } from '../../src/io/room.ts';
import { Mailbox } from '../../src/io/sync/mailbox.ts';
import { createLogger } from '../../src/log.ts';
import { StoreError } from '../../src/store/store.ts';
import { describe, test } from '../harness.ts';

class QuickThread extends EventEmitter implements Thread {
  async terminate(): Promise<void> {}
}

/** A thread that has said all of it before `launch` returns; the messages that wake whoever reads
 *  come as soon as that waits for anything. */
function saying(messages: readonly FromEngine[]): Launch {
  return ({ minnowEngine }) => {
    const thread = new QuickThread();
    const wake = () => queueMicrotask(() => thread.emit('message'));
    const mail = new Mailbox(minnowEngine.mailbox, 'second', wake);
    for (const message of messages) mail.deliver(message);
    return thread;
  };
}

function start(...messages: FromEngine[]): Promise<ThreadEngine> {
  const flags = { set: ['log.level=silent'] };
  const loaded = loadConfig({ flags }, { env: {}, isRoot: false, version: '0' });
  assert.ok('config' in loaded);
  const parts = {
    log: createLogger(loaded.config.log),
    authenticator: allowAll,
    access: null,
    watchdog: null,
    room: createProcessRoom(),
  };
  return ThreadEngine.start(loaded.config, parts, saying(messages));
}

describe('a thread that is quicker than whoever launched it', () => {
  test('is heard when it says that it has started', async () => {
    const addresses = ['127.0.0.1:1883'];
    const engine = await start({ type: 'started', addresses }, { type: 'closed' });
    assert.deepEqual(engine.addresses, addresses);
    await engine.close();
  });

  test('is heard when it says why it cannot', async () => {
    const fault = { kind: 'store', code: 'damaged', message: 'not today' } as const;
    await assert.rejects(
      start({ type: 'refused', fault }),
      error => error instanceof StoreError && error.message === fault.message,
    );
  });
});
