// Asks a service over HTTP who a client is. Bounded in time, in the size of answers and in
// questions under way; answers are remembered for a short while. Whatever is no clear answer
// refuses the client.

import { createHmac, randomBytes } from 'node:crypto';
import type { Credentials } from '../core/access.ts';
import { addressOf } from '../core/limits/address.ts';
import { BoundedMap } from './bounded-map.ts';
import { rulesFromOutside } from './rules/rule-spec.ts';
import { standingOf } from './standing.ts';
import { ALLOWED, type AuthStep, BUSY, NOT_AUTHORIZED, UNAVAILABLE, type Verdict } from './step.ts';

export interface HttpOptions {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly cacheMs: number;
  readonly requestsMax: number;
  readonly now: () => number;
  /** Told why there is no answer. */
  readonly onTrouble: (why: string) => void;
}

const ANSWER_BYTES_MAX = 64 * 1024;
const CACHE_MAX = 10_000;

export class HttpStep implements AuthStep {
  private readonly options: HttpOptions;
  private readonly key = randomBytes(32);
  private readonly answers: BoundedMap<Verdict>;
  /** The same question, asked several times at once, is sent once. */
  private readonly asked = new Map<string, Promise<Verdict>>();

  constructor(options: HttpOptions) {
    this.options = options;
    this.answers = new BoundedMap(CACHE_MAX, options.now);
  }

  standing(): string {
    return standingOf('http', this.options.url);
  }

  authenticate(credentials: Credentials): Verdict | Promise<Verdict> {
    if (credentials.authMethod !== null) return null;
    const question = JSON.stringify(questionOf(credentials));
    // Kept by a digest: no password lies around in clear.
    const digest = createHmac('sha256', this.key).update(question).digest('base64');
    const known = this.answers.get(digest);
    if (known !== undefined) return known;
    const underWay = this.asked.get(digest);
    if (underWay !== undefined) return underWay;
    if (this.asked.size >= this.options.requestsMax) return BUSY;
    const answer = this.ask(question, digest).finally(() => this.asked.delete(digest));
    this.asked.set(digest, answer);
    return answer;
  }

  private async ask(question: string, digest: string): Promise<Verdict> {
    const { url, headers, timeoutMs, cacheMs, onTrouble } = this.options;
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body: question,
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs),
      });
      const verdict = verdictOf(response.status, await textOf(response));
      // What holds for a time of its own is asked each time: that time must not begin anew.
      const lasting = verdict === null || verdict.expiresInMs === undefined;
      if (cacheMs > 0 && lasting) this.answers.set(digest, verdict, cacheMs);
      return verdict;
    } catch (error) {
      onTrouble(error instanceof Error ? error.message : String(error));
      return UNAVAILABLE;
    }
  }
}

function questionOf({ clientId, username, password, peer, origin }: Credentials): object {
  const certificate = origin?.certificate ?? null;
  return {
    clientId,
    username,
    ...passwordFields(password),
    // Not the port, which differs each time.
    peer: addressOf(peer),
    listener: origin?.listener ?? null,
    certificate: certificate === null ? null : { ...certificate, notAfter: undefined },
  };
}

/** As text where it is text. */
function passwordFields(password: Uint8Array | null): object {
  if (password === null) return { password: null };
  const bytes = Buffer.from(password);
  const text = bytes.toString('utf8');
  if (Buffer.from(text, 'utf8').equals(bytes)) return { password: text };
  return { password: null, passwordBase64: bytes.toString('base64') };
}

/** The body, or an error when it is longer than any sensible answer. */
async function textOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > ANSWER_BYTES_MAX) throw new Error('the answer is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Throws when the answer is none. */
function verdictOf(status: number, body: string): Verdict {
  if (status === 401 || status === 403) return NOT_AUTHORIZED;
  if (status !== 200) throw new Error(`the service answered with status ${status}`);
  const { result, username, acl, expiresInSeconds } = JSON.parse(body) ?? {};
  if (result === 'deny') return NOT_AUTHORIZED;
  if (result === 'next') return null;
  const named = username === undefined || username === null || typeof username === 'string';
  const timed = expiresInSeconds === undefined || Number.isFinite(expiresInSeconds);
  const ruled = acl === undefined || rulesFromOutside(acl, 'acl') !== null;
  if (result !== 'allow' || !named || !timed || !ruled) {
    throw new Error('the answer of the service makes no sense');
  }
  return {
    ...ALLOWED,
    ...(username !== undefined && { username }),
    ...(acl !== undefined && { grants: { rules: acl } }),
    ...(expiresInSeconds !== undefined && { expiresInMs: Math.max(0, expiresInSeconds * 1_000) }),
  };
}
