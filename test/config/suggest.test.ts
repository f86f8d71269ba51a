// "Did you mean …?" helps when it is near and keeps quiet when it is not.

import assert from 'node:assert/strict';
import { suggest } from '../../src/config/suggest.ts';
import { lineOf } from '../../src/config/toml-lines.ts';
import { describe, test } from '../harness.ts';

describe('suggest', () => {
  const words = ['serve', 'check-config', 'config', 'version', 'packetSizeMaxBytes', 'level'];
  const cases: [string, string | null][] = [
    ['sevre', 'serve'],
    ['serv', 'serve'],
    ['conifg', 'config'],
    ['CONFIG', 'config'],
    ['checkconfig', 'check-config'],
    ['check_config', 'check-config'],
    ['packetSize', 'packetSizeMaxBytes'],
    ['levels', 'level'],
    ['elephant', null],
    ['x', null],
    ['', null],
  ];
  for (const [word, expected] of cases) {
    test(`"${word}" → ${expected ?? 'nothing'}`, () =>
      assert.equal(suggest(word, words), expected));
  }

  test('a word of any length costs little', () => {
    assert.equal(suggest('z'.repeat(10_000_000), words), null);
  });
});

describe('lineOf', () => {
  const toml = `# level = 1
data = "/x" # level
log.level = "info"

[limits]
a = 1
"b c" = 2
  [ auth.users ] # people
  alice = "x"

[[listeners]]
port = 1
[[listeners]]
port = 2
inline = { deep = 1 }
[listeners.tls]
key = "k"
[[listeners.tls.more]]
key = "l"
[[other]]
port = 3
`;
  const cases: [(string | number)[], number][] = [
    [['data'], 2],
    [['log', 'level'], 3],
    [['limits'], 5],
    [['limits', 'a'], 6],
    [['limits', 'b c'], 7],
    [['limits', 'missing'], 5],
    [['auth', 'users', 'alice'], 9],
    [['listeners', 0], 11],
    [['listeners', 0, 'port'], 12],
    [['listeners', 1, 'port'], 14],
    [['listeners', 1, 'inline', 'deep'], 15],
    [['listeners', 1, 'tls', 'key'], 17],
    [['listeners', 1, 'tls', 'more', 0, 'key'], 19],
    [['listeners', 0, 'tls', 'key'], 11],
    [['other', 0, 'port'], 21],
    [['nowhere'], 0],
  ];
  for (const [path, line] of cases) {
    test(`${path.join('.')} stands in line ${line}`, () => assert.equal(lineOf(toml, path), line));
  }
});
