// A running broker: core, hallway, driver and listeners put together from a configuration.

import { createAuth } from './auth/create.ts';
import { formatAddress } from './config/address.ts';
import type { Config } from './config/config.ts';
import { type ControlServer, startControl } from './control.ts';
import { Broker } from './core/broker.ts';
import type { LogEvent } from './core/effects.ts';
import {
  deleteRetained,
  dropSession,
  findSession,
  kick,
  listSessions,
} from './core/report/control.ts';
import { statistics } from './core/report/statistics.ts';
import { BunDriver } from './io/bun-driver.ts';
import type { Driver } from './io/driver.ts';
import type { Logger } from './log.ts';
import { Loop } from './loop.ts';
import { keptRows, keptSessions } from './store/kept.ts';
import { type OpenedStore, openStore } from './store/open.ts';
import type { StoreError } from './store/store.ts';

export interface Server {
  /** Where clients reach it, e.g. "127.0.0.1:1883". */
  readonly addresses: readonly string[];
  /** Lets nobody in any more, tells clients goodbye, resolves when all are gone. Bounded in time by
   *  the broker's drain time-out. */
  stop(): Promise<void>;
}

/** Uniform in [0, 1), from the system's source: assigned client ids are not to be guessed. Web
 *  Crypto and not node:crypto, whose loading alone costs 7 MB. */
function random(): number {
  const [word] = crypto.getRandomValues(new Uint32Array(1));
  return word / 2 ** 32;
}

/** Starts a broker; rejects with an error that has `code` when a listener cannot be opened. */
export async function startServer(config: Config, log: Logger): Promise<Server> {
  const auth = await createAuth(config.auth);
  const kept = await openStore(config.store);
  // The core's clock goes on where it was when the store was last written.
  const start = (kept?.clock ?? 0) - performance.now();
  const clock = () => start + performance.now();
  const keeper = kept?.createLog({
    durable: (written, synced) => broker.handleDurable(written, synced),
    window: (session, rows) => {
      broker.handleWindow(session, keptRows(rows, keeper!), clock());
      driver.wake(); // it comes from the store's thread, outside of any turn
    },
    ready: () => driver.wake(),
    full: () => broker.handleStoreFull(clock()),
    trouble: error => tellTrouble(log.child('store'), error),
  });
  const broker = new Broker(config.broker, auth.access, random, clock(), keeper);
  if (kept !== null && keeper !== undefined) {
    const { retained, maxSid } = kept.loaded;
    broker.restore(keptSessions(kept.loaded, keeper), retained, maxSid, clock());
  }
  const coreLog = log.child('core');
  const writeEvent = (event: LogEvent) => coreLog.log(event.level, event.event, event.fields);
  const loop = new Loop(broker, auth.authenticator, clock, writeEvent, keeper ?? null);
  const driver: Driver = new BunDriver(loop);
  loop.wake = () => driver.wake();
  const close = async () => {
    driver.stop();
    await keeper?.close(clock());
  };
  let addresses: string[];
  let control: ControlServer | null;
  try {
    addresses = await listenAll(config, driver, log.child('io'));
    control = await openControl(config, broker, driver, clock, kept, log.child('control'));
  } catch (error) {
    await close();
    throw error;
  }
  if (kept !== null) tellStore(kept, log.child('store'));
  driver.wake();
  return {
    addresses,
    async stop() {
      driver.stopListening();
      broker.handleShutdown(clock());
      driver.wake();
      await loop.whenEmpty();
      await control?.stop();
      await close();
    },
  };
}

/** Says what was found in the data directory. */
function tellStore({ loaded, store }: OpenedStore, log: Logger): void {
  const { path, journalMode, fallbackReason, movedAside } = store.description;
  if (movedAside !== null) {
    const what = 'the database was damaged; it was moved aside and a new one begun';
    log.error(what, { path, movedAside });
  }
  if (fallbackReason !== null) {
    log.warn('no write-ahead log here: commits are slower', { why: fallbackReason });
  }
  const sessions = loaded.sessions.length;
  log.info('store opened', { path, mode: journalMode, sessions, retained: loaded.retained.length });
}

function tellTrouble(log: Logger, error: StoreError | null): void {
  if (error === null) log.info('the store works again');
  else log.error('the store cannot be written; acknowledgements wait', { why: error.message });
}

/** The control socket, if it is wanted. What is asked there is done at once, as a turn. */
async function openControl(
  config: Config,
  broker: Broker,
  driver: Driver,
  clock: () => number,
  kept: OpenedStore | null,
  log: Logger,
): Promise<ControlServer | null> {
  if (!config.control.enabled) return null;
  const { state } = broker;
  const flushed = <Result>(result: Result): Result => {
    driver.wake();
    return result;
  };
  return startControl(
    config.control.path,
    {
      clients: () => listSessions(state, clock),
      client: id => findSession(state, id, clock()),
      kick: id => flushed(kick(state, id, clock())),
      dropSession: id => flushed(dropSession(state, id, clock())),
      deleteRetained: filter => flushed(deleteRetained(state, filter)),
      stats: () => statistics(state, clock()),
      upkeep: kept === null ? null : request => kept.store.upkeep(request),
    },
    log,
  );
}

async function listenAll(config: Config, driver: Driver, log: Logger): Promise<string[]> {
  const addresses: string[] = [];
  const wanted = config.listeners;
  let lastPort = 0;
  for (const listener of wanted) {
    // The IPv6 sibling of a listener whose port the system chose takes the same port.
    const port = listener.optional && listener.port === 0 ? lastPort : listener.port;
    try {
      const bound = await driver.listen(listener.host, port);
      lastPort = bound.port;
      addresses.push(formatAddress(bound.host, bound.port));
    } catch (error) {
      if (!listener.optional) throw error;
      const address = formatAddress(listener.host, port);
      const code = (error as { code?: string }).code ?? String(error);
      // A machine without IPv6 is none of our business; an address that is taken may surprise.
      const missing = code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT';
      log.log(missing ? 'debug' : 'warn', 'not listening', { address, code });
    }
  }
  return addresses;
}
