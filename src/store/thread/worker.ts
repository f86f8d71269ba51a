// The store's thread: a SqliteStore that is asked and answers by messages, in order. It goes on
// with a file that its owner has read. While nobody asks, it puts the file in order, a slice at a
// time.

import { writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import type { Op } from '../ops.ts';
import { runtimeDriver } from '../sqlite/runtime-driver.ts';
import { type Heritage, SqliteStore } from '../sqlite/sqlite-store.ts';
import { type Batch, type StoreDescription, StoreError } from '../store.ts';
import type { UpkeepRequest } from '../upkeep/upkeep.ts';
import type { ErrorParts, FromThread, ThreadData, ThreadState, ToThread } from './messages.ts';
import { decodeOps } from './ops-codec.ts';
import { encodeWindow } from './rows-codec.ts';

const { minnowStore, port, bell } = workerData as ThreadData;
/** What rings an eventfd once. */
const ring = new BigUint64Array([1n]);

function send(message: FromThread): void {
  port.postMessage(message);
  if (bell !== null) writeSync(bell, ring);
}

let broken = false;

/** A bug in `work` is thrown at the owner, which if it is blocked would not hear of this thread's
 *  end; nothing can be promised any more. */
function guarded(work: () => void): void {
  if (broken) return;
  try {
    work();
  } catch (error) {
    broken = true;
    send({ type: 'broken', why: String((error as Error).stack ?? error) });
    port.close(); // and so ends this thread
  }
}

function sendBytes(message: FromThread & { readonly bytes: ArrayBuffer }): void {
  port.postMessage(message, [message.bytes]);
  if (bell !== null) writeSync(bell, ring);
}

/** A batch that is decoded when it is needed: what has to be remembered of it is its bytes. */
class EncodedBatch implements Batch {
  readonly after: number;
  readonly through: number;
  readonly sync: boolean;
  readonly clock: number;
  readonly wall: number;
  private readonly bytes: ArrayBuffer;

  constructor(message: ToThread & { readonly type: 'commit' }) {
    this.after = message.after;
    this.through = message.through;
    this.sync = message.sync;
    this.clock = message.clock;
    this.wall = message.wall;
    this.bytes = message.bytes;
  }

  get ops(): readonly Op[] {
    return decodeOps(this.bytes, false);
  }
}

class StoreThread {
  private readonly store: SqliteStore;
  private description: StoreDescription;
  private tending = false;

  constructor(store: SqliteStore) {
    this.store = store;
    store.stepwise = true;
    this.description = store.description;
    store.onCommitted = (through, synced, bytesWritten) =>
      send({ type: 'committed', through, synced, bytesWritten, usage: store.usage });
    store.onFailed = (through, error) => send({ type: 'failed', through, error: parts(error) });
    store.onWindow = (sid, rows, complete) =>
      sendBytes({ type: 'window', sid, bytes: encodeWindow(rows), complete });
    store.onWindowFailed = (sid, error) =>
      send({ type: 'window-failed', sid, error: parts(error) });
  }

  private get state(): ThreadState {
    return { description: this.store.description, usage: this.store.usage };
  }

  handle(message: Exclude<ToThread, { type: 'take-over' }>): void {
    switch (message.type) {
      case 'commit':
        this.store.commit(new EncodedBatch(message));
        break;
      case 'window': {
        const { sid, afterRank, limit, bytesMax } = message;
        this.store.requestWindow(sid, afterRank, limit, bytesMax);
        break;
      }
      case 'upkeep':
        this.upkeep(message.id, message.request);
        break;
      case 'close':
        void this.close();
        return;
    }
    if (this.store.description !== this.description) {
      this.description = this.store.description;
      send({ type: 'described', state: this.state });
    }
    this.tendSoon();
  }

  private upkeep(id: number, request: UpkeepRequest): void {
    this.store.upkeep(request, outcome => {
      if (outcome instanceof StoreError) send({ type: 'upkeep-failed', id, error: parts(outcome) });
      else send({ type: 'kept-up', id, result: outcome });
    });
  }

  private tendSoon(): void {
    if (this.tending) return;
    this.tending = true;
    setImmediate(() =>
      guarded(() => {
        this.tending = false;
        if (this.store.tend()) this.tendSoon();
      }),
    );
  }

  private async close(): Promise<void> {
    this.tending = true;
    await this.store.close();
    send({ type: 'closed' });
    port.close();
  }
}

function parts({ code, message }: StoreError): ErrorParts {
  return { code, message };
}

const driver = await runtimeDriver();
let thread: StoreThread | null = null;

function handle(message: ToThread): void {
  if (message.type === 'take-over') thread = takeOver(message.heritage);
  else thread?.handle(message);
}

function takeOver(heritage: Heritage): StoreThread {
  return new StoreThread(new SqliteStore(minnowStore, driver, heritage));
}

port.on('message', (message: ToThread) => guarded(() => handle(message)));
send({ type: 'up' });
