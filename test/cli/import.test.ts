// `minnow import` as a process: what it prints loads, files that are included are found, nothing is
// written over, and exit codes are those of everybody else.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Exit } from '../../src/cli/exit.ts';
import { afterAll, beforeAll, describe, test } from '../harness.ts';
import { minnow as command } from '../integration/process.ts';

let directory = '';

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'minnow-import-'));
  mkdirSync(join(directory, 'conf.d'));
  mkdirSync(join(directory, 'lost.conf'));
  const files = {
    'm.conf': 'persistence true\npid_file /run/m.pid\ninclude_dir conf.d\n',
    'conf.d/b.conf': 'max_keepalive 20\n',
    'conf.d/a.conf': 'listener 1883 127.0.0.1\nallow_anonymous true\nmax_keepalive 10\n',
    'conf.d/c.txt': 'this is no configuration\n',
    'bad.conf': 'persistence maybe\ninclude_dir nowhere\n',
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
});
afterAll(() => rmSync(directory, { recursive: true }));

function minnow(...args: string[]) {
  const [program, ...rest] = [...command, ...args];
  const env = { PATH: process.env.PATH, HOME: directory, NO_COLOR: '1' };
  const run = spawnSync(program, rest, { encoding: 'utf8', cwd: directory, env, timeout: 60_000 });
  return { code: run.status, stdout: run.stdout, stderr: run.stderr };
}

const printed = `# From "m.conf", by minnow import.
# What it does not mention is as minnow's defaults say: minnow config shows them.
# m.conf:2: pid_file /run/m.pid
#   no equivalent: minnow stays in the foreground, and its supervisor knows its id

[[listeners]] # conf.d/a.conf:1
host = "127.0.0.1"
port = 1883

[mqtt]
keepAliveMaxSeconds = 20 # conf.d/b.conf:1

[auth]
anonymous = true # conf.d/a.conf:2

[store]
kind = "sqlite" # m.conf:1

# conf.d/a.conf:3: max_keepalive 10
#   line 1 of conf.d/b.conf takes its place
# m.conf:3: include_dir conf.d
#   its files are part of this one
`;

describe('minnow import', () => {
  test('prints a configuration', () => {
    assert.deepEqual(minnow('import', 'm.conf'), { code: Exit.ok, stdout: printed, stderr: '' });
  });

  test('writes one that check-config is content with, and not over another', () => {
    assert.deepEqual(minnow('import', '--output', 'm.toml', 'm.conf'), {
      code: Exit.ok,
      stdout: '',
      stderr: '',
    });
    assert.equal(readFileSync(join(directory, 'm.toml'), 'utf8'), printed);
    assert.equal(minnow('check-config', '-c', 'm.toml').code, Exit.ok);
    assert.deepEqual(minnow('import', '-o', 'm.toml', 'm.conf'), {
      code: Exit.cannotCreate,
      stdout: '',
      stderr: 'minnow: m.toml: it exists already; remove it or choose another\n',
    });
  });

  const cases: [args: string[], code: number, stderr: string][] = [
    [['none.conf'], Exit.noInput, 'minnow: none.conf: there is no such file or directory\n'],
    [['lost.conf'], Exit.noInput, 'minnow: lost.conf: this is a directory\n'],
    [
      [],
      Exit.usage,
      'minnow: import: expected one FILE, a mosquitto.conf; see minnow help import\n',
    ],
    [
      ['bad.conf'],
      Exit.config,
      'minnow: bad.conf:2: include_dir: nowhere: there is no such file or directory\n' +
        'minnow: bad.conf:1: persistence: found "maybe", expected true or false\n' +
        'minnow: 2 faults; nothing was written\n',
    ],
  ];
  for (const [args, code, stderr] of cases) {
    test(`import ${args.join(' ')}`, () => {
      assert.deepEqual(minnow('import', ...args), { code, stdout: '', stderr });
    });
  }
});
