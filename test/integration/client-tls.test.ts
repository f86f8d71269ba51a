// `minnow pub` and `minnow sub` through TLS: whom they trust, and who they are.

import assert from 'node:assert/strict';
import { Exit } from '../../src/cli/exit.ts';
import { afterAll, describe, test } from '../harness.ts';
import { Authority } from '../io/doors/authority.ts';
import { type DoorBroker, useDoors } from './door-kit.ts';
import { Background, messages, minnow, ok, run } from './process.ts';

const authority = new Authority();
const stranger = new Authority('somebody else');
afterAll(() => {
  authority.remove();
  stranger.remove();
});
const server = authority.issue('localhost', { names: 'DNS:localhost,IP:127.0.0.1' });
const elsewhere = authority.issue('elsewhere', { names: 'DNS:elsewhere.example' });
const meter = authority.issue('meter-7');

const trust = ['--cafile', authority.certificate];
const own = ['--cert', meter.certificate, '--key', meter.key];

describe('minnow pub and minnow sub by TLS', () => {
  const broker = useDoors('async', [{ tls: server }]);
  const stray = useDoors('async', [{ tls: elsewhere }]);
  const strict = useDoors('async', [
    {
      anonymous: false,
      identity: 'cn',
      tls: { ...server, clientCertificate: 'required', ca: authority.certificate },
    },
  ]);
  const at = (door: DoorBroker) => ['-h', 'localhost', '-p', String(door.portOf('mqtts'))];
  const pub = (...args: string[]) => run([...minnow, 'pub', '-t', 'a', '-m', 'x', ...args]);

  test('messages of every size arrive whole and in order', async () => {
    const address = [...at(broker), ...trust];
    const given = ['-V', '5', '-q', '1', '-t', 'lines'];
    const format = ['-F', 'MSG %l'];
    const sub = new Background([
      ...minnow,
      'sub',
      '-d',
      ...address,
      ...given,
      ...format,
      '-C',
      '40',
    ]);
    await sub.line(/received SUBACK/);
    const lines = Array.from({ length: 40 }, (_, i) => 'x'.repeat(i * 2_000 + 1));
    await ok([...minnow, 'pub', ...address, ...given, '-l'], lines.join('\n'));
    assert.equal(await sub.finished(), 0);
    assert.deepEqual(
      messages(sub),
      lines.map(({ length }) => `${length}`),
    );
  });

  test('an address of mqtts:// will do', async () => {
    const url = `mqtts://127.0.0.1:${broker.portOf('mqtts')}/a`;
    await ok([...minnow, 'pub', ...trust, '-L', url, '-m', 'x']);
  });

  test('whom nobody that is trusted has signed is not spoken to', async () => {
    for (const whom of [['--cafile', stranger.certificate], ['--tls']]) {
      const { code, stderr } = await pub(...at(broker), ...whom, '--insecure');
      assert.equal(code, 1, stderr);
      assert.match(stderr, /^minnow: connection to localhost:\d+: .*(certificate|issuer)/);
    }
  });

  test('a certificate for another host is refused, but for --insecure', async () => {
    const { code, stderr } = await pub(...at(stray), ...trust);
    assert.equal(code, 1);
    assert.match(stderr, /^minnow: connection to localhost:\d+: .*elsewhere\.example/);
    await ok([...minnow, 'pub', ...at(stray), ...trust, '--insecure', '-t', 'a', '-n']);
  });

  test('a certificate of its own lets it in', async () => {
    await ok([...minnow, 'pub', ...at(strict), ...trust, ...own, '-t', 'a', '-n', '-q', '1']);
    assert.notEqual((await pub(...at(strict), ...trust, '-q', '1')).code, 0);
  });

  test('says what is wrong with what it was given', async () => {
    const cases: [args: string[], code: number, said: RegExp][] = [
      [['--cert', 'c', '--tls'], Exit.usage, /--cert and --key need each other/],
      [['--insecure'], Exit.usage, /--insecure needs --tls, --cafile or mqtts:\/\//],
      [['--cafile', 'none.pem'], Exit.noInput, /cannot read none\.pem: /],
      [['--cafile', meter.key], Exit.noInput, /meter.*: this is no certificate/],
    ];
    for (const [args, expected, said] of cases) {
      const { code, stderr } = await pub(...args);
      assert.match(stderr, said);
      assert.equal(code, expected, stderr);
    }
  });
});
