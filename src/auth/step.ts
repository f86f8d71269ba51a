// One way to tell who a client is. Several are asked in order (chain.ts): each lets in, refuses or
// leaves it to the next.

import type { Authenticator, AuthResult, Credentials, Principal } from '../core/access.ts';
import { Reason } from '../mqtt/reason.ts';

/** Null: this step does not know the client; the next one is asked. */
export type Verdict = AuthResult | null;

export interface AuthStep {
  /** Given at once or later. A step that throws or rejects refuses: nobody gets in by an error. */
  authenticate(credentials: Credentials): Verdict | Promise<Verdict>;
  /** What letting in `username` rests on: as long as it is the same, who is in may stay. Left out:
   *  nothing that could change. */
  standing?(username: string | null): string;
}

/** Who asked to be let in and was. */
export interface Guest extends Pick<Principal, 'username' | 'origin'> {
  /** As AuthResult.standing. */
  readonly standing: string;
}

/** The whole of it, as the composition root has it. */
export interface Admission extends Authenticator {
  /** Whether somebody who was let in, by this or by its predecessor, would be so now. */
  mayStay(guest: Guest): boolean;
}

export const ALLOWED: AuthResult = Object.freeze({ reason: Reason.Success });
/** Let in without having proved a name, so without one. */
export const ANONYMOUS: AuthResult = Object.freeze({ reason: Reason.Success, username: null });
export const WRONG: AuthResult = Object.freeze({ reason: Reason.BadUserNameOrPassword });
export const NOT_AUTHORIZED: AuthResult = Object.freeze({ reason: Reason.NotAuthorized });
export const BANNED: AuthResult = Object.freeze({ reason: Reason.Banned });
export const BUSY: AuthResult = Object.freeze({ reason: Reason.ServerBusy });
export const UNAVAILABLE: AuthResult = Object.freeze({ reason: Reason.ServerUnavailable });
