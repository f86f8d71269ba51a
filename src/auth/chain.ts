// The core's Authenticator out of steps asked in order, behind what a listener has proved by itself
// (a certificate, the account behind a unix socket). What nobody knows is let in without a name or
// refused.

import type { AuthResult, Credentials } from '../core/access.ts';
import {
  type Admission,
  ALLOWED,
  ANONYMOUS,
  type AuthStep,
  type Guest,
  NOT_AUTHORIZED,
  UNAVAILABLE,
  type Verdict,
  WRONG,
} from './step.ts';

export interface ChainOptions {
  /** Whether a client that offers no name is let in when no step knows it, unless its listener
   *  says otherwise. */
  readonly anonymous: boolean;
  /** Told about a step that failed; the client is refused. */
  readonly onError?: (error: unknown) => void;
}

/** What letting somebody in rests on where no step has: the listener has proved the name. */
const PROVED = 'listener';

export class Chain implements Admission {
  private readonly steps: readonly AuthStep[];
  private readonly anonymous: boolean;
  private readonly onError: (error: unknown) => void;

  constructor(steps: readonly AuthStep[], options: ChainOptions) {
    this.steps = steps;
    this.anonymous = options.anonymous;
    this.onError = options.onError ?? (() => {});
  }

  authenticate(credentials: Credentials, done: (result: AuthResult) => void): void {
    const proved = credentials.origin?.username ?? null;
    // Enhanced authentication was asked for by the client: it is not skipped.
    if (proved === null || credentials.authMethod !== null) this.ask(credentials, 0, done);
    else done({ ...ALLOWED, username: proved, standing: PROVED });
  }

  /** Asks the steps from `first` on; at once as long as they answer at once. */
  private ask(credentials: Credentials, first: number, done: (result: AuthResult) => void): void {
    for (let i = first; i < this.steps.length; i++) {
      let verdict: Verdict | Promise<Verdict>;
      try {
        verdict = this.steps[i].authenticate(credentials);
      } catch (error) {
        verdict = this.failed(error);
      }
      if (verdict instanceof Promise) {
        verdict
          .catch(error => this.failed(error))
          .then(late => {
            if (late === null) this.ask(credentials, i + 1, done);
            else done(this.withStanding(i, credentials, late));
          });
        return;
      }
      if (verdict !== null) {
        done(this.withStanding(i, credentials, verdict));
        return;
      }
    }
    done(this.unknown(credentials));
  }

  /** `verdict` with what it rests on, when it lets the client in. */
  private withStanding(step: number, { username }: Credentials, verdict: AuthResult): AuthResult {
    const { standing } = this.steps[step]!;
    if (verdict.reason !== 0 || standing === undefined) return verdict;
    const name = verdict.username === undefined ? username : verdict.username;
    return { ...verdict, standing: standing.call(this.steps[step], name) };
  }

  mayStay({ username, origin, standing }: Guest): boolean {
    if (standing === PROVED) return true;
    // Let in without a question: by an open broker, anonymously, or by a step that has no reasons.
    if (standing !== '') return this.steps.some(step => step.standing?.(username) === standing);
    const unproved = username === null || this.steps.every(step => step.standing === undefined);
    return unproved && (origin?.anonymous ?? this.anonymous);
  }

  private unknown({ username, authMethod, origin }: Credentials): AuthResult {
    if (authMethod !== null) return NOT_AUTHORIZED;
    // Where nobody can prove a name, a name is no reason to refuse.
    const nameless = username === null || this.steps.length === 0;
    if (nameless && (origin?.anonymous ?? this.anonymous)) return ANONYMOUS;
    return username === null ? NOT_AUTHORIZED : WRONG;
  }

  private failed(error: unknown): AuthResult {
    this.onError(error);
    return UNAVAILABLE;
  }
}
