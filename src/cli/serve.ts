// `minnow serve`: configuration → logger → server, and an orderly end on SIGTERM or SIGINT.

import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { AuthFault } from '../auth/fault.ts';
import { formatAddress } from '../config/address.ts';
import type { Config } from '../config/config.ts';
import type { Settings } from '../config/schema.ts';
import { FileWatch } from '../file-watch.ts';
import { createLateLogger } from '../log/late.ts';
import { describeStdout } from '../log/stdout.ts';
import type { Logger, RootLogger } from '../log.ts';
import { startIsOver } from '../platform/jit.ts';
import type { Profile } from '../platform/profile.ts';
import { filesOf, ReloadError, Reloader, type ReloadReport } from '../reload.ts';
import { type Server, startServer } from '../server.ts';
import type { Warn } from '../service/notify-socket.ts';
import { Supervisor } from '../service/supervisor.ts';
import { StoreError } from '../store/store.ts';
import { version } from '../version.ts';
import { type FlagValues, parseFlags, print } from './command.ts';
import { Exit, errorCode, Failure } from './exit.ts';
import { configFileOf, configFlags, configUsage, type Loaded, loadForThisMachine } from './load.ts';

const usage = `Usage: minnow [serve] [flags]

Runs the broker until SIGTERM or SIGINT. Without flags it listens on 127.0.0.1:1883
and [::1]:1883 and lets every client in.

      --first-user         where the password file has no users yet: make one, admin,
                           and show the token that lets it in, this once
${configUsage}
`;

const serveFlags = { ...configFlags, 'first-user': { type: 'boolean' } } as const;

/** What a stop may take on top of the time that clients get to take their last bytes. */
const STOP_EXTRA_MS = 2_000;
const FLUSH_MS = 1_000;
const late = Symbol('late');

export async function run(args: string[]): Promise<number> {
  const flags = parseFlags('serve', args, serveFlags);
  if (flags.help) {
    await print(usage);
    return Exit.ok;
  }
  const hangups = new Hangups();
  const loaded = await loadForThisMachine(flags);
  const { config, warnings } = loaded;
  const stopSignal = nextStopSignal();
  const stdout = await describeStdout();
  const log = createLateLogger(config.log, async () => {
    const { createLogger } = await import('../log.ts');
    return createLogger(config.log, stdout);
  });
  for (const warning of warnings) log.warn(warning);
  try {
    const boundMs = config.broker.drainTimeoutMs + STOP_EXTRA_MS;
    const life = live(flags, loaded, log, stdout.terminal, { stopSignal, hangups });
    if ((await Promise.race([life, timeoutAfter(stopSignal, boundMs)])) === late) {
      log.warn('not everything could be closed in time', { boundMs });
    }
  } finally {
    await log.flush(FLUSH_MS);
  }
  return Exit.ok;
}

interface Signals {
  readonly stopSignal: Promise<string>;
  readonly hangups: Hangups;
}

/** SIGHUPs. Those that come before anybody can heed them are heeded, as one, as soon as one can. */
class Hangups {
  private heeded: (() => void) | null = null;
  private missed = false;

  constructor() {
    process.on('SIGHUP', () => {
      if (this.heeded === null) this.missed = true;
      else this.heeded();
    });
  }

  heed(how: () => void): void {
    this.heeded = how;
    if (this.missed) how();
    this.missed = false;
  }
}

/** From the start to the end of an orderly stop. A signal that comes while it starts is heeded when
 *  that is over. */
async function live(
  flags: FlagValues,
  loaded: Loaded,
  log: RootLogger,
  terminal: boolean,
  { stopSignal, hangups }: Signals,
): Promise<void> {
  const { config, profile } = loaded;
  process.umask(process.umask() | 0o027); // what is written is nobody else's to read
  createDataDirectory(config);
  if (flags['first-user']) await makeFirstUser(config);
  const supervisor = await findSupervisor(log);
  const reloader: Reloader = new Reloader(loaded.settings, {
    log,
    read: () => readAgain(flags),
    derive: loaded.derive,
    apply: async changed => (await starting).reconfigure(changed),
  });
  const reload = () => supervisedReload(reloader, supervisor);
  const starting = startServer(config, log, reload, supervisor?.watchdog);
  const server = await starting.catch(error => {
    throw startFailure(error);
  });
  const watch = config.watchFiles ? watchFiles(flags, reloader, reload, log) : null;
  for (const note of profile.notes) log.warn(note);
  startIsOver();
  greet(config, server, log, profile);
  if (terminal) invite(server, log);
  supervisor?.ready(`serving ${server.addresses.join(', ')}`);
  hangups.heed(() => void reload().catch(passOverFaults));
  log.info('stopping', { signal: await stopSignal });
  hangups.heed(() => {});
  watch?.stop();
  supervisor?.stopping();
  await server.stop();
  log.info('stopped');
}

/** For images and the like, which nobody installs who could be asked for a password. */
async function makeFirstUser({ auth }: Config): Promise<void> {
  if (auth.passwordFile === '') {
    throw new Failure(
      Exit.config,
      '--first-user: there is no password file; set auth.passwordFile',
    );
  }
  const { run: passwd } = await import('./auth/passwd.ts');
  await passwd(['--init', '--file', auth.passwordFile]);
}

/** Whoever wants to know when we are ready; told so far that we are starting. */
async function findSupervisor(log: Logger): Promise<Supervisor | null> {
  const warn: Warn = (message, fields) => log.warn(message, fields);
  const supervisor = await Supervisor.find(process.env, process.pid, warn);
  supervisor?.starting();
  return supervisor;
}

/** A reload that the supervisor hears the beginning and the outcome of. */
async function supervisedReload(
  reloader: Reloader,
  supervisor: Supervisor | null,
): Promise<ReloadReport> {
  supervisor?.reloading();
  try {
    const report = await reloader.reload();
    supervisor?.ready('the configuration was read again');
    return report;
  } catch (error) {
    supervisor?.ready('the new configuration has a fault; the old one stays in force');
    throw error;
  }
}

/** What all sources say now. */
async function readAgain(flags: FlagValues): Promise<Settings> {
  try {
    return (await loadForThisMachine(flags)).settings;
  } catch (error) {
    if (error instanceof Failure) throw new ReloadError(error.lines);
    throw error;
  }
}

/** Reloads when the configuration's file changes or one that it names. */
function watchFiles(
  flags: FlagValues,
  reloader: Reloader,
  reload: () => Promise<ReloadReport>,
  log: Logger,
): FileWatch {
  const own = configFileOf(flags)?.name ?? '';
  const files = () => [own, ...filesOf(reloader.config)].filter(path => path !== '');
  const watch: FileWatch = new FileWatch(
    () => void reload().then(() => watch.follow(files()), passOverFaults),
    (path, why) => log.warn('changes of files here are not noticed', { path, why }),
  );
  watch.follow(files());
  return watch;
}

/** They have been logged; anything else is a bug. */
function passOverFaults(error: unknown): void {
  if (!(error instanceof ReloadError)) throw error;
}

/** Resolves with the first signal's name; a second one ends the process at once. */
function nextStopSignal(): Promise<string> {
  return new Promise(resolve => {
    let stopping = false;
    for (const [signal, number] of [['SIGINT', 2] as const, ['SIGTERM', 15] as const]) {
      process.on(signal, () => {
        if (stopping) process.exit(128 + number);
        stopping = true;
        resolve(signal);
      });
    }
  });
}

/** Resolves so long after the signal, whatever was under way when it came: a start as well. */
async function timeoutAfter(stopSignal: Promise<string>, boundMs: number): Promise<typeof late> {
  await stopSignal;
  return new Promise(resolve => setTimeout(resolve, boundMs, late));
}

function createDataDirectory(config: Config): void {
  const directory = config.dataDirectory;
  try {
    makeDirectory(directory);
  } catch (error) {
    const why = `cannot create the data directory (${errorCode(error) || error})`;
    throw new Failure(Exit.cannotCreate, `${directory}: ${why}; choose another with --data DIR`);
  }
}

/** With all above it. Not mkdir's own `recursive`: below /proc Node's never ends. */
function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: 0o750 });
  } catch (error) {
    const code = errorCode(error);
    if (code === 'EEXIST' && statSync(path).isDirectory()) return;
    if (code !== 'ENOENT' || dirname(path) === path) throw error;
    makeDirectory(dirname(path));
    mkdirSync(path, { mode: 0o750 });
  }
}

/** Why the server did not start, in a person's words; what is no operating error is a bug. */
export function startFailure(error: unknown): unknown {
  if (error instanceof AuthFault) return new Failure(Exit.config, ...error.lines);
  if (error instanceof StoreError) return new Failure(Exit.cannotCreate, error.message);
  const code = errorCode(error);
  if (code === '' || error instanceof Failure) return error;
  if (code === 'ETLSFILE') return new Failure(Exit.config, (error as Error).message);
  const { address, port, message } = error as { address?: string; port?: number; message: string };
  const isFile = port === undefined || port < 0; // Node gives a unix socket the port -1
  const where = isFile ? (address ?? '') : formatAddress(address ?? '', port);
  const cannot = where === '' ? 'cannot start' : `cannot listen on ${where}`;
  const another = isFile ? '' : '; choose another with --listen HOST:PORT';
  switch (code) {
    case 'EADDRINUSE':
      return new Failure(Exit.unavailable, `${cannot}: it is in use by another program${another}`);
    case 'EADDRNOTAVAIL':
      return new Failure(Exit.unavailable, `${cannot}: this machine has no such address${another}`);
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new Failure(Exit.unavailable, `${cannot}: this name has no address${another}`);
    case 'EACCES':
    case 'EPERM':
      return new Failure(Exit.noPermission, `${cannot}: no permission${another}`);
    default:
      return new Failure(Exit.system, `${cannot}: ${message}`);
  }
}

function greet(config: Config, server: Server, log: RootLogger, profile: Profile): void {
  const addresses = server.addresses.join(', ');
  const { dataDirectory: data, io } = config;
  log.info('minnow is ready', { version, addresses, data, profile: profile.name, io: io.mode });
}

/** What somebody at a terminal may want to do next. */
function invite(server: Server, log: RootLogger): void {
  const port = /:(\d+)$/.exec(server.addresses[0] ?? '')?.[1] ?? '1883';
  const flag = port === '1883' ? '' : ` -p ${port}`;
  log.info(`to try it, in two other terminals: minnow sub${flag} -v -t "#"`);
  log.info(`and: minnow pub${flag} -t hello -m world; Ctrl-C stops the broker`);
}
