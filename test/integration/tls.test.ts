// TLS with the clients that people have: mosquitto's and openssl's, in both I/O modes.

import assert from 'node:assert/strict';
import type { EventEmitter } from 'node:events';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import mqtt, { type MqttClient } from 'mqtt';
import { Reason } from '../../src/mqtt/reason.ts';
import { afterAll, describe, skipped, test } from '../harness.ts';
import { Authority, type Pair } from '../io/doors/authority.ts';
import { modes, useDoors } from './door-kit.ts';
import { Background, messages, minnow, mosquittoClientsMissing, ok, run } from './process.ts';

const authority = new Authority();
const stranger = new Authority('somebody else');
afterAll(() => {
  authority.remove();
  stranger.remove();
});

const server = authority.issue('localhost', { names: 'DNS:localhost,IP:127.0.0.1' });
const other = authority.issue('other.example');
const meter = authority.issue('meter-7');
const revoked = authority.issue('revoked');
authority.revoke(revoked);
const crl = authority.revocations();

/** CONNECT and DISCONNECT of MQTT 3.1.1. */
const visit = Buffer.from('100c00044d5154540402003c0000e000', 'hex');

const missing = mosquittoClientsMissing();

test('minnow check-config reads certificates and keys, and serve refuses the wrong ones', async () => {
  const given = (pair: Pair) => ['--set', `listeners=${JSON.stringify([{ port: 0, tls: pair }])}`];
  await ok([...minnow, 'check-config', ...given(server)]);
  const mixed = { certificate: server.certificate, key: meter.key };
  const expected = `minnow: ${meter.key}: this is not the key of ${server.certificate}\n`;
  const checked = await run([...minnow, 'check-config', ...given(mixed)]);
  assert.deepEqual([checked.code, checked.stderr], [78, expected]);
  const data = ['--data', authority.at('data')];
  const served = await run([...minnow, 'serve', ...data, ...given(mixed)]);
  assert.deepEqual([served.code, served.stderr], [78, expected]);
});

for (const mode of modes) {
  describe(`TLS in the mode ${mode}`, () => {
    // A copy of their own, which is exchanged while the broker runs.
    const moving: Pair = {
      certificate: authority.at(`${mode}.pem`),
      key: authority.at(`${mode}.key`),
    };
    copyFileSync(server.certificate, moving.certificate);
    copyFileSync(server.key, moving.key);
    const broker = useDoors(mode, [{ tls: { ...moving, alternatives: [other] } }]);
    const address = () => ['-h', 'localhost', '-p', String(broker.portOf('mqtts'))];
    const trust = ['--cafile', authority.certificate];

    const sClient = async (args: readonly string[], stdin: string | Buffer = '') => {
      const to = ['-connect', `127.0.0.1:${broker.portOf('mqtts')}`, '-CAfile', trust[1]!];
      const { stdout, stderr } = await run(['openssl', 's_client', ...to, ...args], stdin);
      return stdout.toString('latin1') + stderr;
    };

    if (missing !== null) {
      skipped('mosquitto_sub and mosquitto_pub', missing);
    } else {
      test('mosquitto_sub and mosquitto_pub exchange QoS 2 across a new certificate', async () => {
        const command = ['stdbuf', '-oL', 'mosquitto_sub', '-d', ...address(), ...trust];
        const sub = new Background([...command, '-q', '2', '-t', 'a', '-F', 'MSG %t %p']);
        await sub.line(/received SUBACK/);
        const pub = (text: string) =>
          ok(['mosquitto_pub', ...address(), ...trust, '-q', '2', '-t', 'a', '-m', text]);
        await pub('before');
        const renewed = authority.issue(`renewed-${mode}`, { names: 'DNS:localhost' });
        copyFileSync(renewed.certificate, moving.certificate);
        copyFileSync(renewed.key, moving.key);
        await ok([...minnow, 'reload', '--data', broker.data]);
        assert.match(await sClient([]), new RegExp(`subject=CN = renewed-${mode}`));
        await pub('after');
        await sub.until(() => messages(sub).length === 2, 'both messages');
        assert.deepEqual(messages(sub), ['a before', 'a after']);
      });

      test('mosquitto_pub does not trust a stranger', async () => {
        const wrong = ['--cafile', stranger.certificate];
        const { code } = await run(['mosquitto_pub', ...address(), ...wrong, '-t', 'a', '-n']);
        assert.notEqual(code, 0);
      });
    }

    test('a wrong file at a reload leaves what is there', async () => {
      copyFileSync(meter.key, moving.key);
      const { code, stderr } = await run([...minnow, 'reload', '--data', broker.data]);
      assert.notEqual(code, 0);
      assert.match(stderr, /this is not the key of/);
      assert.match(await sClient([]), /Verify return code: 0/);
      copyFileSync(server.key, moving.key);
      copyFileSync(server.certificate, moving.certificate);
    });

    test('openssl s_client gets the certificate of the name it asks for', async () => {
      const subject = async (name: string) =>
        /subject=CN = (\S+)/.exec(await sClient(['-servername', name]))?.[1];
      assert.equal(await subject('other.example'), 'other.example');
      assert.notEqual(await subject('localhost'), 'other.example');
    });

    test('openssl s_client speaks MQTT through 1.2 and 1.3, and nothing through 1.1', async () => {
      for (const version of ['-tls1_2', '-tls1_3']) {
        const said = await sClient([version, '-quiet', '-alpn', 'mqtt'], visit);
        assert.ok(said.includes('\x20\x02\x00\x00'), JSON.stringify(said));
      }
      const old = await sClient(['-tls1_1', '-cipher', 'DEFAULT@SECLEVEL=0']);
      assert.match(old, /alert protocol version|no protocols available/);
      assert.match(await sClient(['-alpn', 'h2']), /no application protocol/);
    });

    test('openssl s_client resumes its session', async () => {
      const file = authority.at(`${mode}.session`);
      await sClient(['-tls1_2', '-quiet', '-sess_out', file], visit);
      assert.match(await sClient(['-tls1_2', '-sess_in', file]), /^Reused, TLSv1\.2/m);
    });
  });
}

/** What comes with the next event of that name. */
function once(client: MqttClient, event: string): Promise<unknown[]> {
  const emitter = client as unknown as EventEmitter;
  return new Promise(resolve => emitter.once(event, (...values) => resolve(values)));
}

/** An MQTT 5 client that is in by its certificate. */
async function enter(port: number, pair: Pair, clientId: string): Promise<MqttClient> {
  const [ca, cert, key] = [authority.certificate, pair.certificate, pair.key].map(file =>
    readFileSync(file),
  );
  const client = mqtt.connect(`mqtts://localhost:${port}`, {
    ...{ ca, cert, key, clientId, protocolVersion: 5, reconnectPeriod: 0 },
  });
  client.on('error', () => {}); // what follows tells
  await once(client, 'connect');
  return client;
}

for (const mode of modes) {
  describe(`authorities in the mode ${mode}`, () => {
    const ca = authority.at(`${mode}-authorities.pem`);
    const trust = (...authorities: Authority[]) =>
      writeFileSync(ca, authorities.map(each => readFileSync(each.certificate)).join(''));
    trust(authority, stranger);
    const broker = useDoors(mode, [
      { identity: 'cn', tls: { ...server, clientCertificate: 'required', ca } },
    ]);

    test('one that is taken away takes its clients with it, and nobody else', async () => {
      const port = broker.portOf('mqtts');
      const goes = await enter(port, meter, 'goes');
      const stays = await enter(port, stranger.issue(`stays-${mode}`), 'stays');
      const heard: string[] = [];
      stays.on('message', (_topic, payload) => heard.push(String(payload)));
      await stays.subscribeAsync('a', { qos: 1 });
      await stays.publishAsync('a', 'before', { qos: 1 });
      trust(stranger);
      const [told, gone] = [once(goes, 'disconnect'), once(goes, 'close')];
      const across = stays.publishAsync('a', 'across', { qos: 1 });
      await ok([...minnow, 'reload', '--data', broker.data]);
      const [packet] = (await told) as [{ reasonCode: number }];
      assert.equal(packet.reasonCode, Reason.NotAuthorized);
      await gone;
      await across;
      await stays.publishAsync('a', 'after', { qos: 1 });
      assert.deepEqual(heard, ['before', 'across', 'after']);
      await stays.endAsync();
    });
  });

  describe(`client certificates in the mode ${mode}`, () => {
    const broker = useDoors(mode, [
      {
        identity: 'cn',
        tls: { ...server, clientCertificate: 'required', ca: authority.certificate, crl },
      },
    ]);
    const publish = (pair: Pair | null, text: string) => {
      const address = ['-h', 'localhost', '-p', String(broker.portOf('mqtts'))];
      const proof = pair === null ? [] : ['--cert', pair.certificate, '--key', pair.key];
      const trust = ['--cafile', authority.certificate];
      const what = ['-i', text, '-q', '1', '-t', 'a', '-m', text];
      return run(['mosquitto_pub', ...address, ...trust, ...proof, ...what]);
    };

    test('that are revoked while their clients are in: they are told so, nobody else', async () => {
      const leaver = authority.issue(`leaver-${mode}`);
      const port = broker.portOf('mqtts');
      const [goes, stays] = [
        await enter(port, leaver, 'leaver'),
        await enter(port, meter, 'stays'),
      ];
      authority.revoke(leaver);
      authority.revocations();
      const [told, gone] = [once(goes, 'disconnect'), once(goes, 'close')];
      await ok([...minnow, 'reload', '--data', broker.data]);
      const [packet] = (await told) as [{ reasonCode: number }];
      assert.equal(packet.reasonCode, Reason.NotAuthorized);
      await gone;
      await stays.publishAsync('a', 'still here', { qos: 1 });
      await stays.endAsync();
    });

    if (missing !== null) {
      skipped('mosquitto_pub', missing);
      return;
    }

    test('are user names', async () => {
      assert.equal((await publish(meter, 'mine')).code, 0);
      const line = await broker.process.line(/"clientId":"mine".*"msg":"connect"/);
      assert.equal((JSON.parse(line) as { username: string }).username, 'meter-7');
    });

    test('keep out who has none, one of a stranger, one that was revoked', async () => {
      const cases = [
        [null, 'no client certificate'],
        [stranger.issue('meter-7'), 'wrong client certificate'],
        [revoked, 'CERT_REVOKED'],
        [authority.issue('past', { to: '20210101000000Z' }), 'CERT_HAS_EXPIRED'],
      ] as const;
      for (const [index, [pair, why]] of cases.entries()) {
        assert.notEqual((await publish(pair, `refused-${index}`)).code, 0);
        await broker.process.until(
          () => broker.process.lines.some(line => line.includes(why)),
          why,
        );
      }
      assert.ok(!broker.process.lines.some(line => line.includes('refused-')));
    });
  });
}
