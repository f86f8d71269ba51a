// How the broker's own commands read their flags, and what they say about those they cannot.

import assert from 'node:assert/strict';
import { parseFlags } from '../../src/cli/command.ts';
import { Exit, Failure } from '../../src/cli/exit.ts';
import { configFlags } from '../../src/cli/load.ts';
import { describe, test } from '../harness.ts';

const parse = (...args: string[]) => ({ ...parseFlags('serve', args, configFlags) });

describe('flags', () => {
  test('values, repeated values, short forms, values after =', () => {
    assert.deepEqual(
      parse('-c', 'a.toml', '--listen', ':1', '--listen=[::1]:2', '--set', 'a.b=c=d', '--set=e.f='),
      { config: 'a.toml', listen: [':1', '[::1]:2'], set: ['a.b=c=d', 'e.f='] },
    );
    assert.deepEqual(parse('--help'), { help: true });
    assert.deepEqual(parse('-h'), { help: true });
    assert.deepEqual(parse(), {});
  });

  test('the last of several values of a flag that takes one wins', () => {
    assert.deepEqual(parse('--data', '/a', '--data', '/b'), { data: '/b' });
  });

  const faults: [args: string[], message: string][] = [
    [['--lisen', ':1'], 'serve: unknown flag --lisen; did you mean --listen?'],
    [['--loglevel=debug'], 'serve: unknown flag --loglevel; did you mean --log-level?'],
    [['--frobnicate'], 'serve: unknown flag --frobnicate'],
    [['-x'], 'serve: unknown flag -x'],
    [['--constructor'], 'serve: unknown flag --constructor'],
    [['--data'], 'serve: --data needs a value'],
    [['--data', '--listen'], 'serve: --data needs a value'],
    [['--help=yes'], 'serve: --help takes no value'],
    [['minnow.toml'], 'serve: "minnow.toml" is not expected here'],
    [['--', 'x'], 'serve: "x" is not expected here'],
  ];
  for (const [args, message] of faults) {
    test(args.join(' '), () => {
      const expected = { code: Exit.usage, lines: [`${message}; see minnow help serve`] };
      assert.throws(
        () => parse(...args),
        error => {
          assert.ok(error instanceof Failure);
          assert.deepEqual({ code: error.code, lines: error.lines }, expected);
          return true;
        },
      );
    });
  }
});
