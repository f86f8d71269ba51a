// Everybody at once, as after a power cut: a process whose `count` clients connect to an echoing
// host, each with one byte to be answered. Says `{"in":MS,"reset":N}` when the last was answered.
// Half of them end their side then and half reset; the process ends when all are gone. Whoever is
// reset before he is answered comes again: more come at once than a listening socket queues, and
// Linux then resets some few (no socket of the host is closed, by the counters of the kernel).

import { writeSync } from 'node:fs';
import { connect, type Socket } from 'node:net';

/** In its arguments: this process is such a crowd. Port and count follow. */
export const crowdFlag = '--driver-crowd';

let reset = 0;

function come(port: number, number: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.on('error', error => {
      if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET') return reject(error);
      reset++;
      resolve(come(port, number));
    });
    socket.on('connect', () => socket.write(`${number} echo\nx`));
    socket.on('data', () => resolve(socket));
  });
}

async function crowd(port: number, count: number): Promise<void> {
  const began = performance.now();
  // Their numbers are not those of the test's own peers.
  const clients = await Promise.all(
    Array.from({ length: count }, (_, index) => come(port, 1_000_000 + index)),
  );
  writeSync(1, `{"in":${performance.now() - began},"reset":${reset}}\n`);
  for (const [index, socket] of clients.entries()) {
    if (index % 2 === 0) socket.end();
    else socket.resetAndDestroy();
  }
}

const [flag, port, count] = process.argv.slice(-3);
if (flag === crowdFlag) await crowd(Number(port), Number(count));
