// The hashing thread's program: one argon2id after the other.

import { parentPort } from 'node:worker_threads';
import { argon2id } from 'hash-wasm';
import type { Argon2Answer, Argon2Task } from './argon2.ts';

parentPort?.on('message', async ({ id, password, hash }: Argon2Task) => {
  let answer: Argon2Answer;
  try {
    const digest = await argon2id({
      // The library takes no empty password; compute.ts sees to it that none is right.
      password: password.length > 0 ? password : new Uint8Array(1),
      salt: hash.salt,
      memorySize: hash.memoryKb,
      iterations: hash.rounds,
      parallelism: hash.parallel,
      hashLength: hash.digest.length,
      outputType: 'binary',
    });
    answer = { id, digest, why: '' };
  } catch (error) {
    answer = { id, digest: null, why: String(error) };
  }
  parentPort?.postMessage(answer);
});
