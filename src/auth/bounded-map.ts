// A memory of bounded size whose entries expire: what was put in first goes first.

interface Entry<Value> {
  readonly value: Value;
  readonly until: number;
}

export class BoundedMap<Value> {
  private readonly entries = new Map<string, Entry<Value>>();
  private readonly countMax: number;
  private readonly now: () => number;

  /** `now` tells monotonic milliseconds. */
  constructor(countMax: number, now: () => number) {
    this.countMax = countMax;
    this.now = now;
  }

  get size(): number {
    return this.entries.size;
  }

  get(key: string): Value | undefined {
    const entry = this.entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.until > this.now()) return entry.value;
    this.entries.delete(key);
    return undefined;
  }

  set(key: string, value: Value, forMs: number): void {
    this.entries.delete(key);
    if (this.entries.size >= this.countMax) {
      for (const oldest of this.entries.keys()) {
        this.entries.delete(oldest);
        break;
      }
    }
    this.entries.set(key, { value, until: this.now() + forMs });
  }

  delete(key: string): void {
    this.entries.delete(key);
  }

  clear(): void {
    this.entries.clear();
  }
}
