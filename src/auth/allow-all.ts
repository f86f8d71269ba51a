// Lets everybody in and everything pass but $CONTROL, which is for superusers, of whom there are
// none: what the broker does until somebody configures users.
// What a listener says all the same holds: the name it has proved, and that it wants one.

import type { Access } from '../core/access.ts';
import { isControl } from './rules/filters.ts';
import { type Admission, ALLOWED, NOT_AUTHORIZED } from './step.ts';

export const allowAll: Admission & Access = Object.freeze({
  authenticate({ origin }, done) {
    if (origin?.username != null) done({ ...ALLOWED, username: origin.username });
    else done(origin?.anonymous === false ? NOT_AUTHORIZED : ALLOWED);
  },
  mayStay: ({ origin }) => origin?.username != null || origin?.anonymous !== false,
  mayPublish: (_who, topic) => !isControl(topic),
  maySubscribe: (_who, filter) => !isControl(filter),
} satisfies Admission & Access);
