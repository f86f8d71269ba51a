// A store that keeps nothing: every batch is committed as soon as it is given, and nothing is there
// after a restart. For store.kind = "memory"; since nothing is ever on a disk, nothing is read
// back.

import { type Batch, emptyLoad, type Loaded, type Store, type StoreUsage } from './store.ts';

export class MemoryStore implements Store {
  readonly description = Object.freeze({
    kind: 'memory',
    journalMode: 'memory',
    path: '',
    driver: '',
    threaded: false,
    movedAside: null,
    fallbackReason: null,
  } as const);
  readonly usage: StoreUsage = Object.freeze({
    fileBytes: 0,
    usedBytes: 0,
    walBytes: 0,
    commitMs: 0,
  });
  onCommitted: Store['onCommitted'] = () => {};
  onFailed: Store['onFailed'] = () => {};
  onWindow: Store['onWindow'] = () => {};
  onWindowFailed: Store['onWindowFailed'] = () => {};

  async load(): Promise<Loaded> {
    return emptyLoad;
  }

  commit(batch: Batch): void {
    this.onCommitted(batch.through, batch.sync, 0);
  }

  requestWindow(sid: number): void {
    this.onWindow(sid, [], true);
  }

  drain(): void {}

  async close(): Promise<void> {}
}
