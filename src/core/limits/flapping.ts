// Clients that connect again and again: whoever does so more often than allowed within a window is
// banned for a while. Names can be made up, so the table is bounded; the oldest one is forgotten.

export interface FlappingBounds {
  /** Connects within a window. */
  readonly connectsMax: number;
  readonly windowMs: number;
  readonly banMs: number;
}

interface Record {
  windowEnds: number;
  connects: number;
  bannedUntil: number;
}

export class Flapping {
  private readonly records = new Map<string, Record>();
  private readonly countMax: number;

  constructor(countMax: number) {
    this.countMax = countMax;
  }

  get size(): number {
    return this.records.size;
  }

  isBanned(name: string, now: number): boolean {
    const record = this.records.get(name);
    return record !== undefined && now < record.bannedUntil;
  }

  /** Somebody connects; true when that is once too often, and the ban begins. */
  note(name: string, bounds: FlappingBounds, now: number): boolean {
    let record = this.records.get(name);
    if (record === undefined || now >= record.windowEnds) {
      record = { windowEnds: now + bounds.windowMs, connects: 0, bannedUntil: 0 };
      this.records.delete(name); // behind all others: it is the youngest now
      this.forgetOld(now);
      this.records.set(name, record);
    }
    record.connects++;
    if (record.connects <= bounds.connectsMax) return false;
    record.bannedUntil = now + bounds.banMs;
    record.windowEnds = record.bannedUntil; // a fresh start afterwards
    return true;
  }

  private forgetOld(now: number): void {
    let looks = 2;
    for (const [name, record] of this.records) {
      if (now < record.windowEnds && this.records.size < this.countMax) return;
      this.records.delete(name);
      if (--looks === 0) return;
    }
  }
}
