// What the contract of drivers cannot see of the synchronous one: what it does to descriptors.

import assert from 'node:assert/strict';
import { defaultIoOptions } from '../../../src/io/options.ts';
import { Room } from '../../../src/io/room.ts';
import { openLibc } from '../../../src/io/sync/open-libc.ts';
import { SyncDriver } from '../../../src/io/sync/sync-driver.ts';
import { describe, test } from '../../harness.ts';

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
      turn: () => Number.POSITIVE_INFINITY,
    };
    const room = new Room(1, nothing);
    const driver = new SyncDriver({ ...libc, close }, hallway, defaultIoOptions, nothing, room);
    driver.stop();
    driver.run();
    driver.stop();
    assert.equal(closed.length, 1);
  });
});
