// HAProxy itself in front: it says who its clients are by the PROXY protocol, version 1, and
// version 2 with the name in the certificate that a client has shown to it; in both I/O modes.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import mqtt, { type IClientOptions } from 'mqtt';
import { afterAll, beforeAll, describe, skipped, test } from '../harness.ts';
import { Authority, type Pair } from '../io/doors/authority.ts';
import { modes, useDoors } from './door-kit.ts';
import { Background, freePort, program } from './process.ts';

const haproxy = program('haproxy');

function describeMode(mode: string, command: string): void {
  const authority = new Authority();
  const own = authority.issue('localhost', { names: 'DNS:localhost' });
  const meter = authority.issue('meter-7');
  const broker = useDoors(mode, [{ proxyProtocol: { from: ['127.0.0.1'] }, identity: 'cn' }]);
  const ports = { plain: 0, secure: 0 };
  let proxy: Background | null = null;

  const tls = `crt ${authority.at('both.pem')} ca-file ${authority.certificate} verify optional`;
  const settings = () => `
global
  maxconn 100
defaults
  mode tcp
  timeout connect 10s
  timeout client 10s
  timeout server 10s
listen first
  bind 127.0.0.1:${ports.plain}
  server minnow 127.0.0.1:${broker.portOf('mqtt')} send-proxy
listen second
  bind 127.0.0.1:${ports.secure} ssl ${tls}
  server minnow 127.0.0.1:${broker.portOf('mqtt')} send-proxy-v2-ssl-cn
`;

  beforeAll(async () => {
    writeFileSync(
      authority.at('both.pem'),
      readFileSync(own.certificate, 'utf8') + readFileSync(own.key, 'utf8'),
    );
    // It cannot choose ports itself; somebody else may take those we found in between.
    for (let attempt = 1; ; attempt++) {
      ports.plain = await freePort();
      ports.secure = await freePort();
      writeFileSync(authority.at('haproxy.cfg'), settings());
      proxy = new Background([command, '-W', '-db', '-f', authority.at('haproxy.cfg')]);
      try {
        await proxy.line(/Loading success/);
        return;
      } catch (error) {
        await proxy.end('SIGKILL');
        if (attempt === 5) throw error;
      }
    }
  });
  afterAll(async () => {
    await proxy?.end();
    authority.remove();
  });

  /** Publishes through the proxy; the address by which the proxy saw us, and our name, as they are
   *  in the broker's log. */
  async function visit(url: string, clientId: string, options: IClientOptions = {}) {
    const client = await mqtt.connectAsync(url, { clientId, reconnectPeriod: 0, ...options });
    const { localPort } = client.stream as unknown as { localPort: number };
    await client.publishAsync('a', 'b', { qos: 1 });
    await client.endAsync();
    const line = await broker.process.line(new RegExp(`"clientId":"${clientId}".*"msg":"connect"`));
    const { peer, username } = JSON.parse(line) as { peer: string; username: string | null };
    assert.equal(peer, `127.0.0.1:${localPort}`);
    return username;
  }

  const files = (pair: Pair) => ({
    cert: readFileSync(pair.certificate),
    key: readFileSync(pair.key),
  });

  test('version 1 tells where a client is', async () => {
    assert.equal(await visit(`mqtt://127.0.0.1:${ports.plain}`, 'first'), null);
  });

  test('version 2 tells also who it has proved to be, if it has', async () => {
    const url = `mqtts://localhost:${ports.secure}`;
    const ca = readFileSync(authority.certificate);
    assert.equal(await visit(url, 'second', { ca, ...files(meter) }), 'meter-7');
    assert.equal(await visit(url, 'nameless', { ca }), null);
  });
}

for (const mode of modes) {
  describe(`HAProxy in front, in the mode ${mode}`, () => {
    if (haproxy === null) skipped('HAProxy', 'haproxy is not installed');
    else describeMode(mode, haproxy);
  });
}
