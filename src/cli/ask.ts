// Asking a running broker on this machine, over its control socket.

import { connect } from 'node:net';
import { Exit, errorCode, Failure } from './exit.ts';

export interface Answer {
  readonly ok: boolean;
  readonly result?: unknown;
  readonly error?: string;
}

/** Rejects with a Failure; with `timeoutMs` 0 an answer may take as long as it takes. */
export function ask(path: string, request: object, timeoutMs: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect({ path }, () => socket.write(`${JSON.stringify(request)}\n`));
    const fail = (failure: Failure) => {
      socket.destroy();
      reject(failure);
    };
    socket.setTimeout(timeoutMs, () => {
      const seconds = timeoutMs / 1000;
      fail(new Failure(Exit.unavailable, `${path}: no answer within ${seconds} seconds`));
    });
    socket.on('error', error => fail(connectFailure(path, error)));
    socket.on('data', chunk => {
      chunks.push(chunk as Buffer);
      if (!chunk.includes('\n')) return;
      socket.destroy();
      resolve(JSON.parse(Buffer.concat(chunks).toString()) as Answer);
    });
    socket.on('close', () => {
      fail(new Failure(Exit.unavailable, `${path}: the broker closed the connection`));
    });
  });
}

function connectFailure(path: string, error: Error): Failure {
  switch (errorCode(error)) {
    case 'ENOENT':
    case 'ECONNREFUSED':
    case 'ENOTSOCK':
      return new Failure(
        Exit.unavailable,
        `${path}: no broker answers here; is it running, and is this its --data directory?`,
      );
    case 'EACCES':
    case 'EPERM':
      return new Failure(
        Exit.noPermission,
        `${path}: no permission; only the user that the broker runs as may ask it`,
      );
    default:
      return new Failure(Exit.unavailable, `${path}: ${error.message}`);
  }
}
