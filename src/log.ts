// Structured logs: readable text on a terminal, one JSON object per line otherwise, a level per
// module. Lines with the same cause are limited per ten seconds and the rest is counted; the
// writer underneath never blocks. Values are cut and escaped here, so whatever a peer chose as its
// name stays inside its line. Nobody hands payloads or passwords to a logger.

import { type Logger as Pino, pino } from 'pino';
import type { LogConfig, LogLevel, LogModule } from './config/config.ts';
import { Bursts } from './log/bursts.ts';
import { type LogClock, systemClock } from './log/clock.ts';
import { Leveled } from './log/leveled.ts';
import { escapeControls, shorten, TextLines } from './log/text.ts';
import { openSink, type Sink, Writer } from './log/writer.ts';

export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;
export type LineLevel = Exclude<LogLevel, 'silent'>;

export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  log(level: LineLevel, message: string, fields?: LogFields): void;
  /** Whether a line at `level` would be shown: ask before building costly fields. */
  shows(level: LineLevel): boolean;
  /** The logger of another module, with that module's level. */
  child(module: LogModule): Logger;
}

export interface RootLogger extends Logger {
  /** Takes over level, levels and burst at run time; the format stays. */
  reconfigure(config: LogConfig): void;
  /** Resolves when everything is written, or after `timeoutMs`: whichever is first. */
  flush(timeoutMs: number): Promise<void>;
}

export interface LogOutput {
  readonly sink?: Sink;
  readonly terminal?: boolean;
  readonly colours?: boolean;
  readonly clock?: LogClock;
}

const STDOUT = 1;

export function createLogger(config: LogConfig, output: LogOutput = {}): RootLogger {
  const clock = output.clock ?? systemClock;
  const { terminal = false, colours = false } = output;
  const writer = new Writer(output.sink ?? openSink(STDOUT), clock);
  const text = config.format === 'text' || (config.format === 'auto' && terminal);
  const destination = text
    ? new TextLines({ terminal, colours }, line => writer.write(line))
    : { write: (line: string) => writer.write(escapeControls(line)) };
  const root = pino(
    {
      base: null,
      level: 'debug',
      timestamp: () => `,"time":"${new Date(clock.wall()).toISOString()}"`,
      formatters: { level: label => ({ level: label }) },
    },
    destination,
  );
  const tree = new Tree(config, root, clock);
  writer.onDropped = dropped => {
    tree.logger('main').warn('standard output was blocked, log lines were lost', { dropped });
  };
  return Object.assign(tree.logger('main'), {
    reconfigure: (changed: LogConfig) => tree.reconfigure(changed),
    async flush(timeoutMs: number) {
      tree.bursts.report(true);
      await writer.flush(timeoutMs);
    },
  });
}

/** All modules' loggers over one pino, one burst table. */
class Tree {
  readonly bursts: Bursts;
  private readonly loggers = new Map<LogModule, ModuleLogger>();
  private readonly root: Pino;
  private config: LogConfig;

  constructor(config: LogConfig, root: Pino, clock: LogClock) {
    this.config = config;
    this.root = root;
    this.bursts = new Bursts(config.burst, clock);
  }

  logger(module: LogModule): ModuleLogger {
    let logger = this.loggers.get(module);
    if (logger === undefined) {
      logger = new ModuleLogger(module, this.root.child({ module }), this);
      logger.setLevel(this.levelOf(module));
      this.loggers.set(module, logger);
    }
    return logger;
  }

  reconfigure(config: LogConfig): void {
    this.config = config;
    this.bursts.limit = config.burst;
    for (const [module, logger] of this.loggers) logger.setLevel(this.levelOf(module));
  }

  private levelOf(module: LogModule): LogLevel {
    return this.config.levels[module] ?? this.config.level;
  }
}

class ModuleLogger extends Leveled implements Logger {
  private readonly module: LogModule;
  private readonly out: Pino;
  private readonly tree: Tree;

  constructor(module: LogModule, out: Pino, tree: Tree) {
    super();
    this.module = module;
    this.out = out;
    this.tree = tree;
  }

  setLevel(level: LogLevel): void {
    this.out.level = level;
  }

  child(module: LogModule): Logger {
    return this.tree.logger(module);
  }

  shows(level: LineLevel): boolean {
    return this.out.isLevelEnabled(level);
  }

  log(level: LineLevel, message: string, fields: LogFields = {}): void {
    if (!this.shows(level)) return;
    if (level !== 'debug') {
      // Who asked for debug wants to see all of it; the writer is bounded either way.
      const cause = `${this.module} ${level} ${message} ${fields.reason ?? ''}`;
      const summary = (more: string) => this.write(level, `${message}: ${more}`, {});
      if (!this.tree.bursts.admit(cause, summary)) return;
    }
    this.write(level, message, fields);
  }

  private write(level: LineLevel, message: string, fields: LogFields): void {
    const shown: Record<string, unknown> = {};
    for (const key in fields) {
      const value = fields[key];
      if (value !== undefined) shown[key] = typeof value === 'string' ? shorten(value) : value;
    }
    this.out[level](shown, message);
  }
}
