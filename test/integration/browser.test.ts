// A page in a browser: MQTT.js in headless Chromium, through WSS, in both I/O modes; and a page of
// another site, which does not get in.

import assert from 'node:assert/strict';
import { createHash, createPublicKey } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, skipped, test } from '../harness.ts';
import { Authority } from '../io/doors/authority.ts';
import { modes, useDoors } from './door-kit.ts';
import { Background, program } from './process.ts';

const chromium = program('chromium');

const library = join(dirname(createRequire(import.meta.url).resolve('mqtt/package.json')), 'dist');

/** What the page does, for each version; what comes of it is reported to whoever served it. */
const page = `<!doctype html><meta charset="utf-8"><script src="/mqtt.js"></script><script>
const query = new URLSearchParams(location.search);
const report = what => fetch('/report', { method: 'POST', body: JSON.stringify(what) });
async function visit(protocolVersion) {
  const options = { protocolVersion, reconnectPeriod: 0, connectTimeout: 60000 };
  const client = mqtt.connect(query.get('broker'), options);
  await new Promise((resolve, reject) => {
    client.on('connect', resolve);
    for (const end of ['error', 'close']) client.on(end, () => reject(new Error(end)));
  });
  const heard = new Promise(resolve => {
    client.on('message', (topic, payload) => resolve([topic, payload.length, payload.at(-1)]));
  });
  await client.subscribeAsync('pages/+', { qos: 2 });
  await client.publishAsync('pages/' + protocolVersion, new Uint8Array(200000).fill(7), { qos: 2 });
  const message = await heard;
  await client.endAsync();
  return message;
}
(async () => [await visit(5), await visit(4)])().then(
  messages => report({ messages, agent: navigator.userAgent }),
  error => report({ error: String(error) }),
);
</script>`;

interface Report {
  readonly messages?: readonly unknown[];
  readonly agent?: string;
  readonly error?: string;
}

/** Serves the page, and waits for what it reports. */
class Site {
  readonly #reports: ((report: Report) => void)[] = [];
  readonly #server: Server = createServer((request, response) => {
    if (request.url === '/mqtt.js') {
      response.setHeader('content-type', 'text/javascript');
      response.end(readFileSync(join(library, 'mqtt.min.js')));
    } else if (request.url === '/report') {
      let text = '';
      request.on('data', chunk => {
        text += chunk;
      });
      request.on('end', () => {
        response.end();
        this.#reports.shift()?.(JSON.parse(text) as Report);
      });
    } else {
      response.setHeader('content-type', 'text/html');
      response.end(page);
    }
  });

  async open(): Promise<void> {
    await new Promise<void>(resolve => this.#server.listen(0, '127.0.0.1', resolve));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  report(): Promise<Report> {
    return new Promise(resolve => this.#reports.push(resolve));
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

function describeMode(mode: string, browser: string): void {
  const authority = new Authority();
  const pair = authority.issue('localhost', { names: 'DNS:localhost' });
  const broker = useDoors(mode, [
    { protocol: 'websocket', tls: pair, websocket: { path: '/mqtt' } },
  ]);
  const profile = mkdtempSync(join(tmpdir(), 'minnow-browser-'));
  const site = new Site();
  beforeAll(() => site.open());
  afterAll(() => {
    site.close();
    rmSync(profile, { recursive: true, force: true });
    authority.remove();
  });

  /** Opens the page by that name of its server; resolves with what it reports. */
  async function visit(host: string): Promise<Report> {
    // It trusts the one key, as if somebody had installed our authority.
    const spki = createPublicKey(readFileSync(pair.certificate)).export({
      type: 'spki',
      format: 'der',
    });
    const trust = createHash('sha256').update(spki).digest('base64');
    const flags = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'];
    const own = [`--user-data-dir=${profile}`, `--ignore-certificate-errors-spki-list=${trust}`];
    const target = encodeURIComponent(`wss://localhost:${broker.portOf('wss')}/mqtt`);
    const url = `http://${host}:${site.port}/?broker=${target}`;
    const reported = site.report();
    const process = new Background([browser, ...flags, ...own, url]);
    try {
      const ended = process.exited.then(code => ({ error: `the browser has ended: ${code}` }));
      return await Promise.race([reported, ended]);
    } finally {
      await process.end();
    }
  }

  test('a page of the same host exchanges QoS 2 by MQTT 5 and 3.1.1', async () => {
    const { messages, agent, error } = await visit('localhost');
    assert.equal(error, undefined);
    assert.match(agent ?? '', /Chrome/);
    assert.deepEqual(messages, [
      ['pages/5', 200_000, 7],
      ['pages/4', 200_000, 7],
    ]);
  });

  test('a page of another site does not get in', async () => {
    assert.deepEqual(await visit('127.0.0.1'), { error: 'Error: close' });
    await broker.process.line(/"reason":"origin not allowed.*"origin":"http:\/\/127\.0\.0\.1/);
  });
}

for (const mode of modes) {
  describe(`a browser in the mode ${mode}`, () => {
    if (chromium === null) skipped('Chromium', 'chromium is not installed');
    else describeMode(mode, chromium);
  });
}
