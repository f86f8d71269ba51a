// Both sides of a pool's rings in one thread, in any order of their turns: what a peer sends comes
// back to it whole, however small the rings and however little the sockets take. Nothing is dropped
// or told twice, and everybody gets to the end.

import assert from 'node:assert/strict';
import type { Origin } from '../../../../src/core/access.ts';
import type { Connection } from '../../../../src/core/session/connection.ts';
import type { Link, Reception, Tell } from '../../../../src/io/driver.ts';
import { Forwarder, type HoldableDriver } from '../../../../src/io/sync/pool/forwarder.ts';
import { RemoteLinks } from '../../../../src/io/sync/pool/remote-links.ts';
import { createRing } from '../../../../src/io/sync/ring.ts';
import { describe, freshSeed, rounds, test } from '../../../harness.ts';
import { Prng } from '../../../prng.ts';

const RING_BYTES = 1024;
const PEERS = 5;
const BYTES_PER_PEER = 20_000;
const READ_BYTES = 2_000;

/** A socket and its peer, as a driver would have them. */
class FakeLink implements Link {
  readonly peer: string;
  connection: Connection | null = null;
  blocked = false;
  closing = false;
  private readonly world: World;
  readonly sent: Uint8Array;
  /** The peer ends its side when it has sent everything; others when they have everything back. */
  readonly hasty: boolean;
  /** What of `sent` was read, and what came back. */
  read = 0;
  readonly received: number[] = [];
  paused = false;
  /** The peer has ended its side, and we have heard. */
  ended = false;
  goodbye = false;
  aborted = false;
  gone = false;

  constructor(world: World, index: number, random: Prng) {
    this.world = world;
    this.peer = `peer:${index}`;
    this.hasty = index % 2 === 0;
    this.sent = Uint8Array.from({ length: BYTES_PER_PEER }, () => random.below(256));
  }

  write(buffer: Uint8Array, start: number, end: number): number {
    assert.ok(!this.goodbye && !this.gone && !this.blocked, 'written to when it must not be');
    const { random } = this.world;
    const taken = random.below(3) === 0 ? random.below(end - start + 1) : end - start;
    this.received.push(...buffer.subarray(start, start + taken));
    return taken;
  }

  pause(paused: boolean): void {
    this.paused = paused;
  }

  close(): void {
    assert.ok(!this.blocked, 'goodbye before everything is written');
    this.goodbye = true;
  }

  abort(): void {
    this.aborted = true;
  }
}

/** The core: everything comes back; what finds no room waits. */
class EchoHallway implements Reception {
  readonly waiting = new Map<Link, Uint8Array[]>();
  private readonly paused = new Set<Link>();
  private readonly world: World;
  opens = 0;
  closes = 0;

  constructor(world: World) {
    this.world = world;
  }

  opened(link: Link): boolean {
    this.opens++;
    this.waiting.set(link, []);
    return true;
  }

  bytes(link: Link, chunk: Uint8Array): void {
    assert.ok(chunk.length > 0);
    this.waiting.get(link)!.push(chunk.slice());
    if (this.world.random.below(10) > 0) return;
    link.pause(true);
    this.paused.add(link);
  }

  drained(link: Link): void {
    assert.ok(link.blocked, 'drained, though nothing was refused');
    link.blocked = false;
  }

  closed(link: Link): void {
    assert.ok(this.waiting.delete(link), 'closed twice');
    this.closes++;
  }

  turn(): number {
    for (const [link, chunks] of this.waiting) {
      while (chunks.length > 0 && !link.blocked) {
        const chunk = chunks[0]!;
        const taken = link.write(chunk, 0, chunk.length);
        chunks[0] = chunk.subarray(taken);
        if (taken < chunk.length) link.blocked = true;
        else chunks.shift();
      }
    }
    for (const link of this.paused) {
      if (this.world.random.below(3) > 0) continue;
      link.pause(false);
      this.paused.delete(link);
    }
    return this.paused.size > 0 ? 0 : Number.POSITIVE_INFINITY;
  }
}

class World {
  readonly random: Prng;
  readonly links: FakeLink[];
  private readonly driver: HoldableDriver & { held: boolean };
  private readonly forwarder: Forwarder;
  private readonly remote: RemoteLinks;
  readonly core: EchoHallway;
  /** The bell of each side: whether it has work. */
  private socketsAwake = true;
  private coreAwake = true;
  holds = 0;

  constructor(seed: number) {
    this.random = new Prng(seed);
    const up = createRing(RING_BYTES);
    const down = createRing(RING_BYTES);
    const nothing = () => {};
    this.forwarder = new Forwarder(up, down, () => {
      this.coreAwake = true;
    });
    this.driver = {
      held: false,
      hold: held => {
        this.driver.held = held;
        if (held) this.holds++;
      },
      listenOn: nothing,
      stopListening: nothing,
    };
    this.forwarder.driver = this.driver;
    this.core = new EchoHallway(this);
    this.remote = new RemoteLinks(this.core, nothing, up, down, () => {
      this.socketsAwake = true;
    });
    this.links = Array.from({ length: PEERS }, (_, i) => new FakeLink(this, i, this.random));
    for (const link of this.links) this.forwarder.opened(link);
  }

  /** One turn of either side, if it is awake. False: neither is, and no socket is ready. */
  step(): boolean {
    const ready = this.links.filter(link => !link.gone && this.hasWork(link));
    const sockets = this.socketsAwake || ready.length > 0;
    if (!sockets && !this.coreAwake) return false;
    if (sockets && (!this.coreAwake || this.random.below(2) === 0)) {
      for (const link of ready) if (this.random.below(3) > 0) this.serve(link);
      this.forwarder.work();
      this.socketsAwake = false;
      if (!this.forwarder.settle()) this.socketsAwake = true;
    } else {
      this.remote.work();
      const soon = this.core.turn() === 0;
      this.coreAwake = false;
      if (!this.remote.settle() || soon) this.coreAwake = true;
    }
    return true;
  }

  private hasWork(link: FakeLink): boolean {
    if (link.blocked || link.aborted || (link.goodbye && link.ended)) return true;
    return this.canRead(link);
  }

  private canRead(link: FakeLink): boolean {
    if (link.paused || this.driver.held || link.ended) return false;
    return link.read < link.sent.length || link.hasty || link.received.length === link.read;
  }

  /** What a driver does for a socket that is ready. */
  private serve(link: FakeLink): void {
    if (link.aborted || (link.goodbye && link.ended)) {
      link.gone = true;
      this.forwarder.closed(link);
      return;
    }
    if (link.blocked) this.forwarder.drained(link);
    if (!this.canRead(link)) return;
    if (link.read < link.sent.length) {
      const chunk = link.sent.slice(link.read, link.read + 1 + this.random.below(READ_BYTES));
      link.read += chunk.length;
      this.forwarder.bytes(link, chunk);
      chunk.fill(0); // it was borrowed
    } else {
      link.ended = true;
      this.forwarder.ended(link);
    }
  }
}

describe("a pool's rings", () => {
  test('bring back whatever is sent, in any order of turns', () => {
    const seed = freshSeed();
    let holds = 0;
    for (let round = 0; round < 40 * rounds; round++) {
      const world = new World(seed + round);
      const told = `seed ${seed}, round ${round}`;
      let steps = 0;
      while (world.step()) assert.ok(++steps < 200_000, `it never ends: ${told}`);
      for (const link of world.links) {
        assert.equal(link.read, link.sent.length, `stuck: ${told}`);
        assert.ok(link.gone, `not closed: ${told}`);
        // A peer that has ended its side gets what goes without waiting, and that in order.
        const { received, hasty } = link;
        if (!hasty) assert.equal(received.length, link.sent.length, told);
        assert.deepEqual(Uint8Array.from(received), link.sent.subarray(0, received.length), told);
      }
      assert.deepEqual([world.core.opens, world.core.closes], [PEERS, PEERS], told);
      holds += world.holds;
    }
    assert.ok(holds > 0, 'the ring to the core was full now and then');
  });

  test('carry what concerns no link: sockets to listen on, trouble, the end by a bug', () => {
    const up = createRing(RING_BYTES);
    const down = createRing(RING_BYTES);
    const heard: unknown[] = [];
    const forwarder = new Forwarder(up, down, () => {});
    const nothing = () => {};
    forwarder.driver = {
      hold: nothing,
      listenOn: (fd, name) => heard.push(['listen', fd, name]),
      stopListening: () => heard.push('no more'),
    };
    const hallway = {
      opened: () => true,
      bytes: nothing,
      drained: nothing,
      closed: nothing,
      turn: () => 0,
    };
    const tell: Tell = (...told) => heard.push(told);
    const remote = new RemoteLinks(hallway, tell, up, down, nothing);
    remote.listenOn(17, 'mqtt://127.0.0.1:1883');
    remote.stopListening();
    forwarder.work();
    assert.deepEqual(heard.splice(0), [['listen', 17, 'mqtt://127.0.0.1:1883'], 'no more']);

    const late = new FakeLink(new World(1), 7, new Prng(1));
    forwarder.opened(late);
    forwarder.tell({ level: 'warn', message: 'no descriptors', fields: { connections: 3 } });
    forwarder.fail('it broke', () => assert.fail('there is room'));
    assert.throws(() => remote.work(), /a thread of the pool has failed: it broke/);
    assert.deepEqual(heard, [['warn', 'no descriptors', { connections: 3 }]]);
    remote.settle();
    forwarder.work();
    assert.ok(late.aborted, 'nobody is let in after the last call');
  });

  test('carry who came in, however much a certificate says', () => {
    const up = createRing(RING_BYTES);
    const down = createRing(RING_BYTES);
    const heard: (Origin | null | undefined)[] = [];
    const nothing = () => {};
    const forwarder = new Forwarder(up, down, nothing);
    forwarder.driver = { hold: nothing, listenOn: nothing, stopListening: nothing };
    const hallway = {
      opened: (link: Link) => heard.push(link.origin) > 0,
      bytes: nothing,
      drained: nothing,
      closed: nothing,
      turn: () => 0,
    };
    const remote = new RemoteLinks(hallway, nothing, up, down, nothing);
    const origins = [2, 3 * RING_BYTES, 5].map(length => ({
      listener: 'mqtts',
      username: 'ü'.repeat(length),
      certificate: null,
      anonymous: null,
      mountPoint: '',
    }));
    for (const origin of origins) {
      forwarder.opened(Object.assign(new FakeLink(new World(1), 7, new Prng(1)), { origin }));
    }
    for (let turn = 0; turn < 30; turn++) {
      forwarder.settle();
      remote.work();
    }
    assert.deepEqual(heard, origins);
  });

  test('carry the end by a bug though they are full', () => {
    const up = createRing(RING_BYTES);
    const down = createRing(RING_BYTES);
    const nothing = () => {};
    const forwarder = new Forwarder(up, down, nothing);
    forwarder.driver = { hold: nothing, listenOn: nothing, stopListening: nothing };
    const hallway = {
      opened: () => true,
      bytes: nothing,
      drained: nothing,
      closed: nothing,
      turn: () => 0,
    };
    const remote = new RemoteLinks(hallway, nothing, up, down, nothing);
    const link = new FakeLink(new World(1), 7, new Prng(1));
    forwarder.opened(link);
    forwarder.bytes(link, new Uint8Array(2 * RING_BYTES));
    const turns: number[] = [];
    forwarder.fail('it broke', () => {
      turns.push(1);
      remote.work();
      return true;
    });
    assert.throws(() => remote.work(), /a thread of the pool has failed: it broke/);
    assert.ok(turns.length > 0, 'there was no room at first');
    forwarder.bytes(link, new Uint8Array(2 * RING_BYTES));
    forwarder.fail('and nobody listens', () => false);
  });

  test('are left behind with everybody gone', () => {
    const up = createRing(RING_BYTES);
    const down = createRing(RING_BYTES);
    const heard: string[] = [];
    const nothing = () => {};
    const forwarder = new Forwarder(up, down, nothing);
    const hallway = {
      opened: (link: Link) => heard.push(`opened ${link.peer}`) > 0,
      bytes: nothing,
      drained: nothing,
      closed: (link: Link) => heard.push(`closed ${link.peer}`),
      turn: () => 0,
    };
    const remote = new RemoteLinks(hallway, nothing, up, down, nothing);
    forwarder.opened(new FakeLink(new World(1), 7, new Prng(1)));
    forwarder.settle();
    remote.work();
    remote.abandon();
    remote.abandon();
    assert.deepEqual(heard, ['opened peer:7', 'closed peer:7']);
  });
});
