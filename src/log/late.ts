// The logger of a start: it holds the first lines until there is time to load what writes them,
// which takes longer than all that a broker has to say until it serves. They leave together, in
// order, a moment after the first; from then on every line is passed on as it comes.

import type { LogConfig, LogLevel, LogModule } from '../config/config.ts';
import type { LineLevel, LogFields, Logger, RootLogger } from '../log.ts';
import { Leveled } from './leveled.ts';

/** What a start lasts. */
const HELD_MS = 20;

const weight: Readonly<Record<LogLevel, number>> = {
  debug: 0,
  info: 1,
  warn: 2,
  error: 3,
  silent: 4,
};

type Line = (log: Logger) => void;

/** What all modules' loggers share. */
class Shelf {
  config: LogConfig;
  /** Null until it is loaded. */
  root: RootLogger | null = null;
  private readonly open: () => Promise<RootLogger>;
  private opening: Promise<RootLogger> | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private held: Line[] = [];

  constructor(config: LogConfig, open: () => Promise<RootLogger>) {
    this.config = config;
    this.open = open;
  }

  write(line: Line): void {
    if (this.root !== null) {
      line(this.root);
      return;
    }
    this.held.push(line);
    this.timer ??= setTimeout(() => void this.load(), HELD_MS);
  }

  /** Now. */
  load(): Promise<RootLogger> {
    this.opening ??= this.open().then(root => {
      root.reconfigure(this.config); // it may have changed meanwhile
      this.root = root;
      for (const line of this.held) line(root);
      this.held = [];
      return root;
    });
    return this.opening;
  }
}

class LateLogger extends Leveled implements RootLogger {
  private readonly module: LogModule;
  private readonly shelf: Shelf;

  constructor(module: LogModule, shelf: Shelf) {
    super();
    this.module = module;
    this.shelf = shelf;
  }

  child(module: LogModule): Logger {
    return new LateLogger(module, this.shelf);
  }

  shows(level: LineLevel): boolean {
    const { levels, level: common } = this.shelf.config;
    return weight[level] >= weight[levels[this.module] ?? common];
  }

  log(level: LineLevel, message: string, fields: LogFields = {}): void {
    if (!this.shows(level)) return;
    this.shelf.write(root => root.child(this.module).log(level, message, fields));
  }

  reconfigure(config: LogConfig): void {
    this.shelf.config = config;
    this.shelf.root?.reconfigure(config);
  }

  async flush(timeoutMs: number): Promise<void> {
    await (await this.shelf.load()).flush(timeoutMs);
  }
}

/** `open` makes the logger that writes; it is called once. */
export function createLateLogger(config: LogConfig, open: () => Promise<RootLogger>): RootLogger {
  return new LateLogger('main', new Shelf(config, open));
}
