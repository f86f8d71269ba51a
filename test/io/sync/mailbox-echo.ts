// The other thread of mailbox.test.ts: blocked in the synchronous driver, it sends back whatever
// reaches it.

import { parentPort, workerData } from 'node:worker_threads';
import { defaultIoOptions } from '../../../src/io/options.ts';
import { Mailbox, type MailboxMemory } from '../../../src/io/sync/mailbox.ts';
import { SyncDriver } from '../../../src/io/sync/sync-driver.ts';

const { memory, bell } = workerData as { readonly memory: MailboxMemory; readonly bell: number };
const port = parentPort!;

const box = new Mailbox(memory, 'second', () => port.postMessage(null));
const idle = {
  opened: () => false,
  bytes: () => {},
  drained: () => {},
  closed: () => {},
  parted: () => {},
  turn: () => Number.POSITIVE_INFINITY,
};
const driver = await SyncDriver.create(idle, defaultIoOptions, () => {});
driver.watch(bell, () => {
  for (let letter = box.receive(); letter !== null; letter = box.receive()) {
    if (letter === 'stop') driver.stop();
    else box.send(letter);
  }
});
driver.run();
