// A service manager for tests: what came to its socket, as a real process of its own received it.

import { fileURLToPath } from 'node:url';
import { Background, program } from '../integration/process.ts';

const script = (name: string) => fileURLToPath(new URL(`./${name}`, import.meta.url));

export const python = program('python3');

export interface Message {
  /** Microseconds, CLOCK_MONOTONIC. */
  readonly at: number;
  readonly text: string;
}

export class Manager {
  readonly process: Background;

  /** `watchdogMs`: silence after which it would end the service. */
  static async start(address: string, watchdogMs: number | null = null): Promise<Manager> {
    const patience = watchdogMs === null ? [] : [String(watchdogMs * 1_000)];
    const command = [python ?? '', script('receiver.py'), address, ...patience];
    const manager = new Manager(new Background(command));
    await manager.process.line(/"bound"/);
    return manager;
  }

  private constructor(process: Background) {
    this.process = process;
  }

  get messages(): Message[] {
    return this.process.lines
      .map(line => JSON.parse(line) as Message)
      .filter(({ text }) => text !== undefined);
  }

  /** How often the watchdog would have bitten. */
  get silences(): number {
    return this.process.lines.filter(line => line.includes('"silence"')).length;
  }

  /** The first `count` messages that match, once they are there. */
  async matching(pattern: RegExp, count: number): Promise<Message[]> {
    const found = () => this.messages.filter(({ text }) => pattern.test(text));
    await this.process.until(() => found().length >= count, `${count} messages like ${pattern}`);
    return found().slice(0, count);
  }

  /** The next one that matches from now on. */
  async next(pattern: RegExp): Promise<Message> {
    const before = this.messages.filter(({ text }) => pattern.test(text)).length;
    return (await this.matching(pattern, before + 1)).at(-1)!;
  }

  async silence(): Promise<void> {
    const before = this.silences;
    await this.process.until(() => this.silences > before, 'silence');
  }
}

/** A thread that stands still, as if it hung, until `end` is called. */
export async function freeze(thread: number): Promise<Background> {
  const frozen = new Background([python ?? '', script('freeze.py'), String(thread)]);
  await frozen.line(/^frozen$/);
  return frozen;
}
