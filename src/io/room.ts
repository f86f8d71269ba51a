// How many transports there is room for: in the process, as far as its descriptors go, and by one
// listener. Some descriptors stay free for files, control and HTTP, and so that whoever is one too
// many can be accepted and sent away: a runtime that cannot accept spins on the listening socket.

import { readdirSync, readFileSync } from 'node:fs';
import type { Tell } from './driver.ts';

/** Descriptors that stay free for everything else, or this part of all when there are few. */
const RESERVE = 64;
const RESERVE_PART = 4;
/** The trouble counts as over when this part of the room is free: it is not to be told in turns. */
const RELIEF_PART = 16;

/** Descriptors this process may still open for transports; Infinity where nobody tells. */
function countFreeDescriptors(): number {
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

/** A room's size and who is in it, for all threads that let somebody in. */
export interface RoomShare {
  readonly size: number;
  /** How many are in, and how many were sent away since there was room. */
  readonly counts: Int32Array<SharedArrayBuffer>;
}

const TAKEN = 0;
const TURNED_AWAY = 1;

export function createRoom(size: number): RoomShare {
  return { size, counts: new Int32Array(new SharedArrayBuffer(8)) };
}

/** The room of the whole process: made once, and shared by everything that accepts. */
export function createProcessRoom(): RoomShare {
  return createRoom(countFreeDescriptors());
}

/** What is told when the first is sent away, and when there is room again. */
export interface RoomWords {
  readonly full: string;
  readonly free: string;
  readonly fields?: Readonly<Record<string, string>>;
}

const descriptors: RoomWords = {
  full: 'no descriptors left: nobody is let in until clients leave; raise ulimit -n',
  free: 'clients are let in again',
};

export class Room {
  private readonly size: number;
  private readonly counts: RoomShare['counts'];
  private readonly tell: Tell;
  private readonly words: RoomWords;

  constructor({ size, counts }: RoomShare, tell: Tell, words: RoomWords = descriptors) {
    this.size = size;
    this.counts = counts;
    this.tell = tell;
    this.words = words;
  }

  /** Takes a place; false: there is none, send it away. */
  enter(): boolean {
    const taken = Atomics.add(this.counts, TAKEN, 1);
    if (taken < this.size) return true;
    Atomics.sub(this.counts, TAKEN, 1);
    if (Atomics.add(this.counts, TURNED_AWAY, 1) === 0) {
      const { full, fields } = this.words;
      this.tell('warn', full, { connections: this.size, ...fields });
    }
    return false;
  }

  leave(): void {
    const taken = Atomics.sub(this.counts, TAKEN, 1) - 1;
    if (Atomics.load(this.counts, TURNED_AWAY) === 0) return;
    if (taken > this.size - this.size / RELIEF_PART) return;
    const turnedAway = Atomics.exchange(this.counts, TURNED_AWAY, 0);
    if (turnedAway === 0) return; // another thread has told it
    const { free, fields } = this.words;
    this.tell('info', free, { connections: taken, turnedAway, ...fields });
  }
}
