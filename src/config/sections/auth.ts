// [auth]: who may connect, and what they may do.

import * as z from 'zod/mini';
import { filterValid, parseShare } from '../../mqtt/topic.ts';
import { flag, option, section } from '../option.ts';

const rule = z.strictObject({
  user: z._default(z.string(), '*'),
  filter: z.string().check(z.refine(value => filterValid(value) && parseShare(value) === null)),
  allow: z.enum(['publish', 'subscribe', 'both', 'none']),
});

const secretText = z.string().check(z.minLength(1));

export const authSection = section('Who may connect, and what they may do.', {
  anonymous: flag({
    default: true,
    description: 'Whether clients without a user name are let in.',
  }),
  users: option(
    z.record(z.string().check(z.minLength(1)), secretText),
    {
      shape: 'table',
      unit: 'table of name = password',
      expected: 'a table of user names and their passwords, as in [auth.users] alice = "secret"',
      secret: true,
    },
    {
      default: {},
      example: 'users = { alice = "a long secret", meter = "another" }',
      description:
        'User names and passwords. A client that brings a user name must be one of them, ' +
        'unless there are none and anonymous clients are let in.',
    },
  ),
  rules: option(
    z.array(rule),
    {
      shape: 'list',
      unit: 'list of rules',
      expected:
        '[[auth.rules]] tables with user (a name, "*" for all or "" for anonymous), filter ' +
        '(a topic filter) and allow (publish, subscribe, both or none)',
    },
    {
      default: [],
      example: 'rules = [{ user = "meter", filter = "meters/%c/#", allow = "publish" }]',
      description:
        'What clients may do. Each rule has `user` (a name, `*` for all, empty for anonymous), ' +
        '`filter` (`%u` and `%c` stand for the user name and the client id) and `allow` ' +
        '(`publish`, `subscribe`, `both`, or `none`, which forbids both). The first rule that ' +
        'speaks about the user, the topic and the action decides; with any rules at all, what ' +
        'none of them allows is forbidden.',
    },
  ),
});
