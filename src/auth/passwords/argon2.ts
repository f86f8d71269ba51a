// argon2id on a thread of its own: mosquitto's parameters take 46 MB and some 100 ms of pure
// computing. The thread starts at the first hash, works off one after the other and ends when it
// has been idle for a while, which gives the memory back.

import { Worker } from 'node:worker_threads';
import { threadProgram } from '../../thread-program.ts';
import type { Argon2Hash } from './stored-hash.ts';

export interface Argon2Task {
  readonly id: number;
  readonly password: Uint8Array;
  readonly hash: Argon2Hash;
}

export interface Argon2Answer {
  readonly id: number;
  readonly digest: Uint8Array | null;
  readonly why: string;
}

interface Waiting {
  readonly resolve: (digest: Uint8Array) => void;
  readonly reject: (error: Error) => void;
}

const IDLE_MS = 10_000;

class Argon2Thread {
  private readonly worker = new Worker(threadProgram('auth/passwords/argon2-worker'));
  private readonly waiting = new Map<number, Waiting>();
  private lastId = 0;
  private idle: ReturnType<typeof setTimeout> | null = null;

  constructor() {
    this.worker.on('message', (answer: Argon2Answer) => this.take(answer));
    this.worker.on('error', error => this.end(error as Error));
    this.worker.on('exit', () => this.end(new Error('the hashing thread ended')));
    this.worker.unref();
  }

  digest(password: Uint8Array, hash: Argon2Hash): Promise<Uint8Array> {
    if (this.idle !== null) clearTimeout(this.idle);
    this.idle = null;
    return new Promise((resolve, reject) => {
      const id = ++this.lastId;
      this.waiting.set(id, { resolve, reject });
      this.worker.ref();
      this.worker.postMessage({ id, password, hash } satisfies Argon2Task);
    });
  }

  private take({ id, digest, why }: Argon2Answer): void {
    const waiting = this.waiting.get(id);
    this.waiting.delete(id);
    if (digest === null) waiting?.reject(new Error(why));
    else waiting?.resolve(digest);
    if (this.waiting.size > 0) return;
    this.worker.unref();
    this.idle = setTimeout(() => this.end(new Error('idle')), IDLE_MS);
    this.idle.unref();
  }

  private end(error: Error): void {
    if (thread === this) thread = null;
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
    void this.worker.terminate();
  }
}

let thread: Argon2Thread | null = null;

/** The argon2id digest of `password` with the costs, salt and length of `hash`. */
export function argon2id(password: Uint8Array, hash: Argon2Hash): Promise<Uint8Array> {
  thread ??= new Argon2Thread();
  return thread.digest(password, hash);
}
