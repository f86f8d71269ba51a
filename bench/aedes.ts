// The broker aedes, a library, made a program: `bun bench/aedes.ts PORT`.

import { createServer } from 'node:net';
import { Aedes } from 'aedes';

const broker = await Aedes.createBroker({ queueLimit: 100_000, heartbeatInterval: 60_000 });
const server = createServer({ noDelay: true }, broker.handle);
server.listen(Number(process.argv[2]), '127.0.0.1');
