// User names and passwords: of the password file, and those that stand in the configuration. A name
// that is unknown costs as much as a known one, the network of somebody who keeps guessing waits,
// and whoever was right a moment ago is not computed again.
//
// The order matters: what is cheap and cannot be guessed (tokens, what was verified a moment ago)
// is decided before anybody is told to wait, so that a guesser behind the same router as honest
// devices locks out nobody who was right.

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Credentials } from '../../core/access.ts';
import { networkOf } from '../../core/limits/address.ts';
import { BoundedMap } from '../bounded-map.ts';
import { standingOf } from '../standing.ts';
import { ALLOWED, type AuthStep, BANNED, BUSY, type Verdict, WRONG } from '../step.ts';
import { BackOff } from './back-off.ts';
import { decoyOf, isCheap, verify, verifyNow } from './compute.ts';
import { HashQueue, type QueueBounds } from './hash-queue.ts';
import { formatHash, parseHash, type StoredHash } from './stored-hash.ts';

export interface PasswordOptions {
  /** Names with plain passwords, or hashes as `minnow passwd` writes them. */
  readonly users: Readonly<Record<string, string>>;
  /** Those of the password file; they come first. */
  readonly hashes: ReadonlyMap<string, StoredHash>;
  /** How long a verified login is remembered; 0: not at all. */
  readonly cacheMs: number;
  readonly bounds: QueueBounds;
  readonly now: () => number;
}

/** A password that stands in the configuration, kept as a digest: equal in length, so that
 *  comparing takes equal time. */
interface Plain {
  readonly kind: 'plain';
  readonly text: string;
  readonly digest: Uint8Array;
}

type Known = StoredHash | Plain;

const CACHE_MAX = 20_000;

export class PasswordStep implements AuthStep {
  private readonly key = randomBytes(32);
  private users: ReadonlyMap<string, Known>;
  private decoy: Known;
  private readonly cacheMs: number;
  private readonly verified: BoundedMap<true>;
  /** The same login, offered several times at once, is computed once. */
  private readonly running = new Map<string, Promise<boolean>>();
  private readonly queue: HashQueue;
  private readonly backOff: BackOff;

  constructor(options: PasswordOptions) {
    this.users = this.merge(options.users, options.hashes);
    this.decoy = decoyFor(this.users);
    this.cacheMs = options.cacheMs;
    this.verified = new BoundedMap(CACHE_MAX, options.now);
    this.queue = new HashQueue(options.bounds);
    this.backOff = new BackOff(options.now);
  }

  /** Other users from now on; logins that are being computed end as they began. */
  replace({ users, hashes }: Pick<PasswordOptions, 'users' | 'hashes'>): void {
    this.users = this.merge(users, hashes);
    this.decoy = decoyFor(this.users);
    this.verified.clear();
  }

  authenticate({ username, password, peer, authMethod }: Credentials): Verdict | Promise<Verdict> {
    if (username === null || authMethod !== null) return null;
    const known = this.users.get(username);
    const hash = known ?? this.decoy;
    const offered = password ?? new Uint8Array();
    const wrong = known === undefined ? null : WRONG;
    if (hash.kind === 'plain' || isCheap(hash)) {
      const right = this.verifyCheap(hash, offered) && password !== null && known !== undefined;
      if (right) return ALLOWED;
      if (this.backOff.blocks(peer, username)) return BANNED;
      this.backOff.noteFailure(peer, username);
      return wrong;
    }
    const login = this.digest(username, offered);
    if (this.verified.get(login) !== undefined) return ALLOWED;
    if (this.backOff.blocks(peer, username)) return BANNED;
    const computed = this.compute(login, hash, offered, peer);
    if (computed === null) return BUSY;
    return computed.then(right => {
      if (!right || known === undefined || password === null) {
        this.backOff.noteFailure(peer, username);
        return wrong;
      }
      // Unless the users were replaced meanwhile.
      const current = this.users.get(username) === known;
      if (this.cacheMs > 0 && current) this.verified.set(login, true, this.cacheMs);
      return current ? ALLOWED : WRONG;
    });
  }

  standing(username: string | null): string {
    const known = username === null ? undefined : this.users.get(username);
    if (username === null || known === undefined) return 'password';
    const secret = known.kind === 'plain' ? known.text : formatHash(known);
    return standingOf('password', username, secret);
  }

  private compute(
    login: string,
    hash: StoredHash,
    password: Uint8Array,
    peer: string,
  ): Promise<boolean> | null {
    const shared = this.running.get(login);
    if (shared !== undefined) return shared;
    const own = password.slice(); // it outlives the call
    const computed = this.queue.run(networkOf(peer), () => verify(hash, own));
    if (computed === null) return null;
    const settled = computed.finally(() => this.running.delete(login));
    this.running.set(login, settled);
    return settled;
  }

  private verifyCheap(hash: Known, password: Uint8Array): boolean {
    if (hash.kind !== 'plain') return verifyNow(hash, password);
    return timingSafeEqual(this.plainDigest(password), hash.digest);
  }

  private merge(
    users: Readonly<Record<string, string>>,
    hashes: ReadonlyMap<string, StoredHash>,
  ): ReadonlyMap<string, Known> {
    const all = new Map<string, Known>();
    for (const [name, text] of Object.entries(users)) {
      const digest = this.plainDigest(Buffer.from(text));
      all.set(name, parseHash(text) ?? { kind: 'plain', text, digest });
    }
    for (const [name, hash] of hashes) all.set(name, hash);
    return all;
  }

  private plainDigest(password: Uint8Array): Uint8Array {
    return createHmac('sha256', this.key).update(password).digest();
  }

  /** What a login is remembered by: of no use to anybody who has not the key. */
  private digest(username: string, password: Uint8Array): string {
    const name = Buffer.from(username);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(name.length);
    const mac = createHmac('sha256', this.key).update(length).update(name).update(password);
    return mac.digest('base64');
  }
}

/** For names that are unknown: like most of those that are known. */
function decoyFor(users: ReadonlyMap<string, Known>): Known {
  const counts = new Map<string, number>();
  let most: Known = { kind: 'plain', text: '', digest: randomBytes(32) };
  let mostCount = 0;
  for (const hash of users.values()) {
    const costs = costsOf(hash);
    const count = (counts.get(costs) ?? 0) + 1;
    counts.set(costs, count);
    if (count > mostCount) [most, mostCount] = [hash, count];
  }
  return most.kind === 'plain'
    ? { kind: 'plain', text: '', digest: randomBytes(32) }
    : decoyOf(most);
}

function costsOf(hash: Known): string {
  const numbers = Object.values(hash).filter(value => typeof value === 'number');
  return [hash.kind, ...numbers].join(' ');
}
