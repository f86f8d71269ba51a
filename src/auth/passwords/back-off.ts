// Brute force: a network that offered wrong passwords for a name waits, twice as long with each
// further one, before another is looked at; one that tries many names waits for all of them. So a
// device with a wrong password keeps nobody else behind the same router out. Bounded in memory; an
// IPv6 address stands for its /64, which one customer has whole.

import { isIPv6 } from 'node:net';
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

/** "192.0.2.7:51234" → "192.0.2.7", "[2001:db8::1]:1" → "2001:db8::1"; what has no port stays. */
export function addressOf(peer: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(peer);
  if (bracketed !== null) return bracketed[1];
  const colon = peer.lastIndexOf(':');
  return colon > 0 && peer.indexOf(':') === colon ? peer.slice(0, colon) : peer;
}

/** What one attacker can be taken to own: an IPv4 address, or the first half of an IPv6 one. */
export function networkOf(peer: string): string {
  const address = addressOf(peer);
  if (!isIPv6(address)) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped !== null) return mapped[1];
  const [head, tail] = address.split('%')[0].split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail ? tail.split(':') : [];
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length;
  const groups = [...left, ...new Array<string>(Math.max(0, zeros)).fill('0'), ...right];
  const half = groups.slice(0, 4).map(group => Number.parseInt(group, 16).toString(16));
  return `${half.join(':')}::/64`;
}
