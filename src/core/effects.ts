// What the core wants done outside: lists that the hallway works off at the end of a turn, in the
// order write, close, pause. Lists and not calls, so that nothing outside runs inside the core.

import type { Connection } from './session/connection.ts';

export interface LogEvent {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  /** What happened, in one or two words: "connect", "disconnect", "refused", "protocol error". */
  readonly event: string;
  readonly fields: Readonly<Record<string, string | number | boolean | null>>;
}

export class Effects {
  /** Output waits: write once this turn. */
  dirty: Connection[] = [];
  /** Of these, those where so much waits that it should be written before the turn ends. */
  readonly urgent: Connection[] = [];
  /** Close the transport when its output has been written; at once where `aborted` is set. */
  readonly closing: Connection[] = [];
  /** Stop or go on reading, as `connection.paused` says now. */
  readonly paused: Connection[] = [];
  /** Ask the authenticator about `connection.credentials`, then `handleAuthResult`. */
  readonly authenticate: Connection[] = [];
  readonly log: LogEvent[] = [];
  private spare: Connection[] = [];

  /** The connections with output, which the caller writes now; the list starts anew. */
  takeDirty(): Connection[] {
    const { dirty } = this;
    this.dirty = this.spare;
    this.spare = dirty;
    this.dirty.length = 0;
    for (const c of dirty) c.dirty = false;
    this.urgent.length = 0;
    return dirty;
  }

  markDirty(c: Connection): void {
    if (c.dirty) return;
    c.dirty = true;
    this.dirty.push(c);
  }
}
