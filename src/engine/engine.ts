// Everything that lives on the core's thread, put together from a configuration: store, broker,
// hallway, driver, listeners. It knows nothing of the thread it is on: in the asynchronous mode
// that is the main one, in the synchronous mode a worker that is blocked most of the time.

import { allowAll } from '../auth/allow-all.ts';
import { type AccessMaker, type AccessSpec, loadAccessMaker } from '../auth/create.ts';
import { formatAddress } from '../config/address.ts';
import type { Config } from '../config/config.ts';
import type { Authenticator } from '../core/access.ts';
import { Broker } from '../core/broker.ts';
import type { LogEvent } from '../core/effects.ts';
import {
  deleteRetained,
  dropSession,
  expel,
  findSession,
  kick,
  listGuests,
  listSessions,
} from '../core/report/control.ts';
import { statistics } from '../core/report/statistics.ts';
import { type DoorSide, nearSide } from '../io/doors/side.ts';
import type { Driver, Hallway } from '../io/driver.ts';
import { listenerName } from '../io/entrance.ts';
import { limits } from '../limits.ts';
import type { Logger } from '../log.ts';
import { Loop } from '../loop.ts';
import { openGarbage } from '../platform/garbage.ts';
import { Watchdog, type WatchdogRequest } from '../service/watchdog.ts';
import { keptRows, keptSessions } from '../store/kept.ts';
import type { StoreLog } from '../store/log.ts';
import { type OpenedStore, openStore } from '../store/open.ts';
import { StoreError } from '../store/store.ts';
import type { UpkeepRequest } from '../store/upkeep/upkeep.ts';
import { Lull, movedBytes } from './lull.ts';
import type { Answer, Page, Question, Results } from './questions.ts';

export interface EngineParts {
  readonly log: Logger;
  readonly authenticator: Authenticator;
  readonly access: AccessSpec | null;
  /** Null: loaded when there are rules; a thread that runs no promises has it from the start. */
  readonly makeAccess: AccessMaker | null;
  /** The eventfd that a store on its own thread rings when it has answered, for a thread that hears
   *  no messages: then it calls `Engine.hearStore`. */
  readonly storeBell: number | null;
  /** What a service manager wants of the loop. */
  readonly watchdog: WatchdogRequest | null;
  createDriver(hallway: Hallway): Promise<Driver>;
}

/** Rows of a list per answer, so that a long one does not hold up a turn. */
const ROWS_PER_ANSWER = 256;
/** Lists that somebody may be in the middle of; the oldest is forgotten for a new one. */
const LISTS_MAX = 8;

export class Engine {
  /** Where clients reach it, e.g. "127.0.0.1:1883". */
  addresses: readonly string[] = [];
  private readonly broker: Broker;
  private readonly loop: Loop;
  private readonly driver: Driver;
  private readonly kept: OpenedStore | null;
  private readonly keeper: StoreLog | null;
  /** The core's milliseconds. */
  private readonly clock: () => number;
  private makeAccess: AccessMaker | null = null;
  private readonly lists = new Map<number, Iterator<unknown>>();

  /** Rejects with a StoreError, or an error that has `code` when a listener cannot be opened. */
  static async start(config: Config, parts: EngineParts): Promise<Engine> {
    const { log } = parts;
    const makeAccess = parts.makeAccess ?? (parts.access && (await loadAccessMaker()));
    const access = makeAccess?.(parts.access) ?? allowAll;
    const kept = await openStore(config.store, parts.storeBell);
    // The core's clock goes on where it was when the store was last written.
    const start = (kept?.clock ?? 0) - performance.now();
    const clock = () => start + performance.now();
    const keeper = kept?.createLog({
      durable: (written, synced) => broker.handleDurable(written, synced),
      window: (session, rows) => {
        broker.handleWindow(session, keptRows(rows, keeper!), clock());
        loop.wake(); // it comes from the store's thread, outside of any turn
      },
      ready: () => loop.wake(),
      full: () => broker.handleStoreFull(clock()),
      room: room => tellRoom(log.child('store'), room),
      trouble: error => tellTrouble(log.child('store'), error),
    });
    const broker = new Broker(config.broker, access, random, clock(), keeper);
    if (kept !== null && keeper !== undefined) {
      const { retained, maxSid } = kept.loaded;
      broker.restore(keptSessions(kept.loaded, keeper), retained, maxSid, clock());
    }
    const coreLog = log.child('core');
    const writeEvent = (event: LogEvent) => coreLog.log(event.level, event.event, event.fields);
    const loop = new Loop(broker, parts.authenticator, clock, writeEvent, keeper ?? null);
    let opened: Driver | null = null;
    try {
      const watchdog = parts.watchdog && (await Watchdog.open(parts.watchdog));
      if (watchdog !== null) loop.pulses.push(watchdog);
      const driver = await parts.createDriver(loop);
      opened = driver;
      loop.wake = () => driver.wake();
      loop.pulses.push(lullOf(broker, await openGarbage('run' in driver)));
      const engine = new Engine(broker, loop, driver, kept, keeper ?? null, clock);
      engine.makeAccess = makeAccess;
      engine.addresses = await listenAll(config, driver, log.child('io'));
      if (kept !== null) tellStore(kept, log.child('store'));
      driver.wake();
      return engine;
    } catch (error) {
      opened?.stop();
      await keeper?.close(clock());
      throw error;
    }
  }

  private constructor(
    broker: Broker,
    loop: Loop,
    driver: Driver,
    kept: OpenedStore | null,
    keeper: StoreLog | null,
    clock: () => number,
  ) {
    this.broker = broker;
    this.loop = loop;
    this.driver = driver;
    this.kept = kept;
    this.keeper = keeper;
    this.clock = clock;
  }

  /** Answers at once where it can; `done` is called once. */
  ask(question: Question, done: (answer: Answer) => void): void {
    if (question.about === 'store') {
      this.askStore(question.request, done);
      return;
    }
    if (question.about === 'reconfigure' && question.access !== null && this.makeAccess === null) {
      loadAccessMaker().then(maker => {
        this.makeAccess = maker;
        this.ask(question, done);
      });
      return;
    }
    done({ ok: true, result: this.answer(question) });
    this.driver.wake(); // what was done may have said something to somebody
  }

  private answer(question: Exclude<Question, { about: 'store' }>): Results[keyof Results] {
    const { state } = this.broker;
    switch (question.about) {
      case 'clients':
        return this.nextRows(question.list, () => listSessions(state, this.clock));
      case 'guests':
        return this.nextRows(question.list, () => listGuests(state));
      case 'expel':
        expel(state, question.ids, this.clock());
        return true;
      case 'client':
        return findSession(state, question.id, this.clock());
      case 'kick':
        return kick(state, question.id, this.clock());
      case 'drop-session':
        return dropSession(state, question.id, this.clock());
      case 'delete-retained':
        return deleteRetained(state, question.filter);
      case 'stats':
        return statistics(state, this.clock());
      case 'reconfigure':
        this.broker.handleOptions(question.config.broker);
        this.broker.handleAccess(this.makeAccess?.(question.access) ?? allowAll);
        return true;
    }
  }

  private nextRows<Row>(list: number, begin: () => Iterator<Row>): Page<Row> {
    const { lists } = this;
    let rest = lists.get(list) as Iterator<Row> | undefined;
    if (rest === undefined) {
      rest = begin();
      const [oldest] = lists.keys();
      if (lists.size >= LISTS_MAX && oldest !== undefined) lists.delete(oldest);
      lists.set(list, rest);
    }
    const rows: Row[] = [];
    while (rows.length < ROWS_PER_ANSWER) {
      const { done, value } = rest.next();
      if (done) {
        lists.delete(list);
        return { rows, more: false };
      }
      rows.push(value);
    }
    return { rows, more: true };
  }

  private askStore(request: UpkeepRequest, done: (answer: Answer) => void): void {
    if (this.kept === null) {
      done({ ok: false, code: 'missing', message: 'this broker keeps nothing on disk' });
      return;
    }
    this.kept.store.upkeep(request, outcome => {
      if (outcome instanceof StoreError) {
        done({ ok: false, code: outcome.code, message: outcome.message });
      } else {
        done({ ok: true, result: outcome });
      }
    });
  }

  /** How links come in that are not the driver's. */
  get side(): DoorSide {
    return nearSide(this.loop, () => this.driver.wake());
  }

  /** Fetches what the store has answered. */
  hearStore(): void {
    this.kept?.store.drain();
  }

  /** Lets nobody in any more and tells clients goodbye; `done` when the last is gone, which the
   *  broker's drain time-out bounds. */
  stop(done: () => void): void {
    this.driver.stopListening();
    this.broker.handleShutdown(this.clock());
    this.driver.wake();
    this.loop.whenEmpty(done);
  }

  /** Ends what is left. Resolves when everything that was noted is kept. */
  async close(): Promise<void> {
    this.driver.stop();
    await this.keeper?.close(this.clock());
  }
}

function lullOf({ state }: Broker, giveMemoryBack: () => void): Lull {
  return new Lull(
    () => movedBytes(state),
    () => {
      state.pool.empty();
      if (state.connectionCount <= limits.lullClientsMax) giveMemoryBack();
    },
  );
}

/** Uniform in [0, 1), from the system's source: assigned client ids are not to be guessed. Web
 *  Crypto and not node:crypto, whose loading alone costs 7 MB. */
function random(): number {
  const [word] = crypto.getRandomValues(new Uint32Array(1));
  return word / 2 ** 32;
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

function tellRoom(log: Logger, room: boolean): void {
  if (room) log.info('the store has room again');
  else log.error('the store is over quotaBytes or freeBytesMin; what it would keep is refused');
}

/** Those where MQTT is spoken as it is come first, by their addresses alone. */
async function listenAll(config: Config, driver: Driver, log: Logger): Promise<string[]> {
  const addresses: string[] = [];
  const webSockets: string[] = [];
  const wanted = config.listeners;
  let lastPort = 0;
  for (const listener of wanted) {
    // The IPv6 sibling of a listener whose port the system chose takes the same port.
    const port = listener.optional && listener.port === 0 ? lastPort : listener.port;
    try {
      const bound = await driver.listen(listener.host, port, listener.terms);
      lastPort = bound.port;
      if (listener.terms?.webSocket) webSockets.push(listenerName(bound, listener.terms));
      else addresses.push(formatAddress(bound.host, bound.port));
    } catch (error) {
      if (!listener.optional) throw error;
      const address = formatAddress(listener.host, port);
      const code = (error as { code?: string }).code ?? String(error);
      // A machine without IPv6 is none of our business; an address that is taken may surprise.
      const missing = code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT';
      log.log(missing ? 'debug' : 'warn', 'not listening', { address, code });
    }
  }
  return [...addresses, ...webSockets];
}
