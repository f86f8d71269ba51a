// Lets everybody in and everything pass: what the broker does until somebody configures users.

import type { Access, Authenticator } from '../core/access.ts';

export const allowAll: Readonly<Authenticator & Access> = Object.freeze<Authenticator & Access>({
  authenticate: (_credentials, done) => done({ reason: 0 }),
  mayPublish: () => true,
  maySubscribe: () => true,
});
