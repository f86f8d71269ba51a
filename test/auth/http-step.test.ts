// A service that is asked: what it is told, what its answers mean, and that nothing but a clear
// answer lets anybody in.

import assert from 'node:assert/strict';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type HttpOptions, HttpStep } from '../../src/auth/http-step.ts';
import { BUSY, NOT_AUTHORIZED, UNAVAILABLE } from '../../src/auth/step.ts';
import { Reason } from '../../src/mqtt/reason.ts';
import { afterAll, beforeAll, beforeEach, describe, test } from '../harness.ts';
import { offer } from './offer.ts';
import { originWith } from './rules/decisions.ts';

interface Question {
  readonly headers: IncomingHttpHeaders;
  readonly body: Record<string, unknown>;
  answer(status: number, body: string): void;
}

let server: Server;
let url = '';
const questions: Question[] = [];
let reply: (question: Question) => void = () => {};
let now = 0;
const told: string[] = [];

beforeAll(async () => {
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const question: Question = {
      headers: request.headers,
      body: JSON.parse(Buffer.concat(chunks).toString()),
      answer: (status, body) => response.writeHead(status, { location: '/else' }).end(body),
    };
    questions.push(question);
    reply(question);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/login`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  questions.length = 0;
  told.length = 0;
});

const answering = (body: unknown, status = 200) => {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  reply = question => question.answer(status, text);
};

function step(options: Partial<HttpOptions> = {}): HttpStep {
  const bounds = { timeoutMs: 5_000, cacheMs: 1_000, requestsMax: 8 };
  const onTrouble = (why: string) => told.push(why);
  return new HttpStep({ url, headers: {}, ...bounds, now: () => now, onTrouble, ...options });
}

describe('the question', () => {
  test('says who asks to come in, from where and with what', async () => {
    answering({ result: 'allow' });
    const certificate = { commonName: 'c', names: ['dns:d'], fingerprint: 'f0', notAfter: 1 };
    const origin = originWith({ certificate });
    const http = step({ headers: { Authorization: 'Bearer x' } });
    await http.authenticate({ ...offer('alice', 'pässword'), origin });
    const [{ headers, body }] = questions;
    assert.equal(headers.authorization, 'Bearer x');
    assert.equal(headers['content-type'], 'application/json');
    assert.deepEqual(body, {
      clientId: 'c',
      username: 'alice',
      password: 'pässword',
      peer: '192.0.2.1',
      listener: 'lan',
      certificate: { commonName: 'c', names: ['dns:d'], fingerprint: 'f0' },
    });
  });

  test('says a password that is no text in base64', async () => {
    answering({ result: 'allow' });
    await step().authenticate(offer('alice', new Uint8Array([0xff, 0])));
    assert.equal(questions[0].body.password, null);
    assert.equal(questions[0].body.passwordBase64, '/wA=');
  });

  test('is not asked for enhanced authentication', () => {
    const enhanced = { ...offer('alice', null), authMethod: 'SCRAM-SHA-256' };
    assert.equal(step().authenticate(enhanced), null);
  });
});

describe('the answer', () => {
  test('allow, with a name, rules and a time', async () => {
    answering({ result: 'allow' });
    assert.deepEqual(await step().authenticate(offer('a', 'b')), { reason: Reason.Success });
    const acl = [{ allow: 'publish', filter: 'x' }];
    answering({ result: 'allow', username: 'other', acl, expiresInSeconds: 5 });
    assert.deepEqual(await step().authenticate(offer('a', 'b')), {
      reason: Reason.Success,
      username: 'other',
      grants: { rules: acl },
      expiresInMs: 5_000,
    });
  });

  test('deny and next', async () => {
    answering({ result: 'deny' });
    assert.equal(await step().authenticate(offer('a', 'b')), NOT_AUTHORIZED);
    answering({ result: 'next' });
    assert.equal(await step().authenticate(offer('a', 'b')), null);
    for (const status of [401, 403]) {
      answering('', status);
      assert.equal(await step().authenticate(offer('a', 'b')), NOT_AUTHORIZED);
    }
    assert.deepEqual(told, []);
  });

  const unclear: [body: unknown, status?: number][] = [
    [{ result: 'allow' }, 500],
    [{ result: 'allow' }, 204],
    [{ result: 'allow' }, 307],
    [{ result: 'yes' }],
    [{}],
    ['null'],
    ['"allow"'],
    ['allow'],
    [''],
    [{ result: 'allow', username: 7 }],
    [{ result: 'allow', acl: [{ allow: 'both', filter: 'x' }] }],
    [{ result: 'allow', expiresInSeconds: 'soon' }],
    [{ result: 'allow', padding: 'x'.repeat(70_000) }],
  ];
  for (const [body, status = 200] of unclear) {
    const title = JSON.stringify(body).slice(0, 60);
    test(`${status} ${title} lets nobody in, and is told about`, async () => {
      answering(body, status === 204 ? 204 : status);
      assert.equal(await step().authenticate(offer('a', 'b')), UNAVAILABLE);
      assert.equal(told.length, 1);
      assert.equal(questions.length, 1);
    });
  }

  test('that does not come in time, or from nowhere, lets nobody in', async () => {
    reply = () => {};
    assert.equal(await step({ timeoutMs: 50 }).authenticate(offer('a', 'b')), UNAVAILABLE);
    const gone = createServer();
    await new Promise<void>(resolve => gone.listen(0, '127.0.0.1', resolve));
    const nowhere = `http://127.0.0.1:${(gone.address() as AddressInfo).port}/`;
    await new Promise(resolve => gone.close(resolve));
    assert.equal(await step({ url: nowhere }).authenticate(offer('a', 'b')), UNAVAILABLE);
    assert.equal(told.length, 2);
  });

  test('is remembered for a while, for the same client and password only', async () => {
    answering({ result: 'allow' });
    const http = step();
    await http.authenticate(offer('a', 'b'));
    assert.equal(http.authenticate(offer('a', 'b')) instanceof Promise, false);
    await http.authenticate({ ...offer('a', 'b'), clientId: 'd' });
    await http.authenticate(offer('a', 'c'));
    assert.equal(questions.length, 3);
    now += 1_000;
    await http.authenticate(offer('a', 'b'));
    assert.equal(questions.length, 4);
  });

  test('is not remembered when it failed, or holds for a time of its own', async () => {
    const http = step();
    answering('', 500);
    await http.authenticate(offer('a', 'b'));
    answering({ result: 'allow', expiresInSeconds: 100 });
    await http.authenticate(offer('a', 'b'));
    await http.authenticate(offer('a', 'b'));
    assert.equal(questions.length, 3);
  });
});

describe('many at once', () => {
  test('the same question is sent once, and no more than the bound are under way', async () => {
    const waiting: Question[] = [];
    let arrived = () => {};
    const both = new Promise<void>(resolve => {
      arrived = resolve;
    });
    reply = question => {
      if (waiting.push(question) === 2) arrived();
    };
    const http = step({ requestsMax: 2 });
    const same = [http.authenticate(offer('a', 'x')), http.authenticate(offer('a', 'x'))];
    const second = http.authenticate(offer('b', 'x'));
    assert.equal(http.authenticate(offer('c', 'x')), BUSY);
    await both;
    for (const question of waiting) question.answer(200, '{"result":"allow"}');
    for (const verdict of await Promise.all([...same, second])) assert.equal(verdict?.reason, 0);
    assert.equal(questions.length, 2);
  });
});
