// The program of an engine's own thread: the synchronous mode. Once everything is open it waits in
// system calls until it is told to stop, and runs no promise, timer or message meanwhile; whoever
// wants something of it puts it into the mailbox and rings the bell.

import { parentPort, workerData } from 'node:worker_threads';
import { allowAll } from '../../auth/allow-all.ts';
import { isOpen, loadAccessMaker } from '../../auth/create.ts';
import type { Authenticator } from '../../core/access.ts';
import { createSyncDriver } from '../../io/create.ts';
import type { BlockingDriver } from '../../io/driver.ts';
import { Mailbox } from '../../io/sync/mailbox.ts';
import { RemoteLinks } from '../../io/sync/pool/remote-links.ts';
import { StoreError } from '../../store/store.ts';
import { Engine } from '../engine.ts';
import { DistantAuthenticator, DistantLogger } from './distant.ts';
import type { EngineThreadData, FromEngine, StartFault, ToEngine } from './messages.ts';

const given = (workerData as EngineThreadData).minnowEngine;
const { config, access, mailbox, bell, doors, watchdog, room } = given;
let logConfig = config.log;
const wakeMain = () => parentPort!.postMessage(null);
const mail = new Mailbox(mailbox, 'second', wakeMain);

/** What the main thread waits for: without it nothing can go on. */
function tell(message: FromEngine): void {
  mail.deliver(message);
}

/** Whoever started this thread knows that it runs: what ends it from now on is a bug. */
let started = false;

async function runEngine(): Promise<void> {
  const offer = (message: FromEngine) => mail.send(message);
  const log = new DistantLogger('main', offer, () => logConfig);
  const distant = new DistantAuthenticator(offer);
  // Who asks nobody needs no message.
  let open = isOpen(config.auth);
  const authenticate: Authenticator['authenticate'] = (credentials, done) =>
    (open ? allowAll : distant).authenticate(credentials, done);
  let driver!: BlockingDriver;
  const engine = await Engine.start(config, {
    log,
    authenticator: { authenticate },
    access,
    makeAccess: await loadAccessMaker(),
    storeBell: bell,
    watchdog,
    createDriver: async hallway => {
      const ioLog = log.child('io');
      const tellIo = ioLog.log.bind(ioLog);
      const { io } = config;
      const made = await createSyncDriver(io.poolSize, hallway, io, tellIo, room);
      // Whoever rings: mailbox, store, or one of the rings, which are looked at in any case.
      made.watch(bell, () => {
        readMail();
        engine.hearStore();
      });
      if (doors !== null) {
        made.feed(new RemoteLinks(hallway, tellIo, doors.up, doors.down, wakeMain));
      }
      driver = made;
      return made;
    },
  });

  const handle = (message: ToEngine): void => {
    switch (message.type) {
      case 'ask': {
        const { id, question } = message;
        if (question.about === 'reconfigure') {
          logConfig = question.config.log;
          open = isOpen(question.config.auth);
        }
        engine.ask(question, answer => tell({ type: 'answer', id, answer }));
        break;
      }
      case 'verdict':
        distant.verdict(message.id, message.result);
        break;
      case 'stop':
        engine.stop(() => {
          tell({ type: 'empty' });
          driver.stop();
        });
    }
  };
  const readMail = (): void => {
    for (let message = mail.receive(); message !== null; message = mail.receive()) {
      handle(message as ToEngine);
    }
  };

  tell({ type: 'started', addresses: engine.addresses });
  started = true;
  readMail();
  driver.run();
  await engine.close();
  tell({ type: 'closed' });
}

/** Null for what is no operating error. */
function faultOf(error: unknown): StartFault | null {
  if (error instanceof StoreError) {
    return { kind: 'store', code: error.code, message: error.message };
  }
  const { code, message, address, port } = error as NodeJS.ErrnoException & Partial<StartFault>;
  if (typeof code !== 'string') return null;
  return {
    kind: 'system',
    code,
    message,
    ...(address !== undefined && { address }),
    ...(port !== undefined && { port }),
  };
}

try {
  await runEngine();
} catch (error) {
  const fault = started ? null : faultOf(error);
  if (fault === null) throw error;
  tell({ type: 'refused', fault });
}
