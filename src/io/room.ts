// How many transports the process has descriptors for. Some stay free for files, control and HTTP,
// and so that whoever is one too many can be accepted and sent away: a runtime that cannot accept
// spins on the listening socket.

import { readdirSync, readFileSync } from 'node:fs';
import type { Tell } from './driver.ts';

/** Descriptors that stay free for everything else, or this part of all when there are few. */
const RESERVE = 64;
const RESERVE_PART = 4;
/** The trouble counts as over when this part of the room is free: it is not to be told in turns. */
const RELIEF_PART = 16;

/** Descriptors this process may still open for transports; Infinity where nobody tells. */
export function countFreeDescriptors(): number {
  try {
    const line = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
    if (line === null) return Number.POSITIVE_INFINITY;
    const limit = Number(line[1]);
    const reserve = Math.min(RESERVE, Math.floor(limit / RESERVE_PART));
    return Math.max(1, limit - readdirSync('/proc/self/fd').length - reserve);
  } catch {
    return Number.POSITIVE_INFINITY; // not Linux
  }
}

export class Room {
  private readonly size: number;
  private readonly tell: Tell;
  private taken = 0;
  private turnedAway = 0;

  constructor(size: number, tell: Tell) {
    this.size = size;
    this.tell = tell;
  }

  /** Takes a place; false: there is none, send it away. */
  enter(): boolean {
    if (this.taken < this.size) {
      this.taken++;
      return true;
    }
    if (this.turnedAway++ === 0) {
      const message = 'no descriptors left: nobody is let in until clients leave; raise ulimit -n';
      this.tell('warn', message, { connections: this.taken });
    }
    return false;
  }

  leave(): void {
    this.taken--;
    if (this.turnedAway === 0 || this.taken > this.size - this.size / RELIEF_PART) return;
    const { turnedAway } = this;
    this.turnedAway = 0;
    this.tell('info', 'clients are let in again', { connections: this.taken, turnedAway });
  }
}
