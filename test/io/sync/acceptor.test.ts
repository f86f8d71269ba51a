// What becomes of errors of accept(2), with a libc that makes them up and a clock of the test's
// own.

import assert from 'node:assert/strict';
import { Entrance, openTerms } from '../../../src/io/entrance.ts';
import { Acceptor } from '../../../src/io/sync/acceptor.ts';
import { AF_INET, EAGAIN, EINTR, EMFILE, type Libc } from '../../../src/io/sync/libc.ts';
import type { Source } from '../../../src/io/sync/poller.ts';
import { describe, test } from '../../harness.ts';

const EPROTO = 71;
const RETRY_MS = 1_000;

/** An acceptor of one listening socket, where each call of accept4 does what the test says. */
class Scene {
  now = 5_000;
  /** What the next calls give: an errno, or 0 for a client; then `usual`. */
  readonly results: number[] = [];
  usual = EAGAIN;
  calls = 0;
  clients = 0;
  readonly told: string[] = [];
  readonly acceptor: Acceptor;
  private listening!: Source;
  private errno = 0;

  constructor() {
    const accept4 = () => {
      this.calls++;
      this.errno = this.results.shift() ?? this.usual;
      return this.errno === 0 ? 100 : -1;
    };
    const address = (view: DataView) => {
      if (view.byteLength > 4) view.setUint16(0, AF_INET, true);
      return 1;
    };
    const libc = { accept4, address, errno: () => this.errno, close: () => 0 } as unknown as Libc;
    const poller = {
      add: (_fd: number, source: Source) => {
        this.listening = source;
        return true;
      },
      forget() {},
    };
    const accepted = () => ++this.clients > 0;
    const tell = (level: string, message: string) => this.told.push(`${level}: ${message}`);
    const nobody = { opened: () => false, bytes() {}, drained() {}, closed() {} };
    const entrance = new Entrance('mqtt://here', openTerms, nobody, null, tell);
    this.acceptor = new Acceptor(libc, poller, 1e6, tell, accepted, () => this.now);
    this.acceptor.add(3, entrance);
  }

  /** As the driver does in each round; gives the number of calls. */
  round(): number {
    const before = this.calls;
    this.acceptor.accept();
    return this.calls - before;
  }

  /** The system says that somebody waits. */
  arrive(): void {
    this.listening.ready(0);
  }
}

describe('accepting', () => {
  test('goes on behind clients who left before they were let in', () => {
    const scene = new Scene();
    scene.results.push(EPROTO, EINTR, 0, EPROTO, EPROTO, 0);
    scene.round();
    assert.equal(scene.clients, 2);
    assert.deepEqual(scene.told, []);
    assert.equal(scene.acceptor.patience(), Number.POSITIVE_INFINITY);
  });

  test('that fails again and again rests, says so once, and recovers', () => {
    const scene = new Scene();
    scene.usual = EPROTO;
    const first = scene.round();
    assert.ok(first > 1 && first < 100, `${first} calls`);
    assert.deepEqual(scene.told, ['warn: accepting fails: nobody is let in until it works again']);
    assert.equal(scene.acceptor.patience(), RETRY_MS);
    scene.arrive();
    assert.equal(scene.round(), 0, 'it rests');
    assert.equal(scene.acceptor.patience(), RETRY_MS);
    scene.now += RETRY_MS;
    assert.equal(scene.acceptor.patience(), 0);
    assert.equal(scene.round(), 1, 'one call shows that it still fails');
    assert.equal(scene.told.length, 1);
    scene.now += RETRY_MS;
    scene.usual = EAGAIN;
    scene.results.push(0);
    scene.round();
    assert.equal(scene.clients, 1);
    assert.deepEqual(scene.told.slice(1), ['info: accepting works again: clients are let in']);
    assert.equal(scene.acceptor.patience(), Number.POSITIVE_INFINITY);
  });

  test('without descriptors goes on as soon as some were closed', () => {
    const scene = new Scene();
    scene.usual = EMFILE;
    assert.equal(scene.round(), 1);
    assert.equal(scene.round(), 0);
    assert.equal(scene.acceptor.patience(), RETRY_MS);
    scene.acceptor.descriptorsFreed();
    assert.equal(scene.acceptor.patience(), 0);
    scene.usual = EAGAIN;
    scene.results.push(0);
    scene.round();
    assert.deepEqual(scene.told, [
      'warn: no descriptors left: nobody is let in until some are free',
      'info: descriptors are free again: clients are let in',
    ]);
  });

  test('does not take closed descriptors for an end of other trouble', () => {
    const scene = new Scene();
    scene.usual = EPROTO;
    scene.round();
    scene.acceptor.descriptorsFreed();
    assert.equal(scene.round(), 0);
  });
});
