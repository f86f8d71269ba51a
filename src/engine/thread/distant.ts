// What an engine on a blocked thread has instead of a logger and an authenticator: both are on the
// main thread, and are reached by messages.

import type { LogConfig, LogLevel, LogModule } from '../../config/config.ts';
import type { Authenticator, AuthResult, Credentials } from '../../core/access.ts';
import { Leveled } from '../../log/leveled.ts';
import type { LineLevel, LogFields, Logger } from '../../log.ts';
import { Reason } from '../../mqtt/reason.ts';
import {
  decodeResult,
  type EncodedResult,
  encodeCredentials,
  type FromEngine,
} from './messages.ts';

/** False: the message could not be taken. */
type Send = (message: FromEngine) => boolean;

const weight: Readonly<Record<LogLevel, number>> = {
  debug: 0,
  info: 1,
  warn: 2,
  error: 3,
  silent: 4,
};

/** Sends what would be shown; lines for which there is no room are lost, and counted. */
export class DistantLogger extends Leveled implements Logger {
  private readonly module: LogModule;
  private readonly send: Send;
  private readonly config: () => LogConfig;
  private lost = 0;

  /** `config` tells what is in force. */
  constructor(module: LogModule, send: Send, config: () => LogConfig) {
    super();
    this.module = module;
    this.send = send;
    this.config = config;
  }

  child(module: LogModule): Logger {
    return new DistantLogger(module, this.send, this.config);
  }

  shows(level: LineLevel): boolean {
    const { levels, level: common } = this.config();
    return weight[level] >= weight[levels[this.module] ?? common];
  }

  log(level: LineLevel, message: string, fields: LogFields = {}): void {
    if (!this.shows(level)) return;
    const { module, lost } = this;
    const told = lost === 0 ? fields : { ...fields, linesLostBefore: lost };
    if (this.send({ type: 'log', module, level, message, fields: told })) this.lost = 0;
    else this.lost++;
  }
}

/** Asks the main thread's authenticator. */
export class DistantAuthenticator implements Authenticator {
  private readonly send: Send;
  private readonly asked = new Map<number, (result: AuthResult) => void>();
  private last = 0;

  constructor(send: Send) {
    this.send = send;
  }

  authenticate(credentials: Credentials, done: (result: AuthResult) => void): void {
    const id = ++this.last;
    this.asked.set(id, done);
    if (this.send({ type: 'authenticate', id, credentials: encodeCredentials(credentials) }))
      return;
    // So many wait for their verdict that one more would only come back later.
    this.asked.delete(id);
    done({ reason: Reason.ServerBusy });
  }

  /** The verdict has come. */
  verdict(id: number, result: EncodedResult): void {
    const done = this.asked.get(id);
    this.asked.delete(id);
    done?.(decodeResult(result));
  }
}
