// Brute force: a network that offered wrong passwords for a name waits, twice as long with each
// further one, before another is looked at; one that tries many names waits for all of them. So a
// device with a wrong password keeps nobody else behind the same router out. Bounded in memory; an
// IPv6 address stands for its /64, which one customer has whole.

import { networkOf } from '../../core/limits/address.ts';
import { BoundedMap } from '../bounded-map.ts';

const FREE_FAILURES_PER_NAME = 5;
const FREE_FAILURES_PER_NETWORK = 50;
const FIRST_WAIT_MS = 1_000;
const LAST_WAIT_MS = 5 * 60_000;
const FORGET_MS = 15 * 60_000;
const RECORDS_MAX = 10_000;

interface Record {
  failures: number;
  blockedUntil: number;
}

export class BackOff {
  private readonly names: BoundedMap<Record>;
  private readonly networks: BoundedMap<Record>;
  private readonly now: () => number;

  constructor(now: () => number) {
    this.now = now;
    this.names = new BoundedMap(RECORDS_MAX, now);
    this.networks = new BoundedMap(RECORDS_MAX, now);
  }

  /** Whether this peer has to wait before a password for `name` is looked at. */
  blocks(peer: string, name: string): boolean {
    const network = networkOf(peer);
    return this.waits(this.networks, network) || this.waits(this.names, `${network} ${name}`);
  }

  noteFailure(peer: string, name: string): void {
    const network = networkOf(peer);
    this.note(this.networks, network, FREE_FAILURES_PER_NETWORK);
    this.note(this.names, `${network} ${name}`, FREE_FAILURES_PER_NAME);
  }

  private waits(records: BoundedMap<Record>, key: string): boolean {
    const record = records.get(key);
    return record !== undefined && record.blockedUntil > this.now();
  }

  private note(records: BoundedMap<Record>, key: string, free: number): void {
    const record = records.get(key) ?? { failures: 0, blockedUntil: 0 };
    record.failures++;
    const doublings = record.failures - free - 1;
    if (doublings >= 0) {
      const waitMs = Math.min(LAST_WAIT_MS, FIRST_WAIT_MS * 2 ** doublings);
      record.blockedUntil = this.now() + waitMs;
    }
    records.set(key, record, FORGET_MS);
  }
}
