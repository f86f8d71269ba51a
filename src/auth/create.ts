// Which Authenticator and which Access a configuration asks for. What is not asked for is not
// loaded: a router that lets everybody in need not pay for the cryptography of the others.

import type { AuthConfig } from '../config/config.ts';
import type { Access, Authenticator } from '../core/access.ts';
import { allowAll } from './allow-all.ts';

/** The one that asks and waits is not on the core's thread where that is blocked. */
export async function createAuthenticator(config: AuthConfig): Promise<Authenticator> {
  if (isOpen(config)) return allowAll;
  return new (await import('./static.ts')).StaticAuthenticator(config);
}

/** The one that the core asks on its hot path. */
export async function createAccess(config: AuthConfig): Promise<Access> {
  if (config.rules.length === 0) return allowAll;
  return new (await import('./static.ts')).StaticAccess(config);
}

/** Whether everybody is let in without a question. */
export function isOpen({ anonymous, users, rules }: AuthConfig): boolean {
  return anonymous && Object.keys(users).length === 0 && rules.length === 0;
}
