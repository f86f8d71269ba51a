// TLS doors: who gets in, who does not and why, and what changes while they are open.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFileSync, readFileSync } from 'node:fs';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import type { Link } from '../../../src/io/driver.ts';
import { afterAll, afterEach, describe, test } from '../../harness.ts';
import { Authority, type Pair } from './authority.ts';
import { closed, dial, type Open, open, receive } from './kit.ts';

const authority = new Authority();
const stranger = new Authority('somebody else');
const server = authority.issue('localhost', { names: 'DNS:localhost,IP:127.0.0.1' });
const other = authority.issue('other.example', { names: 'DNS:other.example,DNS:*.wild.example' });
const client = authority.issue('meter-7', {
  names: 'DNS:meter-7.example,email:meter@example.com,URI:urn:dev:7',
});
afterAll(() => {
  authority.remove();
  stranger.remove();
});

const clients = new Set<TLSSocket>();
afterEach(() => {
  for (const socket of clients) socket.destroy();
  clients.clear();
});

const pem = (path: string) => readFileSync(path, 'utf8');
const shown = ({ certificate, key }: Pair) => ({ cert: pem(certificate), key: pem(key) });

function secure({ port }: Open, options: ConnectionOptions = {}): TLSSocket {
  const socket = connect({
    port,
    host: '127.0.0.1',
    servername: 'localhost',
    ca: pem(authority.certificate),
    ...options,
  });
  clients.add(socket);
  socket.on('error', () => {});
  return socket;
}

/** The session that the door has given to a client that was let in and heard its echo. */
async function visit(place: Open, options: ConnectionOptions = {}) {
  const socket = secure(place, options);
  let session: Buffer | undefined;
  socket.on('session', given => {
    session = given;
  });
  socket.write('hello');
  assert.equal(await receive(socket, 5), 'hello');
  const link = place.guests.links.at(-1)!;
  return { socket, link, session, reused: socket.isSessionReused() };
}

const tls = (more = '', pair = server) => `
port = 0
[listeners.tls]
certificate = "${pair.certificate}"
key = "${pair.key}"
${more}`;
const asking = (how: string, more = '') =>
  `clientCertificate = "${how}"\nca = "${authority.certificate}"\n${more}`;
const reason = async (place: Open) => (await place.refusal()).fields.reason;

describe('a TLS door', () => {
  test('carries bytes both ways, also many, and says goodbye in order', async () => {
    const place = await open(tls());
    assert.match(place.addresses[0]!, /^mqtts:\/\/127\.0\.0\.1:\d+$/);
    place.guests.echo = false;
    const socket = secure(place);
    const sent = Buffer.alloc(3_000_000, 'abcdefgh');
    socket.write(sent);
    const link = await place.guests.link();
    await place.guests.until(() => place.guests.said.get(link)!.length === sent.length);
    assert.ok(place.guests.said.get(link)!.equals(sent));
    const parts: Buffer[] = [];
    socket.on('data', chunk => parts.push(chunk as Buffer));
    let at = 0;
    while (at < sent.length) {
      const drains = place.guests.drains.length;
      at += link.write(sent, at, sent.length);
      if (at < sent.length) await place.guests.until(() => place.guests.drains.length > drains);
    }
    link.close();
    await once(socket, 'end');
    assert.ok(Buffer.concat(parts).equals(sent));
    socket.end();
    await place.guests.gone(link);
  });

  test('takes no more than a bound from a broker whose client does not read', async () => {
    const place = await open(tls());
    const { socket, link } = await visit(place);
    socket.pause();
    const block = Buffer.alloc(64 * 1024);
    let taken = 0;
    let size: number;
    do {
      size = link.write(block, 0, block.length);
      taken += size;
    } while (size === block.length);
    // Most of it is with the system: its buffers grow to some MB at either end.
    assert.ok(taken <= 40_000_000, `${taken} bytes were taken`);
    assert.equal(link.write(block, 0, block.length), 0);
    socket.resume();
    await place.guests.until(() => place.guests.drains.includes(link));
    assert.ok(link.write(block, 0, block.length) > 0);
  });

  test('stops reading and goes on', async () => {
    const place = await open(tls());
    const { socket, link } = await visit(place);
    link.pause(true);
    link.pause(true);
    const sent = Buffer.alloc(4_000_000, 'x');
    socket.write(sent);
    const second = await visit(place); // whoever else is here is served
    second.socket.write('still');
    await receive(second.socket, 5);
    assert.ok(place.guests.said.get(link)!.length < sent.length);
    place.guests.echo = false;
    link.pause(false);
    await place.guests.until(() => place.guests.said.get(link)!.length === sent.length + 5);
  });

  test('answers a client that has ended its side, and only then closes', async () => {
    const place = await open(tls());
    const socket = secure(place, { allowHalfOpen: true } as ConnectionOptions);
    await once(socket, 'secureConnect');
    socket.end('last words');
    assert.equal(await receive(socket, 10), 'last words');
    await place.guests.gone(await place.guests.link());
  });

  test('lets go of who ends its side right behind the handshake', async () => {
    const socket = secure(await open(tls()));
    await once(socket, 'secureConnect');
    socket.end();
    await closed(socket);
  });

  test('resets a connection that is aborted', async () => {
    const place = await open(tls());
    const { socket, link } = await visit(place);
    link.abort();
    assert.ok(place.guests.left.has(link));
    await closed(socket);
  });

  test('ends everything at a stop', async () => {
    const place = await open(tls());
    const { socket, link } = await visit(place);
    const half = await dial(place.port);
    place.doors.stopListening();
    await closed(half);
    socket.write('still');
    await receive(socket, 5);
    place.doors.stop();
    await Promise.all([closed(socket), place.guests.gone(link)]);
  });

  test('lets in no more than it may, and nobody the broker has no room for', async () => {
    const place = await open(`connectionsMax = 1\n${tls()}`);
    const first = await visit(place);
    await closed(await dial(place.port));
    first.socket.destroy();
    await place.guests.gone(first.link);
    place.guests.full = true;
    await closed(secure(place));
    assert.equal(place.guests.links.length, 2);
  });
});

describe('a TLS handshake', () => {
  test('speaks 1.2 and 1.3, or 1.3 alone, and nothing older', async () => {
    const both = await open(tls());
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const { socket } = await visit(both, { minVersion: version, maxVersion: version });
      assert.equal(socket.getProtocol(), version);
    }
    await closed(secure(both, { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1' }));
    assert.equal(await reason(both), 'TLS handshake failed');
    const strict = await open(tls('minVersion = "1.3"'));
    await closed(secure(strict, { maxVersion: 'TLSv1.2' }));
    assert.equal(await reason(strict), 'TLS handshake failed');
  });

  test('keeps to the list of ciphers', async () => {
    const place = await open(tls('ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384"'));
    const old = { maxVersion: 'TLSv1.2' } as const;
    const { socket } = await visit(place, old);
    assert.equal(socket.getCipher().name, 'ECDHE-ECDSA-AES256-GCM-SHA384');
    await closed(secure(place, { ...old, ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' }));
    assert.equal(await reason(place), 'TLS handshake failed');
  });

  test('serves the certificate that stands for the name asked for', async () => {
    const more = `[[listeners.tls.alternatives]]
certificate = "${other.certificate}"
key = "${other.key}"`;
    const place = await open(tls(more));
    const served = async (servername: string) => {
      const { socket } = await visit(place, { servername, checkServerIdentity: () => undefined });
      return socket.getPeerCertificate().subject.CN;
    };
    assert.equal(await served('other.example'), 'other.example');
    assert.equal(await served('a.wild.example'), 'other.example');
    assert.equal(await served('localhost'), 'localhost');
    assert.equal(await served('unknown.example'), 'localhost');
  });

  test('agrees on mqtt by ALPN, and refuses who offers only something else', async () => {
    const place = await open(tls());
    const { socket } = await visit(place, { ALPNProtocols: ['x-mqtt-next', 'mqtt'] });
    assert.equal(socket.alpnProtocol, 'mqtt');
    assert.ok(!(await visit(place)).socket.alpnProtocol);
    await closed(secure(place, { ALPNProtocols: ['h2'] }));
    assert.equal(await reason(place), 'TLS handshake failed');
    const free = await open(tls('alpn = false'));
    await visit(free, { ALPNProtocols: ['h2'] });
  });

  test('resumes a session', async () => {
    const place = await open(tls());
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const first = await visit(place, { maxVersion });
      assert.equal(first.reused, false);
      const { reused } = await visit(place, { maxVersion, session: first.session! });
      assert.equal(reused, true, maxVersion);
    }
  });

  test('is a resumption for everybody who comes back at once', async () => {
    const place = await open(tls(asking('required')));
    const crowd = Array.from({ length: 60 }, () => visit(place, shown(client)));
    const before = await Promise.all(crowd);
    for (const { socket } of before) socket.destroy();
    await place.guests.until(() => place.guests.left.size === before.length);
    const again = await Promise.all(
      before.map(({ session }) => visit(place, { ...shown(client), session: session! })),
    );
    assert.ok(again.every(({ reused }) => reused));
    assert.equal(place.guests.links.length, 120);
    assert.ok(
      place.guests.links.every(({ origin }) => origin?.certificate?.commonName === 'meter-7'),
    );
  });

  test('that is none, or is not begun in time, ends the connection', async () => {
    const place = await open(tls());
    const noise = await dial(place.port);
    noise.write('GET / HTTP/1.1\r\n\r\n');
    await closed(noise);
    assert.equal(await reason(place), 'TLS handshake failed');
    const slow = await open(tls(), { handshakeTimeoutMs: 50 });
    await closed(await dial(slow.port));
    assert.equal(await reason(slow), 'no handshake in time');
    assert.deepEqual(slow.guests.links, []);
  });

  test('is paced, so that those who are in are not kept waiting', async () => {
    const place = await open(`[io]\nacceptsPerSecond = 400\n[[listeners]]\n${tls()}`);
    const begun = performance.now();
    await Promise.all(Array.from({ length: 20 }, () => visit(place)));
    const took = performance.now() - begun;
    assert.ok(took > 150, `20 handshakes took ${took} ms, at 100 in a second`);
  });

  describe('of thousands who do nothing', () => {
    const crowdAt = async (handshakeTimeoutMs: number) => {
      const fast = '[io]\nacceptsPerSecond = 40000\n[[listeners]]\n';
      const place = await open(`${fast}${tls()}`, { handshakeTimeoutMs });
      const silent: Promise<void>[] = [];
      for (let i = 0; i < 3_000; i++) silent.push(closed(await dial(place.port)));
      return { place, silent };
    };

    test('keeps nobody out', async () => {
      const { place } = await crowdAt(3_600_000);
      await visit(place); // a client that had to wait for one of them would wait for an hour
      assert.equal(place.guests.links.length, 1);
    });

    test('ends in time', async () => {
      const { place, silent } = await crowdAt(500);
      await Promise.all(silent);
      assert.deepEqual(place.guests.links, []);
    });
  });
});

describe('a client certificate', () => {
  const origin = (link: Link) => link.origin!;

  test('is told to the core', async () => {
    const place = await open(`identity = "cn"\nmountPoint = "m/"\n${tls(asking('required'))}`);
    const { link, session } = await visit(place, shown(client));
    const { certificate, username, listener, mountPoint, anonymous } = origin(link);
    assert.deepEqual([username, mountPoint, anonymous], ['meter-7', 'm/', null]);
    assert.equal(listener, place.addresses[0]);
    const { fingerprint, ...rest } = certificate!;
    assert.match(fingerprint, /^[0-9a-f]{64}$/);
    assert.deepEqual(rest, {
      commonName: 'meter-7',
      names: ['dns:meter-7.example', 'email:meter@example.com', 'uri:urn:dev:7'],
      notAfter: Date.UTC(2120, 0, 1),
    });
    const again = await visit(place, { ...shown(client), session: session! });
    assert.equal(again.reused, true);
    assert.deepEqual(origin(again.link), origin(link));
  });

  test('serves as user name by any of its names', async () => {
    const names = { dns: 'meter-7.example', email: 'meter@example.com', uri: 'urn:dev:7' };
    for (const [identity, username] of Object.entries(names)) {
      const place = await open(`identity = "${identity}"\n${tls(asking('required'))}`);
      const { link } = await visit(place, shown(client));
      assert.equal(origin(link).username, username);
    }
  });

  test('gives no user name where it could mean several', async () => {
    const two = authority.issue('two', { subject: 'CN=admin/CN=two', names: 'DNS:a,DNS:b' });
    const sly = authority.issue('sly', {
      names: '@odd\n[odd]\nDNS.1=x\\, email:admin@example.com',
    });
    const nameOf = async (identity: string, pair: Pair) => {
      const place = await open(`identity = "${identity}"\n${tls(asking('required'))}`);
      return origin((await visit(place, shown(pair))).link).username;
    };
    assert.equal(await nameOf('cn', two), null);
    assert.equal(await nameOf('dns', two), null);
    assert.equal(await nameOf('uri', two), null);
    assert.equal(await nameOf('email', sly), null);
  });

  test('may be required, also of those who resume a session without one', async () => {
    const place = await open(tls(asking('required')));
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const without = secure(place, { maxVersion });
      let session: Buffer | undefined;
      without.on('session', given => {
        session = given;
      });
      await closed(without);
      if (session !== undefined) await closed(secure(place, { maxVersion, session }));
    }
    assert.equal(await reason(place), 'no client certificate');
    assert.deepEqual(place.guests.links, []);
  });

  test('may be optional, but not wrong', async () => {
    const place = await open(tls(asking('optional')));
    assert.equal(origin((await visit(place)).link).certificate, null);
    assert.equal(
      origin((await visit(place, shown(client))).link).certificate?.commonName,
      'meter-7',
    );
    await closed(secure(place, shown(stranger.issue('meter-7'))));
    assert.equal(place.guests.links.length, 2);
  });

  const bad: [what: string, pair: () => Pair, why: RegExp][] = [
    ['of another authority', () => stranger.issue('meter-7'), /UNABLE_TO|SELF_SIGNED/],
    ['that has ended', () => authority.issue('old', { to: '20210101000000Z' }), /EXPIRED/],
    ['that has not begun', () => authority.issue('new', { from: '21190101000000Z' }), /NOT_YET/],
  ];
  for (const [what, issue, why] of bad) {
    test(`${what} is refused, and so is the session it left behind`, async () => {
      const place = await open(tls(asking('required')));
      const pair = issue();
      const socket = secure(place, shown(pair));
      let session: Buffer | undefined;
      socket.on('session', given => {
        session = given;
      });
      await closed(socket);
      assert.match(String(await reason(place)), why);
      if (session !== undefined) await closed(secure(place, { ...shown(pair), session }));
      assert.deepEqual(place.guests.links, []);
    });
  }

  test('that is revoked is refused', async () => {
    const revoked = authority.issue('revoked');
    authority.revoke(revoked);
    const place = await open(tls(asking('required', `crl = "${authority.revocations()}"`)));
    await closed(secure(place, shown(revoked)));
    assert.match(String(await reason(place)), /REVOKED/);
    await visit(place, shown(client));
  });
});

describe('files that change while a TLS door is open', () => {
  test('are served to those who come next; who is in stays in', async () => {
    const pair = authority.issue('moving', { names: 'DNS:localhost' });
    const place = await open(tls('', pair));
    const before = await visit(place);
    const renewed = authority.issue('renewed', { names: 'DNS:localhost' });
    copyFileSync(renewed.certificate, pair.certificate);
    copyFileSync(renewed.key, pair.key);
    place.doors.prepareReload()();
    const after = await visit(place, { session: before.session! });
    assert.equal(before.socket.getPeerCertificate().subject.CN, 'moving');
    assert.equal(after.socket.getPeerCertificate(true).subject.CN, 'renewed');
    before.socket.write('still');
    assert.equal(await receive(before.socket, 5), 'still');
  });

  test('stay as they were when one of them is wrong', async () => {
    const pair = authority.issue('steady', { names: 'DNS:localhost' });
    const place = await open(tls('', pair));
    copyFileSync(client.key, pair.key);
    assert.throws(() => place.doors.prepareReload(), {
      message: `${pair.key}: this is not the key of ${pair.certificate}`,
    });
    const { socket } = await visit(place);
    assert.equal(socket.getPeerCertificate().subject.CN, 'steady');
  });

  test('shut out who is revoked, also who is in, and who has a session from before', async () => {
    const revoked = authority.issue('leaver');
    const crl = authority.revocations('moving.crl');
    const place = await open(tls(asking('required', `crl = "${crl}"`)));
    const sessions: [ConnectionOptions, Buffer][] = [];
    const inside: Promise<void>[] = [];
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const { session, socket } = await visit(place, { ...shown(revoked), maxVersion });
      sessions.push([{ ...shown(revoked), maxVersion }, session!]);
      inside.push(closed(socket));
    }
    const stays = await visit(place, shown(client));
    authority.revoke(revoked);
    authority.revocations('moving.crl');
    place.doors.prepareReload()();
    await Promise.all(inside);
    for (const [options, session] of sessions) {
      await closed(secure(place, { ...options, session }));
    }
    assert.equal(place.guests.links.length, 3);
    assert.deepEqual([...place.guests.left], place.guests.links.slice(0, 2));
    stays.socket.write('still');
    assert.equal(await receive(stays.socket, 5), 'still');
  });
});

describe('the files of a TLS door', () => {
  const refused = async (toml: string) => {
    try {
      await open(toml);
    } catch (error) {
      return (error as Error).message;
    }
    return assert.fail('it was opened');
  };
  const pair = (certificate: string, key: string) => tls('', { certificate, key });

  test('must be there, whole, and belong together', async () => {
    const missing = authority.at('missing.pem');
    const { certificate, key } = server;
    assert.equal(await refused(pair(missing, key)), `${missing}: there is no such file`);
    assert.equal(await refused(pair(key, key)), `${key}: no "-----BEGIN CERTIFICATE-----" in it`);
    assert.match(await refused(pair(certificate, certificate)), /no private key that can be read/);
    assert.equal(
      await refused(pair(certificate, client.key)),
      `${client.key}: this is not the key of ${certificate}`,
    );
    assert.match(await refused(tls('ciphers = "NOPE"')), /^NOPE: the TLS library refuses it/);
    assert.match(await refused(tls(asking('required', `crl = "${certificate}"`))), /X509 CRL/);
  });

  test('may have ended, which is told', async () => {
    const ended = authority.issue('ended', { names: 'DNS:localhost', to: '20210101000000Z' });
    const { told } = await open(tls('', ended));
    assert.deepEqual(told, [
      {
        level: 'warn',
        message: 'a certificate needs attention',
        fields: { why: `${ended.certificate}: ended on 2021-01-01; clients refuse it` },
      },
    ]);
  });
});
