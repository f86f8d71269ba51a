// The authenticator in force, which a reload replaces.

import type { AuthResult, Credentials } from '../core/access.ts';
import type { Admission, Guest } from './step.ts';

export class ReplaceableAdmission implements Admission {
  private current: Admission;

  constructor(current: Admission) {
    this.current = current;
  }

  /** From here on `admission` decides, also about those who have been waiting for an answer. */
  replace(admission: Admission): void {
    this.current = admission;
  }

  authenticate(credentials: Credentials, done: (result: AuthResult) => void): void {
    const asked = this.current;
    asked.authenticate(credentials, result => {
      if (asked === this.current) done(result);
      else this.authenticate(credentials, done);
    });
  }

  mayStay(guest: Guest): boolean {
    return this.current.mayStay(guest);
  }
}
