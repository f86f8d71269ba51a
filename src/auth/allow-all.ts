// Lets everybody in and everything pass: what the broker does until somebody configures users.
// What a listener says all the same holds: the name it has proved, and that it wants one.

import type { Access, Authenticator } from '../core/access.ts';
import { ALLOWED, NOT_AUTHORIZED } from './step.ts';

export const allowAll: Authenticator & Access = Object.freeze({
  authenticate({ origin }, done) {
    if (origin?.username != null) done({ ...ALLOWED, username: origin.username });
    else done(origin?.anonymous === false ? NOT_AUTHORIZED : ALLOWED);
  },
  mayPublish: () => true,
  maySubscribe: () => true,
} satisfies Authenticator & Access);
