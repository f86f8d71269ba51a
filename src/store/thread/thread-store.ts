// A store on a thread of its own, so that a slow disk stalls only those who wait for it. What is
// kept is read here, before there is a thread: that is sooner done than a thread is started, and
// whoever keeps nothing needs none. The first who wants something starts it. The file is left to it
// once it runs and has something to do, and not before: another process could find it free. Batches
// travel as one transferred buffer each, windows come back the same way. Answers come as events, or
// where the thread that asked is blocked and runs none, when it fetches them (`drain`).

import {
  MessageChannel,
  type MessagePort,
  receiveMessageOnPort,
  Worker,
} from 'node:worker_threads';
import { threadProgram } from '../../thread-program.ts';
import type { SqliteSettings } from '../sqlite/connection.ts';
import { runtimeDriver } from '../sqlite/runtime-driver.ts';
import { SqliteStore } from '../sqlite/sqlite-store.ts';
import {
  type Batch,
  type Loaded,
  type Store,
  type StoreDescription,
  StoreError,
  type StoreUsage,
} from '../store.ts';
import type { Upkeeper, UpkeepRequest, UpkeepResult } from '../upkeep/upkeep.ts';
import { ByteReader, ByteWriter } from './byte-writer.ts';
import type { FromThread, ThreadData, ThreadState, ToThread } from './messages.ts';
import { encodeOps } from './ops-codec.ts';
import { decodeWindow } from './rows-codec.ts';

interface Far {
  readonly worker: Worker;
  readonly port: MessagePort;
}

interface Waiting {
  readonly message: ToThread;
  readonly transfer: ArrayBuffer[];
}

export class ThreadStore implements Store, Upkeeper {
  private readonly settings: SqliteSettings;
  private readonly bell: number | null;
  /** Until the thread takes over; nothing is written by it. */
  private near: SqliteStore | null;
  /** Since somebody wanted something. */
  private far: Far | null = null;
  /** Whether the thread runs. */
  private up = false;
  /** What was wanted before that. */
  private waiting: Waiting[] = [];
  private readonly writer = new ByteWriter();
  private state: ThreadState;
  private closing: (() => void) | null = null;
  private readonly upkeeps = new Map<number, (outcome: UpkeepResult | StoreError) => void>();
  private lastUpkeep = 0;
  onCommitted: Store['onCommitted'] = () => {};
  onFailed: Store['onFailed'] = () => {};
  onWindow: Store['onWindow'] = () => {};
  onWindowFailed: Store['onWindowFailed'] = () => {};

  /** `bell`: an eventfd that is rung after every answer, for an owner that waits for it and then
   *  calls `drain`. Rejects with a StoreError. */
  static async open(settings: SqliteSettings, bell: number | null = null): Promise<ThreadStore> {
    const store = new ThreadStore(settings, bell, new SqliteStore(settings, await runtimeDriver()));
    // Whoever is blocked later starts threads while it is not.
    if (bell !== null) store.far = store.startThread();
    return store;
  }

  private constructor(settings: SqliteSettings, bell: number | null, near: SqliteStore) {
    this.settings = settings;
    this.bell = bell;
    this.near = near;
    this.state = { description: near.description, usage: near.usage };
  }

  private startThread(): Far {
    const { port1: port, port2 } = new MessageChannel();
    const workerData: ThreadData = { minnowStore: this.settings, port: port2, bell: this.bell };
    const worker = new Worker(threadProgram('store/thread/worker'), {
      workerData,
      transferList: [port2],
    });
    port.on('message', (message: FromThread) => this.handle(message));
    worker.on('error', error => {
      throw error; // a bug, and nothing can be promised any more
    });
    return { worker, port };
  }

  /** The file is the thread's from now on, if it can and has to do something with it. */
  private handOver(near: SqliteStore, { port }: Far): void {
    if (!this.up || this.waiting.length === 0) return;
    this.near = null;
    port.postMessage({ type: 'take-over', heritage: near.release() } satisfies ToThread);
    for (const { message, transfer } of this.waiting) port.postMessage(message, transfer);
    this.waiting = [];
  }

  /** What waits is handled now and not as an event. */
  drain(): void {
    while (this.far !== null) {
      const received = receiveMessageOnPort(this.far.port);
      if (received === undefined) return;
      this.handle(received.message as FromThread);
    }
  }

  get description(): StoreDescription {
    return { ...this.state.description, threaded: true };
  }

  get usage(): StoreUsage {
    return this.state.usage;
  }

  async load(): Promise<Loaded> {
    if (this.near === null) throw new Error('a store is loaded once, before all else');
    const loaded = await this.near.load();
    this.state = { description: this.near.description, usage: this.near.usage };
    return loaded;
  }

  commit(batch: Batch): void {
    const { after, through, sync, clock, wall } = batch;
    const bytes = encodeOps(batch.ops, this.writer);
    const message = { type: 'commit', bytes, after, through, sync, clock, wall } as const;
    this.post(message, [bytes]);
  }

  requestWindow(sid: number, afterRank: number, limit: number, bytesMax: number): void {
    this.post({ type: 'window', sid, afterRank, limit, bytesMax });
  }

  upkeep(request: UpkeepRequest, done: (outcome: UpkeepResult | StoreError) => void): void {
    const id = ++this.lastUpkeep;
    this.upkeeps.set(id, done);
    this.post({ type: 'upkeep', id, request });
  }

  private post(message: ToThread, transfer: ArrayBuffer[] = []): void {
    this.far ??= this.startThread();
    if (this.near === null) {
      this.far.port.postMessage(message, transfer);
      return;
    }
    this.waiting.push({ message, transfer });
    this.handOver(this.near, this.far);
  }

  private handle(message: FromThread): void {
    switch (message.type) {
      case 'committed':
        this.state = { ...this.state, usage: message.usage };
        this.onCommitted(message.through, message.synced, message.bytesWritten);
        break;
      case 'failed':
        this.onFailed(message.through, new StoreError(message.error.code, message.error.message));
        break;
      case 'window':
        // Its rows are views into one buffer, which goes with the last of them: windows are small
        // and do not last. What is loaded may last for years, so each of that is a copy.
        this.onWindow(
          message.sid,
          decodeWindow(new ByteReader(message.bytes, false)),
          message.complete,
        );
        break;
      case 'window-failed': {
        const { code, message: text } = message.error;
        this.onWindowFailed(message.sid, new StoreError(code, text));
        break;
      }
      case 'up':
        this.up = true;
        if (this.near !== null && this.far !== null) this.handOver(this.near, this.far);
        break;
      case 'described':
        this.state = message.state;
        break;
      case 'kept-up':
        this.endUpkeep(message.id, message.result);
        break;
      case 'upkeep-failed': {
        const { code, message: text } = message.error;
        this.endUpkeep(message.id, new StoreError(code, text));
        break;
      }
      case 'closed':
        this.closing?.();
        break;
      case 'broken':
        throw new Error(`the store's thread has failed: ${message.why}`);
    }
  }

  private endUpkeep(id: number, outcome: UpkeepResult | StoreError): void {
    const done = this.upkeeps.get(id);
    this.upkeeps.delete(id);
    done?.(outcome);
  }

  async close(): Promise<void> {
    if (this.near !== null && this.far === null) return this.near.close();
    await new Promise<void>(resolve => {
      this.closing = resolve;
      this.post({ type: 'close' });
    });
    this.far?.port.close();
    await this.far?.worker.terminate();
  }
}
