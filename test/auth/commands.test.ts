// `minnow passwd` and `minnow acl` as people call them.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { verify } from '../../src/auth/passwords/compute.ts';
import { parsePasswords } from '../../src/auth/passwords/password-file.ts';
import { changePrivateFile } from '../../src/cli/auth/private-file.ts';
import { Exit } from '../../src/cli/exit.ts';
import { afterAll, beforeAll, beforeEach, describe, skipped, test } from '../harness.ts';
import { minnow as command, run } from '../integration/process.ts';

let root = '';
let directory = '';
let count = 0;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'minnow-auth-commands-'));
});
beforeEach(() => {
  directory = mkdtempSync(join(root, `${count++}-`));
});
afterAll(() => rmSync(root, { recursive: true }));

function minnow(args: readonly string[], input = '') {
  const [program, ...rest] = [...command, ...args];
  const env = { PATH: process.env.PATH, HOME: root, NO_COLOR: '1' };
  const options = { encoding: 'utf8', cwd: directory, timeout: 60_000, input, env } as const;
  const { status, stdout, stderr } = spawnSync(program, rest, options);
  return { code: status, stdout, stderr };
}

const file = () => join(directory, 'passwd');
const users = () => parsePasswords(readFileSync(file(), 'utf8')).users;

async function right(name: string, password: string): Promise<boolean> {
  const hash = users().get(name);
  assert.ok(hash !== undefined, name);
  return verify(hash, Buffer.from(password));
}

describe('minnow passwd', () => {
  const passwd = (args: string, input = '') =>
    minnow(['passwd', '--file', file(), ...args.split(' ')], input);

  test('says which lines of others keep the broker from reading the file', () => {
    writeFileSync(file(), 'no hash\n');
    const { code, stderr } = passwd('--token alice');
    assert.equal(code, Exit.ok);
    assert.match(stderr, /^minnow: warning: .*passwd:1: .*\n$/);
    assert.match(readFileSync(file(), 'utf8'), /^no hash\nalice:/);
    assert.equal(passwd('--delete alice').stderr, stderr);
  });

  test('adds, changes and deletes a user, and says what a login costs', async () => {
    const added = passwd('--stdin alice', 'secret\nnot this\n');
    assert.equal(added.code, Exit.ok, added.stderr);
    assert.match(added.stdout, /^"alice" was added in .*: a scrypt hash; a login takes \d+ MB and/);
    assert.equal(await right('alice', 'secret'), true);
    assert.equal(await right('alice', 'not this'), false);
    assert.equal(statSync(file()).mode & 0o777, 0o600);
    assert.match(passwd('--stdin alice', 'other').stdout, /^"alice" was changed in /);
    assert.equal(await right('alice', 'other'), true);
    assert.equal(passwd('--delete alice').code, Exit.ok);
    assert.equal(readFileSync(file(), 'utf8'), '');
    assert.deepEqual(readdirSync(directory), ['passwd']);
  });

  test('a disk that takes only a part loses nobody', () => {
    const before = Array.from({ length: 200 }, (_, at) => `user${at}:$plain$${'x'.repeat(40)}\n`);
    writeFileSync(file(), before.join(''));
    // No file may become longer than a part of this one: the first write is cut short.
    const script = 'trap "" XFSZ; ulimit -f 8; exec "$@"';
    const args = ['-c', script, 'sh', ...command, 'passwd', '--file', file(), '--token', 'device'];
    const { status, stderr } = spawnSync('sh', args, { encoding: 'utf8', timeout: 60_000 });
    assert.equal(status, Exit.cannotCreate, stderr);
    assert.match(stderr, /passwd: cannot be written \(EFBIG\)/);
    assert.equal(readFileSync(file(), 'utf8'), before.join(''));
    assert.deepEqual(readdirSync(directory), ['passwd']);
  });

  test('makes up a token and shows it once', async () => {
    const { stdout } = passwd('--token device');
    const token = stdout.trim().split('\n').at(-1) ?? '';
    assert.equal(await right('device', token), true);
    assert.ok(!readFileSync(file(), 'utf8').includes(token));
  });

  test('makes the first user of a package once, whatever is there after that', async () => {
    writeFileSync(file(), '# users\n', { mode: 0o640 });
    const { code, stdout } = passwd('--init');
    assert.equal(code, Exit.ok);
    const token = stdout.trim().split('\n').at(-1) ?? '';
    assert.match(token, /^\S{20,}$/);
    assert.equal(await right('admin', token), true);
    const written = readFileSync(file(), 'utf8');
    for (const again of ['--init', '--init somebody']) {
      const outcome = passwd(again);
      assert.deepEqual([outcome.code, outcome.stdout, outcome.stderr], [Exit.ok, '', '']);
      assert.equal(readFileSync(file(), 'utf8'), written);
    }
    writeFileSync(file(), 'broken, and nobody overwrites it\n');
    assert.equal(passwd('--init').stdout, '');
    assert.equal(readFileSync(file(), 'utf8'), 'broken, and nobody overwrites it\n');
  });

  test('makes hashes for SCRAM and for mosquitto', async () => {
    passwd('--scram --stdin s', 'secret');
    passwd('--mosquitto --stdin m', 'secret');
    assert.deepEqual(
      [...users().values()].map(({ kind }) => kind),
      ['scram', 'pbkdf2'],
    );
    assert.equal(await right('s', 'secret'), true);
    assert.equal(await right('m', 'secret'), true);
  });

  test('minds nothing that a process with the same number left behind', async () => {
    writeFileSync(`${file()}.new-${process.pid}`, 'half of it');
    await changePrivateFile(file(), before => `${before}device:x\n`);
    assert.equal(readFileSync(file(), 'utf8'), 'device:x\n');
    assert.deepEqual(readdirSync(directory), ['passwd']);
  });

  test('says of nobody that there is no such user, wherever the file would be', () => {
    const { code, stderr } = minnow(['passwd', '--file', '/proc/nowhere/passwd', '-D', 'alice']);
    assert.equal(code, Exit.noInput);
    assert.match(stderr, /\/proc\/nowhere\/passwd: there is no user "alice"\n$/);
  });

  test('keeps the mode of a file, and a link to it', () => {
    const target = join(directory, 'kept');
    writeFileSync(target, '# comment\n');
    chmodSync(target, 0o640);
    symlinkSync(target, file());
    passwd('--token device');
    assert.equal(statSync(target).mode & 0o777, 0o640);
    assert.match(readFileSync(target, 'utf8'), /^# comment\ndevice:\$token\$/);
    assert.deepEqual(readdirSync(directory).sort(), ['kept', 'passwd']);
  });

  test('keeps a link that leads to nothing yet', () => {
    mkdirSync(join(directory, 'kept'));
    symlinkSync(join('kept', 'first'), file());
    symlinkSync('second', join(directory, 'kept', 'first'));
    passwd('--token device');
    assert.match(readFileSync(join(directory, 'kept', 'second'), 'utf8'), /^device:\$token\$/);
    assert.equal(readlinkSync(file()), join('kept', 'first'));
  });

  test('finds the file in the configuration', () => {
    const toml = `[auth]\npasswordFile = "${file()}"\n`;
    writeFileSync(join(directory, 'minnow.toml'), toml);
    const { code, stderr } = minnow(['passwd', '-c', 'minnow.toml', '--token', 'device']);
    assert.equal(code, Exit.ok, stderr);
    assert.equal(users().size, 1);
  });

  test('loses nobody when several change the file at once', async () => {
    writeFileSync(join(directory, 'minnow.toml'), `[auth]\npasswordFile = "${file()}"\n`);
    const names = Array.from({ length: 8 }, (_, at) => `user${at}`);
    const changes = names.map((name, at) =>
      at % 2 === 0
        ? run([...command, 'passwd', '--file', file(), '--mosquitto', '--stdin', name], 'secret\n')
        : run(
            [...command, 'rpcd', '--config', join(directory, 'minnow.toml'), 'call', 'set_user'],
            JSON.stringify({ name, token: true }),
          ),
    );
    for (const { code, stderr } of await Promise.all(changes)) assert.equal(code, Exit.ok, stderr);
    assert.deepEqual([...users().keys()].sort(), names);
    assert.deepEqual(readdirSync(directory).sort(), ['minnow.toml', 'passwd']);
  });

  const faults: [args: string, input: string, code: number, message: RegExp][] = [
    ['', '', Exit.usage, /the name "" is empty/],
    ['a b', '', Exit.usage, /"b" is not expected here/],
    ['a:b --token', '', Exit.usage, /the name "a:b" holds a colon/],
    ['--token --scram a', '', Exit.usage, /--token and --scram exclude each other/],
    ['a', '', Exit.usage, /give --stdin or --token/],
    ['--stdin a', '\n', Exit.usage, /the password is empty/],
    ['--delete a', '', Exit.noInput, /there is no user "a"/],
    ['--frob a', '', Exit.usage, /unknown option --frob; see minnow help passwd/],
  ];
  for (const [args, input, code, message] of faults) {
    test(`passwd ${args} is refused in one line, and nothing is written`, () => {
      const outcome = passwd(args, input);
      assert.equal(outcome.code, code);
      assert.match(outcome.stderr, message);
      assert.equal(outcome.stderr.trim().split('\n').length, 1);
      assert.deepEqual(readdirSync(directory), []);
    });
  }

  test('asks for a file when none is named', () => {
    const { code, stderr } = minnow(['passwd', '--token', 'a']);
    assert.equal(code, Exit.usage);
    assert.match(stderr, /name a file with --file, or set auth.passwordFile/);
  });

  const mosquitto = spawnSync('mosquitto_passwd', ['--help']).error === undefined;
  if (mosquitto) {
    test('reads and keeps what mosquitto_passwd wrote', async () => {
      writeFileSync(file(), '', { mode: 0o600 });
      for (const [kind, name] of [
        ['sha512', 'six'],
        ['sha512-pbkdf2', 'seven'],
      ]) {
        spawnSync('mosquitto_passwd', ['-H', kind, '-b', file(), name, 'secret']);
      }
      passwd('--token device');
      assert.deepEqual(
        [...users().values()].map(({ kind }) => kind),
        ['sha512', 'pbkdf2', 'token'],
      );
      for (const name of ['six', 'seven']) assert.equal(await right(name, 'secret'), true);
    });
  } else {
    skipped('reads and keeps what mosquitto_passwd wrote', 'there is no mosquitto_passwd');
  }
});

describe('minnow acl', () => {
  const acl = (...args: string[]) => {
    const text = 'user u\ntopic read r/#\ntopic write w\n';
    writeFileSync(join(directory, 'acl'), text);
    const rules =
      '[{"allow": "publish", "filter": "a/%c"}, {"deny": "receive", "filter": "r/x"}, ' +
      '{"address": "192.0.2.0/24", "listener": "l", "certificate": "c", "allow": "all", ' +
      '"filter": "all"}]';
    const set = ['--set', `auth.rules=${rules}`, '--set', 'auth.aclFile=acl'];
    return minnow(['acl', ...set, ...args]);
  };
  const places = '--address 192.0.2.1 --listener l --certificate c';
  const cases: [args: string, code: number, answer: string][] = [
    ['--client c publish a/c', 0, 'yes\nauth.rules.0: allow publish on a/%c for everybody'],
    ['--client d publish a/c', 1, 'no: no rule allows it'],
    ['-u u publish w', 0, 'yes\nacl:3: topic write w'],
    ['-u u receive r/x', 1, 'no\nauth.rules.1: deny receive on r/x for everybody'],
    ['-u u subscribe r/y', 0, 'yes\nacl:2: topic read r/#'],
    ['-u u subscribe $share/g/r/y', 0, 'yes\nacl:2: topic read r/#'],
    ['-u u subscribe r/#', 0, 'in part: each message is asked about\nacl:2: topic read r/#'],
    ['-u u subscribe else', 1, 'no: no rule allows it'],
    [
      `${places} retain all`,
      0,
      'yes\nauth.rules.2: allow all on all for certificate "c", address "192.0.2.0/24", ' +
        'listener "l"',
    ],
    ['--address 192.0.3.1 publish all', 1, 'no: no rule allows it'],
  ];
  for (const [args, code, answer] of cases) {
    test(args, () => {
      const outcome = acl(...args.split(' '));
      assert.equal(outcome.stdout, `${answer}\n`);
      assert.equal(outcome.code, code);
      assert.equal(outcome.stderr, '');
    });
  }

  test('answers in JSON', () => {
    assert.deepEqual(JSON.parse(acl('--json', '-u', 'u', 'publish', 'w').stdout), {
      allowed: true,
      answer: 'yes',
      rule: { origin: 'acl:3', text: 'topic write w' },
    });
  });

  test('says that there are no rules', () => {
    assert.equal(minnow(['acl', 'publish', 'x']).stdout, 'yes: there are no rules\n');
    const { stdout, code } = minnow(['acl', 'publish', '$CONTROL/x']);
    assert.deepEqual([stdout, code], ['no: $CONTROL is for auth.superusers\n', 1]);
  });

  const faults: [args: string, message: RegExp][] = [
    ['', /unknown action "", expected publish, retain, subscribe, receive/],
    ['publish', /publish takes one topic/],
    ['publish a/#', /publish takes a topic, not a filter/],
    ['subscribe a/#/b', /"a\/#\/b" is no topic/],
    ['publish a b', /publish takes one topic/],
  ];
  for (const [args, message] of faults) {
    test(`acl ${args} is refused`, () => {
      const { code, stderr } = acl(...args.split(' '));
      assert.equal(code, Exit.usage);
      assert.match(stderr, message);
    });
  }

  test('says what is wrong in the ACL file', () => {
    writeFileSync(join(directory, 'bad'), 'frob x\n');
    const { code, stderr } = minnow(['acl', '--set', 'auth.aclFile=bad', 'publish', 'x']);
    assert.equal(code, Exit.config);
    assert.equal(stderr, 'minnow: bad:1: found "frob", expected user, topic or pattern\n');
  });
});
