// The contract of I/O drivers, for every driver this runtime has.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { defaultIoOptions } from '../../src/io/options.ts';
import { Pacing } from '../../src/io/pacing.ts';
import { afterAll, beforeAll, describe, skipped, test } from '../harness.ts';
import { drivers } from './driver-host.ts';
import { Crowd, Host, Peer, pattern } from './driver-kit.ts';

const MB = 1024 * 1024;
/** What somebody sends who is loud, and what is handled of it before the others have their turn:
 *  what the runtime reads at once, half a megabyte on Bun. */
const LOUD_BYTES = 32 * MB;
const SHARE_BYTES = MB;
/** How many come back at once after a power cut. */
const CROWD = 10_000;
/** Meanwhile those who are in wait no longer than this for an answer, or where everything is slow,
 *  than this part of the time that all of it takes. */
const SERVED_MS = 250;
const SERVED_PART = 1 / 10;

const firstFreePort = readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8');
const lowPortsAreFree = Number(firstFreePort) <= 81;
const hasIPv6 = Object.values(networkInterfaces()).some(addresses =>
  addresses?.some(({ family }) => family === 'IPv6'),
);

/** `framed`: by a listener for WebSockets. */
function describeDriver(mode: string, framed: boolean): void {
  let host: Host;
  const hosts: Host[] = [];
  const start = async (script: Parameters<typeof Host.start>[0], descriptorsMax?: number) => {
    const started = await Host.start(script, descriptorsMax);
    hosts.push(started);
    return started;
  };
  beforeAll(async () => {
    host = await Host.start({ mode }, undefined, framed);
    hosts.push(host);
  });
  afterAll(async () => {
    for (const each of hosts) await each.kill();
  });

  test('bytes arrive whole and in order, however they are cut', async () => {
    const peer = await host.peer('echo');
    const sent = pattern(3 * MB);
    for (let at = 0, size = 1; at < sent.length; size = (size * 7) % 65_537) {
      peer.send(sent.subarray(at, at + size));
      at += size;
    }
    assert.ok((await peer.read(sent.length)).equals(sent));
    await peer.leave();
  });

  test('one byte at a time is as good as any', async () => {
    const peer = await host.peer('echo');
    for (const letter of 'byte by byte') {
      peer.send(letter);
      assert.equal((await peer.read(1)).toString(), letter);
    }
    await peer.leave();
  });

  test('a slow reader gets everything once it reads, and holds up nobody', async () => {
    const length = 24 * MB;
    const slow = await host.slowPeer(length);
    const quick = await host.peer('echo');
    quick.send('still there?');
    assert.equal((await quick.read(12)).toString(), 'still there?');
    const { owed, blocked } = await host.guest(slow);
    assert.ok(blocked && owed > 0, `${owed} bytes wait`);
    const { drained } = await host.stats();
    slow.socket.resume();
    assert.ok((await slow.read(length)).equals(pattern(length)));
    assert.ok((await host.stats()).drained > drained);
    await Promise.all([slow.leave(), quick.leave()]);
  });

  test('whoever sends without end has the turn no longer than the others', async () => {
    const { workSwitches: before } = await host.stats();
    const sent = pattern(LOUD_BYTES);
    const loud = await Promise.all([1, 2, 3].map(() => host.peer('work')));
    for (const peer of loud) peer.send(sent);
    for (const peer of loud) await host.untilGuest(peer, ({ got }) => got === LOUD_BYTES);
    const { workSwitches } = await host.stats();
    const atOnce = (loud.length * LOUD_BYTES) / (workSwitches - before);
    assert.ok(atOnce < SHARE_BYTES, `${Math.round(atOnce / 1024)} kB at once`);
    await Promise.all(loud.map(peer => peer.leave()));
  });

  test('a paused link is not read from until it is resumed, and then loses nothing', async () => {
    const peer = await host.peer('sink');
    peer.send('x');
    await host.untilGuest(peer, ({ got }) => got === 1);
    await host.ask(`pause ${peer.number}`);
    const sent = pattern(24 * MB);
    let taken = false;
    peer.send(sent, () => {
      taken = true;
    });
    await host.ask('alarm 100');
    assert.equal((await host.guest(peer)).got, 1);
    assert.ok(!taken, 'the peer feels that nobody reads');
    await host.ask(`resume ${peer.number}`);
    await host.untilGuest(peer, ({ got }) => got === 1 + sent.length);
    await peer.leave();
  });

  test('a paused link still writes', async () => {
    const peer = await host.peer('sink');
    peer.send('x');
    await host.untilGuest(peer, ({ got }) => got === 1);
    await host.ask(`pause ${peer.number}`);
    await host.ask(`owe ${peer.number} ${4 * MB}`);
    assert.ok((await peer.read(4 * MB)).equals(pattern(4 * MB)));
    await host.ask(`resume ${peer.number}`); // so that it sees the peer leave
    await peer.leave();
  });

  test('a peer that ends its side gets the answers to what it sent before', async () => {
    const peer = await host.peer('echo');
    const sent = pattern(40_000);
    peer.send(sent);
    peer.end();
    assert.ok((await peer.readToEnd()).equals(sent));
    await host.untilGuest(peer, ({ state }) => state === 'gone');
    await peer.leave();
  });

  test('many peers that end their sides at once get theirs', async () => {
    const peers = await Promise.all(Array.from({ length: 200 }, () => host.peer('echo')));
    await host.command('stall 100'); // so that what they sent and its end are seen at once
    for (const peer of peers) {
      peer.send(`from ${peer.number}`);
      peer.end();
    }
    for (const peer of peers) assert.equal(String(await peer.readToEnd()), `from ${peer.number}`);
    await Promise.all(peers.map(peer => peer.leave()));
  });

  test('after a goodbye the peer gets the end, and what it still sends is thrown away', async () => {
    const peer = await host.peer('echo');
    peer.send('before');
    assert.equal(String(await peer.read(6)), 'before');
    await host.ask(`close ${peer.number}`);
    assert.equal((await peer.readToEnd()).length, 0);
    peer.send(pattern(MB));
    await host.ask('alarm 50');
    assert.deepEqual(await host.guest(peer), { got: 6, owed: 0, blocked: false, state: 'closing' });
    peer.end();
    await host.untilGuest(peer, ({ state }) => state === 'gone');
    await peer.leave();
  });

  test('a goodbye comes after everything that was written', async () => {
    const length = 24 * MB;
    const peer = await host.slowPeer(length);
    await host.ask(`finish ${peer.number}`);
    peer.socket.resume();
    assert.ok((await peer.readToEnd()).equals(pattern(length)));
    peer.end();
    await host.untilGuest(peer, ({ state }) => state === 'gone');
  });

  test('a paused link that says goodbye sees the peer leave', async () => {
    const peer = await host.peer('echo');
    peer.send('x');
    await peer.read(1);
    await host.ask(`pause ${peer.number}`);
    peer.send('never read');
    peer.end();
    await host.ask(`close ${peer.number}`);
    await host.untilGuest(peer, ({ state }) => state === 'gone');
    assert.equal((await host.guest(peer)).got, 1);
    await peer.leave();
  });

  test('a reset by the peer ends the link', async () => {
    const peer = await host.slowPeer(24 * MB);
    peer.reset();
    await host.untilGuest(peer, ({ state }) => state === 'gone');
  });

  test('who has reset before it is accepted does no harm', async () => {
    const own = await start({ mode });
    await own.stats(); // its own connection is in
    await own.command('stall 100'); // so that peers can connect, but nobody accepts them
    const peers = Array.from({ length: 20 }, () => new Peer(own.port));
    for (const peer of peers) {
      await peer.until(() => peer.connected);
      peer.send(`${peer.number} sink\nx`);
      peer.reset();
    }
    const late = await own.peer('echo');
    late.send('x');
    assert.equal(String(await late.read(1)), 'x');
    await own.untilStats(({ open }) => open === 2);
    await own.kill();
  });

  test('an abort ends it at once, whatever waits', async () => {
    const peer = await host.slowPeer(24 * MB);
    await host.ask(`abort ${peer.number}`);
    await host.untilGuest(peer, ({ state }) => state === 'gone');
    await peer.leave();
  });

  test('an abort is no orderly end to the peer', async () => {
    const peer = await host.peer('echo');
    peer.send('x');
    await peer.read(1);
    await host.ask(`abort ${peer.number}`);
    await peer.until(() => peer.closed || peer.ended);
    assert.equal(peer.error?.code, 'ECONNRESET');
  });

  test('a link that said goodbye or is gone takes nothing, and does no harm', async () => {
    const peer = await host.peer('echo');
    peer.send('x');
    await peer.read(1);
    await host.ask(`close ${peer.number}`);
    assert.deepEqual(await host.ask(`poke ${peer.number}`), { taken: 0 });
    await peer.leave();
    await host.untilGuest(peer, ({ state }) => state === 'gone');
    assert.deepEqual(await host.ask(`poke ${peer.number}`), { taken: 0 });
    await host.ask(`abort ${peer.number}`);
  });

  test('so does one that was aborted', async () => {
    const peer = await host.peer('echo');
    peer.send('x');
    await peer.read(1);
    await host.ask(`abort ${peer.number}`);
    assert.deepEqual(await host.ask(`poke ${peer.number}`), { taken: 0 });
    await peer.leave();
  });

  test('one that the hallway refuses is sent away', async () => {
    await host.untilStats(({ open }) => open === 1); // who was here before is gone
    await host.ask('limit 1');
    const refused = new Peer(host.port);
    await refused.until(() => refused.closed || refused.ended);
    await host.ask('limit 1000000');
    const peer = await host.peer('echo');
    peer.send('x');
    assert.equal(String(await peer.read(1)), 'x');
    await Promise.all([peer.leave(), refused.leave()]);
  });

  if (!framed) describeListening(mode, start, () => host);

  test('in all of this the driver has kept its word, and it leaves nothing running', async () => {
    await host.shutDown();
    await host.end();
  });
}

type Start = (...args: Parameters<typeof Host.start>) => Promise<Host>;

/** Whom it lets in, where, and how fast. */
function describeListening(mode: string, start: Start, common: () => Host): void {
  let host: Host;
  beforeAll(() => {
    host = common();
  });

  test('who comes in has the listener to show for it, which takes no more than it may', async () => {
    const terms = { anonymous: false, mountPoint: 'site/', connectionsMax: 2, webSocket: null };
    const place = { host: '127.0.0.1', port: 0 };
    const own = await start({ mode, listen: [place, { ...place, terms }] });
    const [, bound] = own.listening;
    const listener = `mqtt://127.0.0.1:${bound!.port}`;
    const first = await own.peerAt(1, 'echo');
    const second = await own.peerAt(1, 'echo');
    for (const peer of [first, second]) {
      peer.send('x');
      await peer.read(1);
      assert.deepEqual(await own.ask(`origin ${peer.number}`), {
        listener,
        username: null,
        certificate: null,
        anonymous: false,
        mountPoint: 'site/',
      });
    }
    for (let i = 0; i < 3; i++) {
      const third = new Peer(bound!.port);
      await third.until(() => third.closed || third.ended);
      await third.leave();
    }
    assert.deepEqual(own.told, ['warn']);
    assert.deepEqual(own.firstTold, { connections: 2, listener });
    const elsewhere = await own.peer('echo');
    elsewhere.send('x');
    await elsewhere.read(1);
    assert.deepEqual(await own.ask(`origin ${elsewhere.number}`), {
      listener: `mqtt://127.0.0.1:${own.port}`,
      username: null,
      certificate: null,
      anonymous: null,
      mountPoint: '',
    });
    await first.leave();
    await own.until(() => own.told.length > 1);
    assert.deepEqual(own.told, ['warn', 'info']);
    const late = await own.peerAt(1, 'echo');
    late.send('x');
    assert.equal(String(await late.read(1)), 'x');
    await own.kill();
  });

  test('turns come when they are wanted, and hardly any besides', async () => {
    assert.deepEqual(await host.ask('wake'), { woken: true });
    for (const ms of [0, 1, 20, 150]) {
      const { late, turns } = await host.ask<{ late: number; turns: number }>(`alarm ${ms}`);
      assert.ok(late >= 0 && late < 10_000, `${late} ms late`);
      assert.ok(turns <= 5, `${turns} turns within ${ms} ms`);
      await host.command('alarm 3600000'); // the next one is wanted earlier
      await host.stats(); // now it is set
    }
  });

  test('ten thousand that come at once are let in at the pace, and the others served', async () => {
    const own = await start({ mode });
    const settled = await own.peer('echo');
    const crowd = new Crowd(own.port, CROWD);
    const rounds: number[] = [];
    let coming = true;
    const asking = (async () => {
      while (coming) {
        const asked = performance.now();
        settled.send('x');
        await settled.read(1);
        rounds.push(performance.now() - asked);
      }
    })();
    const { in: tookMs, reset } = await crowd.in;
    coming = false;
    await asking;
    const { opened, openedInTurnMax } = await own.stats();
    assert.ok(reset <= CROWD / 100, `${reset} were reset`);
    // Some of those had a socket here.
    assert.ok(opened >= CROWD + 2 && opened <= CROWD + 2 + reset, `${opened}, ${reset} reset`);
    const { acceptsPerSecond } = defaultIoOptions;
    const { burst } = new Pacing(acceptsPerSecond, 0);
    // The workers of a pool let in each for itself, and a turn of the owner hears of several.
    const pooled = mode.endsWith('pool');
    assert.ok(pooled || openedInTurnMax <= burst, `${openedInTurnMax} were let in within a turn`);
    const pacedMs = ((CROWD - burst) / acceptsPerSecond) * 1000;
    assert.ok(pooled || tookMs >= pacedMs, `all were in after ${tookMs} ms`);
    rounds.sort((a, b) => a - b);
    const p99 = rounds[Math.floor(rounds.length * 0.99)]!;
    const served = rounds.length > 50 && p99 < Math.max(SERVED_MS, tookMs * SERVED_PART);
    assert.ok(served, `${rounds.length} rounds in ${tookMs} ms, p99 ${p99} ms`);
    await own.untilStats(({ open }) => open === 2);
    await Promise.all([crowd.gone, settled.leave()]);
    await own.kill();
  }, 240_000);

  test('without descriptors nobody is let in; it is told once, and goes on by itself', async () => {
    const own = await start({ mode }, 100);
    await own.stats(); // its own connection is one of the first
    const crowd = Array.from({ length: 150 }, () => new Peer(own.port));
    for (const peer of crowd) peer.send(`${peer.number} echo\nx`);
    // There is a place for whoever is let in, at the pace, and everybody else is sent away.
    const settled = (peer: Peer) => peer.heard || peer.ended || peer.closed;
    await Promise.all(crowd.map(peer => peer.until(() => settled(peer))));
    await own.until(() => own.told.length > 0);
    const { open } = await own.stats();
    assert.equal(open, 1 + crowd.filter(peer => peer.heard).length);
    assert.deepEqual(own.firstTold, { connections: open });
    assert.ok(open > 10 && open < 100, `${open} are in`);
    const { cpuMs: begin } = await own.stats();
    await own.ask('alarm 1000');
    const { cpuMs: end } = await own.stats();
    assert.ok(end - begin < 500, `waiting for descriptors took ${end - begin} ms of CPU time`);
    assert.deepEqual(own.told, ['warn']);
    await Promise.all(crowd.map(peer => peer.leave()));
    await own.until(() => own.told.length > 1);
    assert.deepEqual(own.told, ['warn', 'info']);
    const late = await own.peer('echo');
    late.send('x');
    assert.equal(String(await late.read(1)), 'x');
    await late.leave();
  });

  test('an address that cannot be had is told with code, address and port', async () => {
    const taken = { host: '127.0.0.1', port: host.port };
    const foreign = { host: '192.0.2.1', port: 1883 };
    const own = await start({ mode, listen: [taken, foreign] });
    assert.deepEqual(own.refused, [
      { code: 'EADDRINUSE', address: taken.host, port: taken.port },
      { code: 'EADDRNOTAVAIL', address: foreign.host, port: foreign.port },
    ]);
    await own.kill();
  });

  if (lowPortsAreFree) skipped('a port that is not ours', 'low ports are free for all here');
  else {
    test('a port that is not ours is told as well', async () => {
      const low = { host: '127.0.0.1', port: 81 };
      const own = await start({ mode, listen: [low], unprivileged: true });
      assert.deepEqual(own.refused, [{ code: 'EACCES', address: low.host, port: low.port }]);
      await own.kill();
    });
  }

  if (!hasIPv6) skipped('IPv6 leaves IPv4 alone', 'no IPv6');
  else {
    test('IPv6 leaves IPv4 to its sibling on the same port', async () => {
      const own = await start({ mode, listen: [{ host: '0.0.0.0', port: 0 }] });
      const sibling = { host: '::', port: own.port };
      const other = await start({ mode, listen: [sibling] });
      assert.deepEqual(other.listening, [sibling]);
      await Promise.all([own.kill(), other.kill()]);
    });
  }

  test('several processes share a port only when that is asked for', async () => {
    const options = { reusePort: true };
    const own = await start({ mode, options });
    const listen = [{ host: '127.0.0.1', port: own.port }];
    const sharing = await start({ mode, listen, options });
    assert.deepEqual(sharing.listening, listen);
    await Promise.all([own.kill(), sharing.kill()]);
  });

  test('a peer that takes nothing is gone after the user timeout', async () => {
    const own = await start({ mode, options: { userTimeoutMs: 300 } });
    const slow = await own.slowPeer(24 * MB);
    await own.untilGuest(slow, ({ state }) => state === 'gone');
    await slow.leave();
    await own.kill();
  });

  test('silent peers are asked whether they are there', async () => {
    const own = await start({ mode, options: { keepAliveSeconds: 77 } });
    const peer = await own.peer('echo');
    peer.send('x');
    await peer.read(1);
    const timer = () => timerOf(own.port, peer.socket.localPort!);
    while (timer().kind === RETRANSMISSION) await own.stats(); // until its echo is acknowledged
    const { kind, seconds } = timer();
    assert.equal(kind, KEEP_ALIVE);
    assert.ok(seconds > 30 && seconds <= 77, `the next question in ${seconds} s`);
    await own.kill();
  });

  test('a stop lets nobody in and lets everybody have what is written', async () => {
    const own = await start({ mode });
    const slow = await own.slowPeer(24 * MB);
    await own.shutDown();
    const late = new Peer(own.port);
    await late.until(() => late.closed);
    assert.equal(late.error?.code, 'ECONNREFUSED');
    slow.socket.resume();
    assert.ok((await slow.readToEnd()).equals(pattern(24 * MB)));
    await slow.leave();
    await own.end();
  });

  test('a bug in the hallway ends the process', async () => {
    const own = await start({ mode });
    await own.command('unheard-of');
    assert.match(await own.fail(), /no command is called unheard-of/);
  });
}

/** What the system calls the timers of its connections. */
const RETRANSMISSION = '01';
const KEEP_ALIVE = '02';

/** What the system does next about a connection by itself, and when. */
function timerOf(localPort: number, remotePort: number): { kind: string; seconds: number } {
  const end = (port: number) => `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const columns = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map(line => line.trim().split(/\s+/))
    .find(([, local, remote]) => local === end(localPort) && remote === end(remotePort));
  assert.ok(columns !== undefined);
  const [kind, when] = columns[5]!.split(':') as [string, string];
  return { kind, seconds: Number.parseInt(when, 16) / 100 };
}

for (const mode of Object.keys(drivers)) {
  describe(`driver ${mode}`, () => describeDriver(mode, false));
  describe(`driver ${mode}, for WebSockets`, () => describeDriver(mode, true));
}
