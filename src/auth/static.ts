// Users and rules from the configuration: who may connect, and what they may do. Decided from
// memory, without waiting and without throwing.

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { AuthConfig } from '../config/config.ts';
import type { Access, Authenticator, AuthResult, Credentials, Principal } from '../core/access.ts';
import { Reason } from '../mqtt/reason.ts';
import { type Action, Rules } from './rules.ts';

const ACCEPTED: AuthResult = { reason: Reason.Success };
/** Let in without having proved a name, so without one. */
const ANONYMOUS: AuthResult = { reason: Reason.Success, username: null };
const NO_NAME: AuthResult = { reason: Reason.NotAuthorized };
const WRONG: AuthResult = { reason: Reason.BadUserNameOrPassword };

type StaticConfig = Pick<AuthConfig, 'anonymous' | 'users'>;

export class StaticAuthenticator implements Authenticator {
  private readonly anonymous: boolean;
  private readonly key = randomBytes(32);
  /** Digests instead of passwords: equal in length, so that comparing takes equal time. */
  private readonly digests: ReadonlyMap<string, Uint8Array>;
  private readonly nobody: Uint8Array = randomBytes(32);

  constructor(config: StaticConfig) {
    this.anonymous = config.anonymous;
    const entries = Object.entries(config.users);
    this.digests = new Map(
      entries.map(([name, password]) => [name, this.digest(Buffer.from(password))]),
    );
  }

  authenticate(credentials: Credentials, done: (result: AuthResult) => void): void {
    done(this.verdict(credentials));
  }

  private verdict({ username, password }: Credentials): AuthResult {
    if (username === null || (this.digests.size === 0 && this.anonymous)) {
      return this.anonymous ? ANONYMOUS : NO_NAME;
    }
    // An unknown name costs what a known one does.
    const expected = this.digests.get(username) ?? this.nobody;
    const given = this.digest(password ?? new Uint8Array());
    const same = timingSafeEqual(given, expected);
    return same && password !== null ? ACCEPTED : WRONG;
  }

  private digest(password: Uint8Array): Uint8Array {
    return createHmac('sha256', this.key).update(password).digest();
  }
}

export class StaticAccess implements Access {
  private readonly rules: Rules;

  constructor(config: Pick<AuthConfig, 'rules'>) {
    this.rules = new Rules(config.rules);
  }

  mayPublish(who: Principal, topic: string): boolean {
    return this.may(who, 'publish', topic);
  }

  maySubscribe(who: Principal, filter: string): boolean {
    return this.may(who, 'subscribe', filter);
  }

  private may(who: Principal, action: Action, topic: string): boolean {
    return this.rules.empty || this.rules.allow(who, action, topic);
  }
}
