// Command lines as people write them.

import assert from 'node:assert/strict';
import { type Flag, parseFlags, UsageError } from '../../../src/cli/client/flags.ts';
import { parseUrl } from '../../../src/cli/client/options.ts';
import { describe, test } from '../../harness.ts';

const table: readonly Flag[] = [
  { long: 'debug', short: 'd', help: '' },
  { long: 'verbose', short: 'v', help: '' },
  { long: 'port', short: 'p', value: 'PORT', help: '' },
  { long: 'topic', short: 't', value: 'TOPIC', help: '' },
  {
    long: 'pair',
    short: 'D',
    value: 'A B',
    words: ([first]) => (first === 'one' ? 1 : 2),
    help: '',
  },
];

describe('flags', () => {
  test('short and long names, attached and separate values', () => {
    for (const args of [['-p', '1'], ['-p1'], ['--port', '1'], ['--port=1']]) {
      assert.equal(parseFlags(args, table).text('port'), '1', args.join(' '));
    }
  });

  test('a cluster may end in a flag that takes a value', () => {
    for (const args of [['-dvp', '7'], ['-dvp7'], ['-vd', '-p', '7']]) {
      const flags = parseFlags(args, table);
      assert.ok(flags.has('debug') && flags.has('verbose'));
      assert.equal(flags.text('port'), '7');
    }
  });

  test('a value may look like a flag, be empty or hold an equals sign', () => {
    assert.equal(parseFlags(['-t', '-d'], table).text('topic'), '-d');
    assert.equal(parseFlags(['-t', ''], table).text('topic'), '');
    assert.equal(parseFlags(['--topic='], table).text('topic'), '');
    assert.equal(parseFlags(['--topic=a=b'], table).text('topic'), 'a=b');
  });

  test('a flag given again: the last value counts, all are there', () => {
    const flags = parseFlags(['-t', 'a', '--topic=b', '-tc'], table);
    assert.equal(flags.text('topic'), 'c');
    assert.deepEqual(flags.texts('topic'), ['a', 'b', 'c']);
  });

  test('a flag that takes as many words as it says', () => {
    const flags = parseFlags(['-D', 'one', '-D', 'x', 'y', '--pair=z', 'w', 'rest'], table);
    assert.deepEqual(flags.tuples('pair'), [['one'], ['x', 'y'], ['z', 'w']]);
    assert.deepEqual(flags.operands, ['rest']);
  });

  test('operands: words without a dash, a lone dash, all behind --', () => {
    const { operands } = parseFlags(['a', '-', '-d', '--', '-v', '--x'], table);
    assert.deepEqual(operands, ['a', '-', '-v', '--x']);
  });

  test('what is wrong is named', () => {
    const wrong: [string[], RegExp][] = [
      [['--nope'], /unknown option --nope/],
      [['-x'], /unknown option -x/],
      [['-dx'], /unknown option -x/],
      [['-p'], /-p needs PORT/],
      [['-D', 'x'], /-D needs A B/],
      [['--debug=1'], /--debug takes no value/],
    ];
    for (const [args, message] of wrong) {
      assert.throws(
        () => parseFlags(args, table),
        (error: unknown) => error instanceof UsageError && message.test(error.message),
      );
    }
  });

  test('numbers are whole and within their bounds', () => {
    const port = (text: string) => parseFlags(['-p', text], table).integer('port', 0, 10);
    assert.equal(port('0'), 0);
    assert.equal(port('10'), 10);
    for (const text of ['', '11', '-1', '1.5', '1e1', '0x1', 'ten', ' 1']) {
      assert.throws(() => port(text), /is not a whole number from 0 to 10/, text);
    }
  });
});

describe('URLs', () => {
  test('all parts, and only some of them', () => {
    assert.deepEqual(parseUrl('mqtt://user:p%40ss@example.org:1884/a/b'), {
      secure: false,
      host: 'example.org',
      port: 1884,
      topic: 'a/b',
      username: 'user',
      password: 'p@ss',
    });
    const [secure, port] = [false, null];
    assert.deepEqual(parseUrl('mqtt://h/t'), { secure, host: 'h', port, topic: 't' });
    assert.deepEqual(parseUrl('mqtts://h'), { secure: true, host: 'h', port, topic: null });
    assert.deepEqual(parseUrl('mqtt://[::1]:1/+/#'), {
      secure,
      host: '::1',
      port: 1,
      topic: '+/#',
    });
    assert.deepEqual(parseUrl('mqtt://h//?x'), { secure, host: 'h', port, topic: '/?x' });
  });

  test('what is none', () => {
    for (const text of ['', 'h/t', 'ws://h/t', 'mqtt://', 'mqtt:///t', 'mqtt://h:x/t']) {
      assert.throws(() => parseUrl(text), /is not mqtt\[s\]:\/\//, text);
    }
    assert.throws(() => parseUrl('mqtt://h:70000/t'), /port: '70000'/);
    assert.throws(() => parseUrl('mqtt://%zz@h/t'), /holds a '%'/);
  });
});
