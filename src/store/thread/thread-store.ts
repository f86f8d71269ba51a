// A store on a thread of its own, so that a slow disk stalls only those who wait for it. Batches
// travel as one transferred buffer each, windows come back the same way. Answers come as events, or
// where the thread that asked is blocked and runs none, when it fetches them (`drain`).

import {
  MessageChannel,
  type MessagePort,
  receiveMessageOnPort,
  Worker,
} from 'node:worker_threads';
import { threadProgram } from '../../thread-program.ts';
import { LoadCollector } from '../loading.ts';
import type { SqliteSettings } from '../sqlite/connection.ts';
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
import { decodeWindow, readLoaded } from './rows-codec.ts';

export class ThreadStore implements Store, Upkeeper {
  private readonly worker: Worker;
  private readonly port: MessagePort;
  private readonly writer = new ByteWriter();
  private state: ThreadState;
  private loading: Loading | null = null;
  private closing: (() => void) | null = null;
  private readonly upkeeps = new Map<number, (outcome: UpkeepResult | StoreError) => void>();
  private lastUpkeep = 0;
  onCommitted: Store['onCommitted'] = () => {};
  onFailed: Store['onFailed'] = () => {};
  onWindow: Store['onWindow'] = () => {};
  onWindowFailed: Store['onWindowFailed'] = () => {};

  /** `bell`: an eventfd that is rung after every answer, for an owner that waits for it and then
   *  calls `drain`. Rejects with a StoreError. */
  static open(settings: SqliteSettings, bell: number | null = null): Promise<ThreadStore> {
    const { port1: port, port2 } = new MessageChannel();
    const workerData: ThreadData = { minnowStore: settings, port: port2, bell };
    const worker = new Worker(threadProgram('store/thread/worker'), {
      workerData,
      transferList: [port2],
    });
    return new Promise((resolve, reject) => {
      worker.once('error', reject);
      port.once('message', (message: FromThread) => {
        worker.off('error', reject);
        if (message.type === 'open') {
          resolve(new ThreadStore(worker, port, message.state));
        } else if (message.type === 'refused') {
          port.close();
          reject(new StoreError(message.error.code, message.error.message));
        }
      });
    });
  }

  private constructor(worker: Worker, port: MessagePort, state: ThreadState) {
    this.worker = worker;
    this.port = port;
    this.state = state;
    port.on('message', (message: FromThread) => this.handle(message));
    worker.on('error', error => {
      throw error; // a bug, and nothing can be promised any more
    });
  }

  /** What waits is handled now and not as an event. */
  drain(): void {
    for (;;) {
      const received = receiveMessageOnPort(this.port);
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

  load(): Promise<Loaded> {
    return new Promise((resolve, reject) => {
      this.loading = { collector: new LoadCollector(), resolve, reject };
      this.post({ type: 'load' });
    });
  }

  commit(batch: Batch): void {
    const { after, through, sync, clock, wall } = batch;
    const bytes = encodeOps(batch.ops, this.writer);
    const message = { type: 'commit', bytes, after, through, sync, clock, wall } as const;
    this.port.postMessage(message satisfies ToThread, [bytes]);
  }

  requestWindow(sid: number, afterRank: number, limit: number, bytesMax: number): void {
    this.post({ type: 'window', sid, afterRank, limit, bytesMax });
  }

  upkeep(request: UpkeepRequest, done: (outcome: UpkeepResult | StoreError) => void): void {
    const id = ++this.lastUpkeep;
    this.upkeeps.set(id, done);
    this.post({ type: 'upkeep', id, request });
  }

  private post(message: ToThread): void {
    this.port.postMessage(message);
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
      case 'open':
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
      default:
        this.handleLoading(message);
    }
  }

  private endUpkeep(id: number, outcome: UpkeepResult | StoreError): void {
    const done = this.upkeeps.get(id);
    this.upkeeps.delete(id);
    done?.(outcome);
  }

  private handleLoading(message: LoadingMessage): void {
    const { loading } = this;
    if (loading === null) return;
    switch (message.type) {
      case 'part': {
        const reader = new ByteReader(message.bytes, true);
        while (!reader.done) loading.collector.take(readLoaded(reader));
        break;
      }
      case 'reset':
        loading.collector.reset();
        break;
      case 'loaded':
        this.state = message.state;
        this.loading = null;
        loading.resolve(loading.collector.finish(message.totals));
        break;
      case 'refused':
        this.loading = null;
        loading.reject(new StoreError(message.error.code, message.error.message));
        break;
    }
  }

  async close(): Promise<void> {
    await new Promise<void>(resolve => {
      this.closing = resolve;
      this.post({ type: 'close' });
    });
    this.port.close();
    await this.worker.terminate();
  }
}

interface Waiting<Answer> {
  resolve(answer: Answer): void;
  reject(error: StoreError): void;
}

interface Loading extends Waiting<Loaded> {
  readonly collector: LoadCollector;
}

type LoadingMessage = FromThread & { readonly type: 'part' | 'reset' | 'loaded' | 'refused' };
