// One thing that a store may have to remember, with its versions since the last start. A version is
// stamped with the journal's position when it came to be; a crash takes back what lies behind the
// position that the disk has got to. Whether it was allowed to is what the promises tell.

interface Version<T> {
  readonly stamp: number;
  readonly value: T;
  /** The strongest class in which somebody was told of it; -1 for nobody. */
  promised: number;
}

/** What an acknowledgement promises when it leaves. */
export interface Promised {
  promised: number;
}

export interface RolledBack {
  /** The disk has an earlier version than the last one. */
  readonly lost: boolean;
  /** It was promised that this would not happen. */
  readonly broken: boolean;
}

export class Fact<T> {
  #versions: Version<T>[];

  readonly #onDisk: (value: T) => T;

  /** `initial` is what the disk has of it; `onDisk` what it would have of a value. */
  constructor(initial: T, onDisk: (value: T) => T = value => value) {
    this.#onDisk = onDisk;
    this.#versions = [onDiskAlready(initial)];
  }

  get value(): T {
    return this.#versions.at(-1)!.value;
  }

  /** The last version: mark it when it is promised. */
  get last(): Promised {
    return this.#versions.at(-1)!;
  }

  set(value: T, stamp: number): Promised {
    const version = { stamp, value, promised: -1 };
    this.#versions.push(version);
    return version;
  }

  /**
   * A crash: the disk has got to `through`. Promises of class `needed` and stronger hold: what
   * remains must be the last version promised, or a later one.
   */
  rollBack(through: number, needed: number): RolledBack {
    const versions = this.#versions;
    const kept = versions.findLastIndex(({ stamp }) => stamp <= through);
    const promised = versions.findLastIndex(version => version.promised >= needed);
    const value = this.#onDisk(versions[kept]!.value);
    const acceptable = versions.slice(promised).map(version => this.#onDisk(version.value));
    const broken = kept < promised && !acceptable.includes(value);
    const lost = versions.at(-1)!.value !== value;
    this.#versions = [onDiskAlready(value)];
    return { lost, broken };
  }
}

function onDiskAlready<T>(value: T): Version<T> {
  return { stamp: Number.NEGATIVE_INFINITY, value, promised: Number.POSITIVE_INFINITY };
}
