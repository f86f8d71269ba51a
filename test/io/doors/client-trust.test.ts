// Clients that are in by their certificates when authorities, revocations or the time change: who
// would not be let in now goes, everybody else stays.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { ClientTrust } from '../../../src/io/doors/steps/client-trust.ts';
import { readTlsFiles } from '../../../src/io/doors/steps/tls-files.ts';
import { afterAll, afterEach, describe, test } from '../../harness.ts';
import { Authority, type Pair } from './authority.ts';
import { closed, type Open, open, receive } from './kit.ts';

const old = new Authority('old authority');
const young = new Authority('young authority');
const between = new Authority('between', old);
const server = old.issue('localhost', { names: 'DNS:localhost,IP:127.0.0.1' });
const meter = old.issue('meter');
const newcomer = young.issue('newcomer');
/** By an intermediate that it shows itself. */
const remote = between.issue('remote');
afterAll(() => {
  for (const authority of [old, young, between]) authority.remove();
});

const clients = new Set<TLSSocket>();
afterEach(() => {
  for (const socket of clients) socket.destroy();
  clients.clear();
});

const pem = (path: string) => readFileSync(path, 'utf8');
let files = 0;

/** A file with these in it, which can be written anew. */
function bundle(...paths: string[]): string {
  const file = old.at(`bundle-${++files}.pem`);
  rewrite(file, ...paths);
  return file;
}

function rewrite(file: string, ...paths: string[]): void {
  writeFileSync(file, paths.map(pem).join(''));
}

const door = (ca: string, more = '') => `
port = 0
[listeners.tls]
certificate = "${server.certificate}"
key = "${server.key}"
clientCertificate = "optional"
ca = "${ca}"
${more}`;

function dial({ port }: Open, pair: Pair | null, more: ConnectionOptions = {}): TLSSocket {
  const issuers = pair === remote ? pem(between.certificate) : '';
  const socket = connect({
    ...{ port, host: '127.0.0.1', servername: 'localhost', ca: pem(old.certificate) },
    ...(pair !== null && { cert: pem(pair.certificate) + issuers, key: pem(pair.key) }),
    ...more,
  });
  clients.add(socket);
  socket.on('error', () => {});
  return socket;
}

async function visit(place: Open, pair: Pair | null, more: ConnectionOptions = {}) {
  const socket = dial(place, pair, more);
  let session: Buffer | undefined;
  socket.on('session', given => {
    session = given;
  });
  socket.write('hello');
  assert.equal(await receive(socket, 5), 'hello');
  return { socket, session, reused: socket.isSessionReused() };
}

async function isIn({ socket }: { socket: TLSSocket }): Promise<void> {
  socket.write('still');
  assert.equal(await receive(socket, 5), 'still');
}

describe('an authority that is taken away', () => {
  test('takes its clients with it, and nobody else', async () => {
    const ca = bundle(old.certificate, young.certificate);
    const place = await open(door(ca));
    const [goes, stays] = [await visit(place, meter), await visit(place, newcomer)];
    const nameless = await visit(place, null);
    const [link] = place.guests.links;
    rewrite(ca, young.certificate);
    const isUntrusted = await place.doors.prepareReload()();
    assert.deepEqual(
      place.guests.links.map(({ origin }) => isUntrusted(origin)),
      [true, false, false],
    );
    await closed(goes.socket);
    assert.ok(place.guests.left.has(link!));
    const why = 'no authority stands for its certificate any more';
    assert.ok(place.told.some(({ message }) => message === why));
    await isIn(stays);
    await isIn(nameless);
  });

  test('takes those below it too, also where they have resumed a session', async () => {
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const ca = bundle(old.certificate, young.certificate);
      const place = await open(door(ca));
      const { socket, session } = await visit(place, remote, { maxVersion });
      const again = await visit(place, remote, { maxVersion, session: session! });
      assert.equal(again.reused, true);
      rewrite(ca, old.certificate);
      await place.doors.prepareReload()();
      await isIn({ socket });
      await isIn(again);
      rewrite(ca, young.certificate);
      await place.doors.prepareReload()();
      await Promise.all([closed(socket), closed(again.socket)]);
    }
  });

  test('is not, where it has a new certificate for its key', async () => {
    const ca = bundle(old.certificate);
    const place = await open(door(ca));
    const guests = [await visit(place, meter), await visit(place, remote)];
    rewrite(ca, old.renewed('old authority'));
    await place.doors.prepareReload()();
    for (const guest of guests) await isIn(guest);
  });

  test('is replaced by none of the same name', async () => {
    const namesake = new Authority('old authority');
    const ca = bundle(old.certificate);
    const place = await open(door(ca));
    const { socket } = await visit(place, meter);
    rewrite(ca, namesake.certificate);
    await place.doors.prepareReload()();
    await closed(socket);
    namesake.remove();
  });

  test('shuts out who is still on the way in', async () => {
    const ca = bundle(old.certificate);
    const place = await open(`protocol = "websocket"\n${door(ca)}`);
    const socket = dial(place, meter);
    await once(socket, 'secureConnect'); // and no upgrade
    rewrite(ca, young.certificate);
    await place.doors.prepareReload()();
    await closed(socket);
    assert.deepEqual(place.guests.links, []);
  });
});

describe('an intermediate that is revoked', () => {
  test('takes its clients with it', async () => {
    const ca = bundle(old.certificate);
    const crl = bundle(old.revocations('first.crl'), between.revocations('between.crl'));
    const place = await open(door(ca, `crl = "${crl}"`));
    const [goes, stays] = [await visit(place, remote), await visit(place, meter)];
    old.revoke({ ...between, key: '' });
    rewrite(crl, old.revocations('second.crl'), between.revocations('between.crl'));
    await place.doors.prepareReload()();
    await closed(goes.socket);
    await isIn(stays);
  });
});

describe('a name of exactly 128 bytes', () => {
  const long = { subject: `O=${'o'.repeat(64)}/CN=${'c'.repeat(42)}` };
  const [known, unknown] = [old, young].map(authority => authority.issue('long', long));

  test('lets in whom it should, and nobody else', async () => {
    const place = await open(door(bundle(old.certificate)));
    await closed(dial(place, unknown!));
    const { reason } = (await place.refusal()).fields;
    assert.match(String(reason), /^wrong client certificate: /);
    await visit(place, known!);
  });
});

describe('time', () => {
  test('ends certificates, of clients and of authorities', async () => {
    const ca = bundle(old.certificate);
    const place = await open(door(ca));
    const { socket } = await visit(place, meter);
    const table = { certificate: server.certificate, key: server.key, ca, crl: '', ciphers: '' };
    const read = () =>
      readTlsFiles({ ...table, minVersion: '1.2', alternatives: [] } as never, Date.now());
    // What the door sees of its client, by the client's own word.
    const guest = { getPeerCertificate: () => ({ raw: derOf(meter) }) } as unknown as TLSSocket;
    const trust = new ClientTrust(read());
    assert.equal(trust.judge(guest, Date.now()), null);
    const later = Date.now() + 40 * 86_400_000; // the authority's has 30 days
    assert.match(trust.judge(guest, later)!, /no authority/);
    assert.equal(trust.judge(guest, Date.UTC(2121, 0, 1)), 'its certificate has ended');
    await isIn({ socket });
  });
});

function derOf({ certificate }: Pair): Buffer {
  return Buffer.from(pem(certificate).replaceAll(/-----[^-]+-----|\s/g, ''), 'base64');
}
