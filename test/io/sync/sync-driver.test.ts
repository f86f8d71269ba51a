// What the contract of drivers cannot see of the synchronous one: what it does to descriptors, and
// whose turn it is.

import assert from 'node:assert/strict';
import type { Link } from '../../../src/io/driver.ts';
import { defaultIoOptions } from '../../../src/io/options.ts';
import { createRoom } from '../../../src/io/room.ts';
import { AF_INET, checked, MSG_DONTWAIT, SOCK_STREAM } from '../../../src/io/sync/libc.ts';
import { openLibc } from '../../../src/io/sync/open-libc.ts';
import { SOCKADDR_BYTES_MAX, writeSocketAddress } from '../../../src/io/sync/socket-address.ts';
import { SyncDriver } from '../../../src/io/sync/sync-driver.ts';
import { describe, test } from '../../harness.ts';

/** Peers that send more than one read takes, so many reads of it. */
const LOUD = 3;
const LOUD_READS = 16;
/** A fair driver reads everybody else about as often as the quiet one. */
const READS_MAX = 4;

describe('the synchronous driver', () => {
  test('that was stopped before it ran closes nothing twice: others may have it by then', async () => {
    const libc = await openLibc();
    const closed: number[] = [];
    const close = (fd: number) => {
      closed.push(fd);
      return libc.close(fd);
    };
    const nothing = () => {};
    const hallway = {
      opened: () => true,
      bytes: nothing,
      drained: nothing,
      closed: nothing,
      parted: nothing,
      turn: () => Number.POSITIVE_INFINITY,
    };
    const room = createRoom(1);
    const driver = new SyncDriver({ ...libc, close }, hallway, defaultIoOptions, nothing, room);
    driver.stop();
    driver.run();
    driver.stop();
    assert.equal(closed.length, 1);
  });

  test('that may read only now and then gives everybody a turn', async () => {
    const libc = await openLibc();
    const reads = new Map<Link, number>();
    const quiet = 'quiet';
    const hallway = {
      opened: (link: Link) => reads.set(link, 0).size > 0,
      bytes(link: Link, chunk: Uint8Array) {
        reads.set(link, reads.get(link)! + 1);
        driver.hold(true); // as when a ring is full
        if (Buffer.from(chunk).toString() === quiet) driver.stop();
      },
      drained() {},
      closed() {},
      parted() {},
      turn() {
        driver.hold(false);
        const most = Math.max(...reads.values());
        assert.ok(most < READS_MAX, 'the quiet one has had no turn');
        return 0;
      },
    };
    const room = createRoom(LOUD + 1);
    const driver = new SyncDriver(libc, hallway, defaultIoOptions, () => {}, room);
    const { port } = await driver.listen('127.0.0.1', 0);
    const address = new DataView(new ArrayBuffer(SOCKADDR_BYTES_MAX));
    const length = writeSocketAddress(address, '127.0.0.1', port);
    const peer = (bytes: Uint8Array) => {
      const fd = checked(libc, 'socket', libc.socket(AF_INET, SOCK_STREAM, 0));
      checked(libc, 'connect', libc.connect(fd, libc.address(address), length));
      libc.send(fd, libc.address(bytes), bytes.length, MSG_DONTWAIT);
      return fd;
    };
    const much = new Uint8Array(new ArrayBuffer(LOUD_READS * defaultIoOptions.readBufferBytes));
    const peers = Array.from({ length: LOUD }, () => peer(much));
    peers.push(peer(new Uint8Array(Uint8Array.from(Buffer.from(quiet)).buffer)));
    driver.run();
    for (const fd of peers) libc.close(fd);
  });
});
