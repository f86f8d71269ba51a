// An engine on a thread of its own, as the main thread sees it: the synchronous mode. Everything
// goes by messages; the authenticator and the logger are asked here on the engine's behalf.

import { type ResourceLimits, Worker } from 'node:worker_threads';
import type { AccessSpec } from '../../auth/create.ts';
import type { Config } from '../../config/config.ts';
import type { Authenticator } from '../../core/access.ts';
import { FarSide } from '../../io/doors/far-side.ts';
import type { RoomShare } from '../../io/room.ts';
import { Doorbell } from '../../io/sync/doorbell.ts';
import { createMailbox, Mailbox } from '../../io/sync/mailbox.ts';
import { leaveThreadsBehind, openLibc } from '../../io/sync/open-libc.ts';
import { createRing } from '../../io/sync/ring.ts';
import type { Logger } from '../../log.ts';
import { LifeSigns, type WatchdogRequest } from '../../service/watchdog.ts';
import { StoreError, type StoreErrorCode } from '../../store/store.ts';
import { threadProgram } from '../../thread-program.ts';
import type { Answer, Question } from '../questions.ts';
import {
  decodeCredentials,
  type EngineThreadData,
  encodeResult,
  type FromEngine,
  type StartFault,
  type ToEngine,
} from './messages.ts';

const MAILBOX_BYTES = 256 * 1024;
/** How many times `ringBytes` those to the doors have, and how much at least: one read through TLS
 *  brings up to half a megabyte, and all that is ready is read before the core has its turn. To
 *  hold the doors back and let them go on costs, and so does going over more memory. */
const DOOR_RINGS = 4;
const DOOR_RING_BYTES_MIN = 256 * 1024;
/** Only Node heeds it. */
const SMALL_HEAP = { maxYoungGenerationSizeMb: 2 };

interface Parts {
  readonly log: Logger;
  readonly authenticator: Authenticator;
  readonly access: AccessSpec | null;
  readonly watchdog: WatchdogRequest | null;
  /** What there is for the sockets of the process. */
  readonly room: RoomShare;
}

/** What is asked of the thread itself. */
export interface Thread {
  on(event: 'message', listener: () => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  terminate(): Promise<unknown>;
}

/** Starts the thread, which may be quicker than whoever started it. */
export type Launch = (workerData: EngineThreadData, resourceLimits: ResourceLimits) => Thread;

const launchWorker: Launch = (workerData, resourceLimits) =>
  new Worker(threadProgram('engine/thread/worker'), { workerData, resourceLimits });

export class ThreadEngine {
  addresses: readonly string[] = [];
  private readonly worker: Thread;
  private readonly bell: Doorbell;
  private readonly threadsGone: () => void;
  private readonly farSide: FarSide | null;
  /** For the watchdog, which the thread answers. */
  private readonly lifeSigns: LifeSigns | null;
  private readonly mail: Mailbox;
  private readonly parts: Parts;
  private readonly asked = new Map<number, (answer: Answer) => void>();
  private last = 0;
  private readonly started: Promise<void>;
  private onStarted: (error: Error | null) => void = () => {};
  private onEmpty: () => void = () => {};
  private readonly closed: Promise<void>;
  private onClosed: () => void = () => {};

  /** Rejects as Engine.start does, or with an error of whoever brings the C library. */
  static async start(
    config: Config,
    parts: Parts,
    launch: Launch = launchWorker,
  ): Promise<ThreadEngine> {
    const libc = await openLibc();
    const bell = new Doorbell(libc);
    const threadsGone = leaveThreadsBehind(libc);
    const engine = new ThreadEngine(config, parts, bell, threadsGone, launch);
    await engine.started;
    return engine;
  }

  private constructor(
    config: Config,
    parts: Parts,
    bell: Doorbell,
    threadsGone: () => void,
    launch: Launch,
  ) {
    // What the thread says first may be there as soon as it is launched.
    this.started = new Promise((resolve, reject) => {
      this.onStarted = error => (error === null ? resolve() : reject(error));
    });
    this.closed = new Promise(resolve => {
      this.onClosed = resolve;
    });
    const mailbox = createMailbox(MAILBOX_BYTES);
    const ringBytes = Math.max(DOOR_RING_BYTES_MIN, DOOR_RINGS * config.io.ringBytes);
    const ring = () => createRing(ringBytes);
    const doors = config.doors.length === 0 ? null : { up: ring(), down: ring() };
    const { access, room } = parts;
    this.lifeSigns = parts.watchdog && new LifeSigns(parts.watchdog.timeoutMs);
    const watchdog = parts.watchdog && { ...parts.watchdog, lifeSigns: this.lifeSigns!.memory };
    const workerData: EngineThreadData = {
      minnowEngine: { config, access, mailbox, bell: bell.fd, doors, watchdog, room },
    };
    this.farSide = doors && new FarSide(doors.up, doors.down, () => bell.ring());
    this.parts = parts;
    this.bell = bell;
    this.threadsGone = threadsGone;
    this.mail = new Mailbox(mailbox, 'first', () => bell.ring());
    this.worker = launch(workerData, config.io.smallHeap ? SMALL_HEAP : {});
    this.worker.on('message', () => {
      this.readMail();
      this.farSide?.wake();
    });
    this.worker.on('error', error => {
      throw error; // a bug, and nothing can be promised any more
    });
  }

  /** As Engine.side, where the configuration has doors. */
  get side(): FarSide {
    if (this.farSide === null) throw new Error('this engine was started without doors');
    return this.farSide;
  }

  ask(question: Question, done: (answer: Answer) => void): void {
    const id = ++this.last;
    this.asked.set(id, done);
    this.tell({ type: 'ask', id, question });
  }

  /** As Engine.stop. */
  stop(done: () => void): void {
    this.onEmpty = done;
    this.tell({ type: 'stop' });
  }

  /** As Engine.close, once `stop` has called back. */
  async close(): Promise<void> {
    await this.closed;
    this.farSide?.stop();
    this.lifeSigns?.stop();
    await this.worker.terminate();
    this.threadsGone();
    this.bell.close();
  }

  private tell(message: ToEngine): void {
    this.mail.deliver(message);
  }

  private readMail(): void {
    for (let mail = this.mail.receive(); mail !== null; mail = this.mail.receive()) {
      this.handle(mail as FromEngine);
    }
  }

  private handle(message: FromEngine): void {
    switch (message.type) {
      case 'log': {
        const { module, level, message: text, fields } = message;
        this.parts.log.child(module).log(level, text, fields);
        break;
      }
      case 'authenticate': {
        const { id } = message;
        this.parts.authenticator.authenticate(decodeCredentials(message.credentials), result =>
          this.tell({ type: 'verdict', id, result: encodeResult(result) }),
        );
        break;
      }
      case 'answer': {
        const done = this.asked.get(message.id);
        this.asked.delete(message.id);
        done?.(message.answer);
        break;
      }
      case 'started':
        this.addresses = message.addresses;
        this.onStarted(null);
        break;
      case 'refused':
        this.lifeSigns?.stop();
        void this.worker.terminate().then(this.threadsGone);
        this.bell.close();
        this.onStarted(errorOf(message.fault));
        break;
      case 'empty':
        this.onEmpty();
        break;
      case 'closed':
        this.onClosed();
        break;
    }
  }
}

function errorOf(fault: StartFault): Error {
  const { kind, code, message } = fault;
  if (kind === 'store') return new StoreError(code as StoreErrorCode, message);
  return Object.assign(new Error(message), fault);
}
