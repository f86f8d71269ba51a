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

/** How many are in, and how many were sent away since there was room. */
export type RoomCounts = Int32Array<SharedArrayBuffer>;
const TAKEN = 0;
const TURNED_AWAY = 1;

export function createRoomCounts(): RoomCounts {
  return new Int32Array(new SharedArrayBuffer(8));
}

export class Room {
  private readonly size: number;
  private readonly tell: Tell;
  private readonly counts: RoomCounts;

  /** Several threads that share a process share its room: the same `size` and `counts`. */
  constructor(size: number, tell: Tell, counts: RoomCounts = createRoomCounts()) {
    this.size = size;
    this.tell = tell;
    this.counts = counts;
  }

  /** Takes a place; false: there is none, send it away. */
  enter(): boolean {
    const taken = Atomics.add(this.counts, TAKEN, 1);
    if (taken < this.size) return true;
    Atomics.sub(this.counts, TAKEN, 1);
    if (Atomics.add(this.counts, TURNED_AWAY, 1) === 0) {
      const message = 'no descriptors left: nobody is let in until clients leave; raise ulimit -n';
      this.tell('warn', message, { connections: this.size });
    }
    return false;
  }

  leave(): void {
    const taken = Atomics.sub(this.counts, TAKEN, 1) - 1;
    if (Atomics.load(this.counts, TURNED_AWAY) === 0) return;
    if (taken > this.size - this.size / RELIEF_PART) return;
    const turnedAway = Atomics.exchange(this.counts, TURNED_AWAY, 0);
    if (turnedAway === 0) return; // another thread has told it
    this.tell('info', 'clients are let in again', { connections: taken, turnedAway });
  }
}
