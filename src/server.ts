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
  const clock = () => performance.now();
  const auth = await createAuth(config.auth);
  const broker = new Broker(config.broker, auth.access, random, clock());
  const coreLog = log.child('core');
  const writeEvent = (event: LogEvent) => coreLog.log(event.level, event.event, event.fields);
  const loop = new Loop(broker, auth.authenticator, clock, writeEvent);
  const driver: Driver = new BunDriver(loop);
  loop.wake = () => driver.wake();
  let addresses: string[];
  try {
    addresses = await listenAll(config, driver, log.child('io'));
  } catch (error) {
    driver.stop();
    throw error;
  }
  const control = await openControl(config, broker, driver, clock, log.child('control')).catch(
    error => {
      driver.stop();
      throw error;
    },
  );
  driver.wake();
  return {
    addresses,
    async stop() {
      driver.stopListening();
      broker.handleShutdown(clock());
      driver.wake();
      await loop.whenEmpty();
      driver.stop();
      await control?.stop();
    },
  };
}

/** The control socket, if it is wanted. What is asked there is done at once, as a turn. */
async function openControl(
  config: Config,
  broker: Broker,
  driver: Driver,
  clock: () => number,
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
