// What `minnow sub` prints for a message, and what `-D` means.

import assert from 'node:assert/strict';
import { PrintError, printer } from '../../../src/cli/client/format/format.ts';
import { isoTime, strftime } from '../../../src/cli/client/format/strftime.ts';
import type { IncomingMessage } from '../../../src/cli/client/mqtt-client.ts';
import { parseProperties, propertyWords } from '../../../src/cli/client/properties.ts';
import { describe, test } from '../../harness.ts';

const message: IncomingMessage = {
  topic: 'a/b',
  payload: Buffer.from('{"n":1}'),
  qos: 1,
  retain: true,
  messageId: 7,
  properties: {
    contentType: 'text/plain',
    correlationData: Buffer.from('id'),
    payloadFormatIndicator: true,
    messageExpiryInterval: 30,
    responseTopic: 'r',
    subscriptionIdentifier: [3, 4],
  },
  userProperties: [
    ['k', '1'],
    ['l', '2'],
    ['k', '3'],
  ],
  receivedAt: new Date(2026, 0, 5, 9, 7, 3, 45),
};

function print(format: string, changes: Partial<IncomingMessage> = {}): string {
  const options = { format, verbose: false, newline: false, pretty: false };
  return printer(options)({ ...message, ...changes })?.toString() ?? '';
}

describe('format', () => {
  test('each parameter', () => {
    const cases: [string, string][] = [
      ['%t|%p|%q|%r|%l|%m|%x|%X|%%', 'a/b|{"n":1}|1|1|7|7|7b226e223a317d|7B226E223A317D|%'],
      ['%C|%D|%E|%F|%R|%S|%P', 'text/plain|id|30|1|r|3 4|k:1 l:2 k:3'],
      ['@Y-@m-@d @H:@M:@S.@N @a @b @j @@', '2026-01-05 09:07:03.045000000 Mon Jan 005 @'],
      ['\\t\\n\\\\\\0\\e', '\t\n\\\0\x1b'],
      ['[%6t]', '[   a/b]'],
      ['[%-6t]', '[a/b   ]'],
      ['[%.2t]', '[a/]'],
      ['[%5.2t]', '[   a/]'],
      ['[%04l]', '[0007]'],
      ['[%3m]', '[  7]'],
      ['', ''],
      ['plain', 'plain'],
    ];
    for (const [format, expected] of cases) assert.equal(print(format), expected, format);
  });

  test('properties that are not there are nothing', () => {
    assert.equal(print('%C|%D|%E|%F|%R|%S|%P', { properties: {}, userProperties: [] }), '||||||');
  });

  test('a payload is printed as the bytes it is', () => {
    const payload = Buffer.from([0xff, 0x00, 0xfe]);
    const options = { format: '<%p>', verbose: false, newline: false, pretty: false };
    const printed = printer(options)({ ...message, payload });
    assert.deepEqual(printed, Buffer.from([0x3c, 0xff, 0x00, 0xfe, 0x3e]));
  });

  test('JSON, with the payload as text and as JSON', () => {
    const common = { topic: 'a/b', qos: 1, retain: 1, payloadlen: 7, mid: 7 };
    const properties = {
      'content-type': 'text/plain',
      'correlation-data': 'id',
      'message-expiry-interval': 30,
      'payload-format-indicator': 1,
      'response-topic': 'r',
      'subscription-identifier': [3, 4],
      'user-properties': { k: ['1', '3'], l: '2' },
    };
    for (const [format, payload] of [
      ['%j', '{"n":1}'],
      ['%J', { n: 1 }],
    ] as const) {
      const { tst, ...found } = JSON.parse(print(format)) as Record<string, unknown>;
      assert.equal(tst, isoTime(message.receivedAt, true));
      assert.deepEqual(found, { ...common, properties, payload });
    }
    assert.throws(() => print('%J', { payload: Buffer.from('{') }), PrintError);
    assert.match(print('%J', { payload: Buffer.alloc(0) }), /"payload":null\}$/);
  });

  test('a format that makes no sense is refused before anything is printed', () => {
    for (const format of ['%Z', '%', 'a%', '\\q', 'x\\', '@q', '@', '%5']) {
      const options = { format, verbose: false, newline: true, pretty: false };
      assert.throws(() => printer(options), /--format: /, format);
    }
  });

  test('without a format: payload, or topic and payload', () => {
    const options = { format: undefined, verbose: false, newline: true, pretty: false };
    const verbose = { ...options, verbose: true };
    const empty = { ...message, payload: Buffer.alloc(0) };
    assert.equal(printer(options)(message)?.toString(), '{"n":1}\n');
    assert.equal(printer(verbose)(message)?.toString(), 'a/b {"n":1}\n');
    assert.equal(printer({ ...options, newline: false })(message)?.toString(), '{"n":1}');
    assert.equal(printer(options)(empty), null);
    assert.equal(printer(verbose)(empty)?.toString(), 'a/b (null)\n');
  });
});

describe('time', () => {
  test('every conversion says something for every hour and every day', () => {
    const noon = new Date(2024, 11, 31, 12, 0, 0);
    const midnight = new Date(2024, 1, 29, 0, 30, 0);
    const cases: [string, Date, string][] = [
      ['I', noon, '12'],
      ['I', midnight, '12'],
      ['p', noon, 'PM'],
      ['p', midnight, 'AM'],
      ['j', noon, '366'],
      ['j', midnight, '060'],
      ['u', new Date(2024, 11, 29), '7'],
      ['w', new Date(2024, 11, 29), '0'],
      ['y', noon, '24'],
      ['C', noon, '20'],
      ['e', new Date(2024, 0, 3), ' 3'],
      ['c', noon, 'Tue Dec 31 12:00:00 2024'],
      ['D', noon, '12/31/24'],
      ['R', noon, '12:00'],
      ['s', new Date(86_400_000), '86400'],
    ];
    for (const [letter, at, expected] of cases)
      assert.equal(strftime(letter, at), expected, letter);
    assert.match(strftime('z', noon), /^[+-]\d{4}$/);
    assert.match(isoTime(noon), /^2024-12-31T12:00:00[+-]\d{4}$/);
  });
});

describe('-D', () => {
  test('values land with the command they belong to, in the type it needs', () => {
    const sets = parseProperties([
      ['connect', 'session-expiry-interval', '60'],
      ['connect', 'request-problem-information', '0'],
      ['publish', 'user-property', 'a', '1'],
      ['publish', 'user-property', 'b', '2'],
      ['publish', 'user-property', 'a', '3'],
      ['publish', 'correlation-data', 'id'],
      ['subscribe', 'subscription-identifier', '268435455'],
      ['will', 'will-delay-interval', '5'],
    ]);
    assert.deepEqual(sets, {
      connect: { sessionExpiryInterval: 60, requestProblemInformation: false },
      publish: {
        userProperties: [{ a: '1' }, { b: '2' }, { a: '3' }],
        correlationData: Buffer.from('id'),
      },
      subscribe: { subscriptionIdentifier: 268_435_455 },
      unsubscribe: {},
      disconnect: {},
      will: { willDelayInterval: 5 },
    });
  });

  test('it takes three words, four for a user property', () => {
    assert.equal(propertyWords(['publish', 'content-type', 'x', '-m']), 3);
    assert.equal(propertyWords(['publish', 'user-property', 'a', 'b', '-m']), 4);
  });

  test('what cannot be is refused', () => {
    const wrong: [string[], RegExp][] = [
      [['say', 'content-type', 'x'], /unknown command 'say', use connect, publish/],
      [['toString', 'content-type', 'x'], /unknown command/],
      [['publish', 'colour', 'x'], /unknown property 'colour'/],
      [['publish', 'constructor', 'x'], /unknown property/],
      [
        ['subscribe', 'content-type', 'x'],
        /content-type does not belong to subscribe, only to pub/,
      ],
      [['connect', 'receive-maximum', '0'], /'0' is not a whole number from 1 to 65535/],
      [['publish', 'payload-format-indicator', '2'], /from 0 to 1/],
      [['publish', 'content-type', 'x'.repeat(65_536)], /65536 bytes, at most 65535 fit/],
    ];
    for (const [words, message] of wrong) assert.throws(() => parseProperties([words]), message);
    const twice = ['publish', 'content-type', 'x'];
    assert.throws(() => parseProperties([twice, twice]), /may be given only once/);
  });
});
