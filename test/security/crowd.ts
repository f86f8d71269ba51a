// A crowd of connections that say the same and nothing more: `crowd.ts PORT COUNT HEX`. Says when
// all of them are there, and when all of them are gone again.

import { connect } from 'node:net';
import { argv, stdin, stdout } from 'node:process';

const [port, count] = argv.slice(2, 4).map(Number) as [number, number];
const opening = Buffer.from(argv[4] ?? '', 'hex');
/** So many are on their way at once: what a listening socket lets wait is bounded. */
const WIDTH = 200;

let begun = 0;
let here = 0;
let gone = 0;

function begin(): void {
  if (begun === count) return;
  begun++;
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.on('connect', () => {
    if (opening.length > 0) socket.write(opening);
    if (++here === count) stdout.write('all are in\n');
    begin();
  });
  socket.on('close', () => {
    if (++gone === count) stdout.write('all are gone\n');
  });
  socket.resume();
}

for (let i = 0; i < WIDTH; i++) begin();
// Whoever has started it leaves: so does it.
stdin.resume().on('end', () => process.exit());
