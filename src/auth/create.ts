// Which Authenticator and which Access a configuration asks for. What is not asked for is not
// loaded: a router that lets everybody in need not pay for the cryptography of the others.

import { availableParallelism } from 'node:os';
import type { AuthConfig } from '../config/config.ts';
import type { Access } from '../core/access.ts';
import type { Logger } from '../log.ts';
import { allowAll } from './allow-all.ts';
import { Chain } from './chain.ts';
import { AuthFault } from './fault.ts';
import type { StoredHash } from './passwords/stored-hash.ts';
import type { Admission, AuthStep } from './step.ts';

const now = () => performance.now();

/** The one that asks and waits is not on the core's thread where that is blocked. Rejects with an
 *  AuthFault when a file is not as it should be. */
export async function createAuthenticator(
  config: AuthConfig,
  log: Logger | null = null,
): Promise<Admission> {
  if (isOpen(config)) return allowAll;
  const trouble = (what: string) => (why: string) => log?.warn(what, { why });
  const hashes = await readHashes(config);
  const steps: AuthStep[] = [];
  for (const name of config.order) {
    const step = await makers[name](config, hashes, trouble);
    if (step !== null) steps.push(step);
  }
  if (config.scram) {
    const { ScramStep } = await import('./scram/scram-step.ts');
    steps.push(new ScramStep({ hashes, now }));
  }
  const { anonymous } = config;
  const onError = (error: unknown) => log?.error('authentication failed', { why: String(error) });
  return new Chain(steps, { anonymous, onError });
}

/** What an Access is made of, as plain data; null: there are neither rules nor superusers. */
export interface AccessSpec {
  readonly rules: AuthConfig['rules'];
  readonly superusers: readonly string[];
  /** The text of the ACL file, and where it stands. */
  readonly aclFile: { readonly name: string; readonly text: string } | null;
}

/** Reads and checks it; rejects with an AuthFault. */
export async function readAccess(config: AuthConfig): Promise<AccessSpec | null> {
  const { rules, aclFile, superusers } = config;
  // Rules also come with tokens and answers.
  const asked = rules.length > 0 || superusers.length > 0 || bringsRules(config);
  if (!asked && aclFile === '') return null;
  const file = aclFile === '' ? null : (await import('./files.ts')).readAclText(aclFile);
  return { rules, superusers, aclFile: file };
}

/** Makes the one that the core asks on its hot path. */
export type AccessMaker = (spec: AccessSpec | null) => Access;

/** Loads what a maker needs, which costs half a megabyte. */
export async function loadAccessMaker(): Promise<AccessMaker> {
  const { Acl } = await import('./rules/acl.ts');
  const { rulesOf } = await import('./rules/rule-spec.ts');
  const { parseAclFile } = await import('./rules/acl-file.ts');
  return spec => {
    if (spec === null) return allowAll;
    const { rules, superusers, aclFile } = spec;
    const own = rules.flatMap((rule, index) => rulesOf(rule, `auth.rules.${index}`));
    const filed = aclFile === null ? [] : parseAclFile(aclFile.text, aclFile.name).rules;
    return new Acl({ rules: [...own, ...filed], superusers });
  };
}

/** Both at once. */
export async function createAccess(config: AuthConfig): Promise<Access> {
  const spec = await readAccess(config);
  return spec === null ? allowAll : (await loadAccessMaker())(spec);
}

/** Whether everybody is let in without a question. */
export function isOpen(config: AuthConfig): boolean {
  const { anonymous, users, passwordFile, scram, rules, aclFile, superusers } = config;
  const proves = Object.keys(users).length > 0 || passwordFile !== '' || scram;
  // Where names decide about something, none is taken for granted.
  const decides = rules.length > 0 || aclFile !== '' || superusers.length > 0;
  return anonymous && !proves && !decides && !bringsRules(config);
}

function bringsRules({ jwtKeys, httpUrl }: AuthConfig): boolean {
  return jwtKeys !== '' || httpUrl !== '';
}

async function readHashes({ users, passwordFile }: AuthConfig) {
  const hashes = new Map<string, StoredHash>();
  if (passwordFile !== '') {
    const { readPasswordFile } = await import('./files.ts');
    for (const [name, hash] of readPasswordFile(passwordFile).users) hashes.set(name, hash);
  }
  if (Object.keys(users).length === 0) return hashes;
  const { parseHash } = await import('./passwords/stored-hash.ts');
  for (const [name, text] of Object.entries(users)) {
    const hash = parseHash(text);
    if (hash !== null && !hashes.has(name)) hashes.set(name, hash);
  }
  return hashes;
}

type Maker = (
  config: AuthConfig,
  hashes: ReadonlyMap<string, StoredHash>,
  trouble: (what: string) => (why: string) => void,
) => Promise<AuthStep | null>;

/** Each gives null when it is not set up. */
const makers: Readonly<Record<AuthConfig['order'][number], Maker>> = {
  async password({ users, passwordFile, passwordCacheMs }, hashes) {
    if (Object.keys(users).length === 0 && passwordFile === '') return null;
    const { PasswordStep } = await import('./passwords/password-step.ts');
    const runningMax = Math.max(1, Math.min(4, availableParallelism() - 1));
    const bounds = { runningMax, waitingMax: 1_024, waitingPerNetworkMax: 256 };
    return new PasswordStep({ users, hashes, cacheMs: passwordCacheMs, bounds, now });
  },
  async jwt(config, _hashes, trouble) {
    const { jwtKeys } = config;
    if (jwtKeys === '') return null;
    const { JwtStep, localKeys, remoteKeys } = await import('./jwt-step.ts');
    const remote = /^https?:/.test(jwtKeys);
    const keys = remote ? remoteKeys(jwtKeys) : await readKeys(jwtKeys, localKeys);
    return new JwtStep(keys, {
      algorithms: config.jwtAlgorithms,
      issuer: config.jwtIssuer,
      audience: config.jwtAudience,
      userClaim: config.jwtUserClaim,
      rulesClaim: config.jwtRulesClaim,
      onTrouble: trouble('the keys for tokens cannot be had'),
    });
  },
  async http(config, _hashes, trouble) {
    if (config.httpUrl === '') return null;
    const { HttpStep } = await import('./http-step.ts');
    return new HttpStep({
      url: config.httpUrl,
      headers: config.httpHeaders,
      timeoutMs: config.httpTimeoutMs,
      cacheMs: config.httpCacheMs,
      requestsMax: config.httpRequestsMax,
      now,
      onTrouble: trouble('the authentication service gives no answer'),
    });
  },
};

async function readKeys<Keys>(path: string, read: (bytes: Uint8Array) => Keys): Promise<Keys> {
  const { readAuthFile } = await import('./files.ts');
  const bytes = readAuthFile('auth.jwtKeys', path);
  try {
    return read(bytes);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new AuthFault([`${path}: ${why} (auth.jwtKeys)`]);
  }
}
