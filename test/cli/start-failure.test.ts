// What is said when the server cannot start: an operating error becomes one line and an exit code,
// and whatever is none stays what it is.

import assert from 'node:assert/strict';
import { Exit, Failure } from '../../src/cli/exit.ts';
import { startFailure } from '../../src/cli/serve.ts';
import { describe, test } from '../harness.ts';

const anotherPort = '; choose another with --listen HOST:PORT';

const cases: [error: Record<string, unknown>, code: number, line: string][] = [
  [
    { code: 'EADDRINUSE', address: '127.0.0.1', port: 1883 },
    Exit.unavailable,
    `cannot listen on 127.0.0.1:1883: it is in use by another program${anotherPort}`,
  ],
  [
    { code: 'EADDRNOTAVAIL', address: '2001:db8::1', port: 1883 },
    Exit.unavailable,
    `cannot listen on [2001:db8::1]:1883: this machine has no such address${anotherPort}`,
  ],
  [
    { code: 'ENOTFOUND', address: 'no.example', port: 1883 },
    Exit.unavailable,
    `cannot listen on no.example:1883: this name has no address${anotherPort}`,
  ],
  [
    { code: 'EACCES', address: '0.0.0.0', port: 80 },
    Exit.noPermission,
    `cannot listen on 0.0.0.0:80: no permission${anotherPort}`,
  ],
  [
    { code: 'EACCES', address: '/run/minnow/control.sock' },
    Exit.noPermission,
    'cannot listen on /run/minnow/control.sock: no permission',
  ],
  [
    { code: 'EACCES', address: '/run/minnow/control.sock', port: -1 }, // as Node has it
    Exit.noPermission,
    'cannot listen on /run/minnow/control.sock: no permission',
  ],
  [
    { code: 'EMFILE', message: 'too many open files' },
    Exit.system,
    'cannot start: too many open files',
  ],
];

describe('startFailure', () => {
  for (const [error, code, line] of cases) {
    test(line, () => {
      const failure = startFailure(Object.assign(new Error(), error));
      assert.ok(failure instanceof Failure);
      assert.deepEqual({ code: failure.code, lines: failure.lines }, { code, lines: [line] });
    });
  }

  test('a bug is passed on as it is', () => {
    const bug = new TypeError('x is not a function');
    assert.equal(startFailure(bug), bug);
  });
});
