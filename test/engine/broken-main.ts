// minnow whose MINNOW_BREAKS part fails of a bug: the pool as soon as it listens, the starts in
// that they last too long or for ever, the others when they are told to stop. The tests start it to
// see the whole program end.

import { once } from 'node:events';
import { ThreadEngine } from '../../src/engine/thread/thread-engine.ts';
import { WorkerPool } from '../../src/io/sync/pool/worker-pool.ts';

const NO_DESCRIPTOR = -1;

function breakEngine(): void {
  ThreadEngine.prototype.stop = function () {
    this.ask({ about: 'reconfigure' } as never, () => {});
  };
}

function breakStore(): void {
  ThreadEngine.prototype.stop = function () {
    this.ask({ about: 'store', request: null as never }, () => {});
  };
}

function breakPool(): void {
  const { listen } = WorkerPool.prototype;
  WorkerPool.prototype.listen = function (host, port) {
    for (const links of this.feeds) links.listenOn(NO_DESCRIPTOR, 'nowhere');
    return listen.call(this, host, port);
  };
}

/** `until`: what the start waits for when all of it is done. */
function delayStart(until: () => Promise<unknown>): void {
  const { start } = ThreadEngine;
  ThreadEngine.start = async (config, parts) => {
    const engine = await start.call(ThreadEngine, config, parts);
    parts.log.info('the start is held up');
    await until();
    return engine;
  };
}

const breaks: Readonly<Record<string, () => void>> = {
  engine: breakEngine,
  store: breakStore,
  pool: breakPool,
  'slow start': () => delayStart(() => once(process, 'SIGTERM')),
  'endless start': () => delayStart(() => new Promise(() => {})),
};
breaks[process.env.MINNOW_BREAKS ?? '']?.();
await import('../../src/main.ts');
