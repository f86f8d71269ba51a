// A running broker: the engine on the thread that its I/O mode wants, and around it what needs an
// event loop: the authenticator and the control socket.

import { createAuthenticator, readAccess } from './auth/create.ts';
import { AuthFault } from './auth/fault.ts';
import { ReplaceableAdmission } from './auth/replaceable.ts';
import type { Admission, Guest } from './auth/step.ts';
import type { Config } from './config/config.ts';
import { type ControlServer, type ControlTarget, startControl } from './control.ts';
import { Asking } from './engine/asking.ts';
import type { Engine } from './engine/engine.ts';
import type { Answer, Results } from './engine/questions.ts';
import type { ThreadEngine } from './engine/thread/thread-engine.ts';
import { createAsyncDriver, createAsyncPoolDriver } from './io/create.ts';
import type { Doors, IsUntrusted } from './io/doors/doors.ts';
import { createProcessRoom, type RoomShare } from './io/room.ts';
import type { Logger } from './log.ts';
import { ReloadError } from './reload.ts';
import type { WatchdogRequest } from './service/watchdog.ts';

export interface Server {
  /** Where clients reach it, e.g. "127.0.0.1:1883". */
  readonly addresses: readonly string[];
  /** Lets nobody in any more, tells clients goodbye, resolves when all are gone. Bounded in time by
   *  the broker's drain time-out. */
  stop(): Promise<void>;
  /** Takes over what of `config` can be taken over while it runs, and reads the files anew that it
   *  names. Rejects with a ReloadError when one of them is not right: then nothing has changed. */
  reconfigure(config: Config): Promise<void>;
}

/** Starts a broker, whose loop answers `watchdog`; rejects with a StoreError, an AuthFault, or an
 *  error that has `code` when a listener cannot be opened. */
export async function startServer(
  config: Config,
  log: Logger,
  reload: ControlTarget['reload'],
  watchdog: WatchdogRequest | null = null,
): Promise<Server> {
  const authLog = log.child('auth');
  const admission = new ReplaceableAdmission(await createAuthenticator(config.auth, authLog));
  const room = createProcessRoom();
  const engine = await startEngine(config, log, admission, watchdog, room);
  const doors = await openDoors(config, engine, log, room);
  const asking = new Asking(engine);
  const { ask } = asking;
  let control: ControlServer | null = null;
  const stop = async () => {
    doors?.stopListening();
    await new Promise<void>(resolve => engine.stop(resolve));
    asking.end();
    await control?.stop();
    doors?.stop();
    await engine.close();
  };
  try {
    if (config.control.enabled) {
      control = await startControl(config.control.path, { ask, reload }, log.child('control'));
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    addresses: [...engine.addresses, ...(doors?.addresses ?? [])],
    stop,
    async reconfigure(changed) {
      const renewDoors = prepareReload(doors);
      const { authenticator, access } = await readAuth(changed, authLog);
      const isUntrusted = await renewDoors();
      admission.replace(authenticator);
      demand(await ask({ about: 'reconfigure', config: changed, access }));
      const mayStay = (guest: Guest) => !isUntrusted(guest.origin) && admission.mayStay(guest);
      await expelGuests(ask, mayStay);
    },
  };
}

/** What [auth] and its files say now. */
async function readAuth(config: Config, log: Logger) {
  try {
    const authenticator = await createAuthenticator(config.auth, log);
    return { authenticator, access: await readAccess(config.auth) };
  } catch (error) {
    if (error instanceof AuthFault) throw new ReloadError(error.lines);
    throw error;
  }
}

/** The result that a reload cannot do without. */
function demand(answer: Answer): Results[keyof Results] {
  if (!answer.ok) throw new ReloadError([answer.message]);
  return answer.result;
}

let lastList = 0;

/** Ends the connections of those who would not be let in any more. */
async function expelGuests(
  ask: ControlTarget['ask'],
  mayStay: (guest: Guest) => boolean,
): Promise<void> {
  const list = --lastList; // the control socket counts its lists upwards
  for (let more = true; more; ) {
    const page = demand(await ask({ about: 'guests', list })) as Results['guests'];
    const ids = page.rows.filter(guest => !mayStay(guest)).map(guest => guest.clientId);
    if (ids.length > 0) demand(await ask({ about: 'expel', ids }));
    more = page.more;
  }
}

/** On this thread, or on one of its own where that is blocked most of the time. */
async function startEngine(
  config: Config,
  log: Logger,
  authenticator: Admission,
  watchdog: WatchdogRequest | null,
  room: RoomShare,
): Promise<Engine | ThreadEngine> {
  const access = await readAccess(config.auth);
  if (config.io.mode === 'sync') {
    const { ThreadEngine } = await import('./engine/thread/thread-engine.ts');
    return ThreadEngine.start(config, { log, authenticator, access, watchdog, room });
  }
  // Loaded only where it is used: in the other mode all of it is on the other thread.
  const { Engine } = await import('./engine/engine.ts');
  const ioLog = log.child('io');
  return Engine.start(config, {
    log,
    authenticator,
    access,
    makeAccess: null,
    storeBell: null,
    watchdog,
    createDriver: hallway => {
      const { io } = config;
      const tell = ioLog.log.bind(ioLog);
      if (io.poolSize === 1) return createAsyncDriver(hallway, io, tell, room);
      return createAsyncPoolDriver(io.poolSize - 1, hallway, io, tell, room);
    },
  });
}

/** The listeners that are more than TCP; what they need is loaded only where there are
 *  any. */
async function openDoors(
  config: Config,
  engine: Engine | ThreadEngine,
  log: Logger,
  room: RoomShare,
): Promise<Doors | null> {
  if (config.doors.length === 0) return null;
  const { Doors } = await import('./io/doors/doors.ts');
  const options = { ...config.io, handshakeTimeoutMs: config.broker.connectTimeoutMs };
  const ioLog = log.child('io');
  const doors = new Doors(engine.side, options, ioLog.log.bind(ioLog), room);
  try {
    await doors.open(config.doors, process.env, process.pid);
    return doors;
  } catch (error) {
    await new Promise<void>(resolve => engine.stop(resolve));
    await engine.close();
    throw error;
  }
}

function prepareReload(doors: Doors | null): () => Promise<IsUntrusted> {
  try {
    return doors?.prepareReload() ?? (async () => () => false);
  } catch (error) {
    // All that it reads are files, and a wrong one is somebody's to put right.
    throw new ReloadError([(error as Error).message]);
  }
}
