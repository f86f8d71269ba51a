// The TLS step by itself: whose handshake is whose, where addresses do not tell clients apart.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { connect } from 'node:tls';
import { Arrival } from '../../../src/io/doors/steps/arrival.ts';
import { readTlsFiles } from '../../../src/io/doors/steps/tls-files.ts';
import { TlsStep } from '../../../src/io/doors/steps/tls-step.ts';
import { afterAll, describe, test } from '../../harness.ts';
import { Authority } from './authority.ts';
import { dial, folder } from './kit.ts';

const authority = new Authority();
const { path: directory, remove } = folder();
afterAll(() => {
  authority.remove();
  remove();
});

let paths = 0;
const pem = (path: string) => readFileSync(path, 'utf8');
const table = {
  ...authority.issue('localhost', { names: 'DNS:localhost' }),
  ca: authority.certificate,
  crl: '',
  clientCertificate: 'required',
  minVersion: '1.2',
  ciphers: '',
  alpn: false,
  alternatives: [],
} as const;

/** A TLS handshake by a client that calls itself so. */
function shakeHands(socket: Socket, name: string): void {
  const { certificate, key } = authority.issue(name);
  const ca = pem(authority.certificate);
  const own = { cert: pem(certificate), key: pem(key) };
  connect({ socket, servername: 'localhost', ca, ...own }).on('error', () => {});
}

interface Visit {
  readonly socket: Socket;
  readonly arrival: Arrival;
  /** The name in the certificate of whoever was let in, or why nobody was. */
  readonly outcome: Promise<string>;
}

/** Calls `body` with what lets somebody arrive on a unix socket, where they begin the step. */
async function onUnixSocket(body: (arrive: () => Promise<Visit>) => Promise<void>): Promise<void> {
  const step = new TlsStep(table, 'mqtt', readTlsFiles(table, Date.now()));
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  const path = `${directory}/s${paths++}`;
  const arrivals: Arrival[] = [];
  await once(server.listen(path), 'listening');
  await body(async () => {
    const accepted = once(server, 'connection');
    const socket = await dial(path);
    const [raw] = (await accepted) as [Socket];
    const arrival = new Arrival(raw, undefined, () => {});
    arrivals.push(arrival);
    const outcome = new Promise<string>(resolve => {
      step.step(arrival, () => resolve(arrival.certificate!.commonName), resolve);
    });
    return { socket, arrival, outcome };
  });
  for (const each of arrivals) each.end();
  server.close();
}

describe('on a unix socket, where all peers have the same address', () => {
  test('each handshake lets in who has made it', () =>
    onUnixSocket(async arrive => {
      const [first, second] = [await arrive(), await arrive()];
      shakeHands(first.socket, 'first');
      assert.equal(await Promise.race([first.outcome, second.outcome]), 'first');
      assert.equal(second.arrival.certificate, null);
      shakeHands(second.socket, 'second');
      assert.equal(await second.outcome, 'second');
    }));

  test('a handshake that fails is that of nobody else', () =>
    onUnixSocket(async arrive => {
      const [first, second] = [await arrive(), await arrive()];
      first.socket.write('GET / HTTP/1.1\r\n\r\n');
      assert.equal(await first.outcome, 'TLS handshake failed');
      shakeHands(second.socket, 'second');
      assert.equal(await second.outcome, 'second');
    }));
});
