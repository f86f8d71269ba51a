// What a logger has for each level, over one way to write a line.

import type { LineLevel, LogFields } from '../log.ts';

export abstract class Leveled {
  abstract log(level: LineLevel, message: string, fields?: LogFields): void;

  debug(message: string, fields?: LogFields): void {
    this.log('debug', message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.log('info', message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.log('warn', message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.log('error', message, fields);
  }
}
