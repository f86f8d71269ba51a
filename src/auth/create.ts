// Which Authenticator and which Access a configuration asks for. What is not asked for is not
// loaded: a router that lets everybody in need not pay for the cryptography of the others.

import type { AuthConfig } from '../config/config.ts';
import type { Access, Authenticator } from '../core/access.ts';
import { allowAll } from './allow-all.ts';

export interface Auth {
  readonly authenticator: Authenticator;
  readonly access: Access;
}

export async function createAuth(config: AuthConfig): Promise<Auth> {
  const ruled = config.rules.length > 0;
  const open = config.anonymous && Object.keys(config.users).length === 0 && !ruled;
  if (open) return { authenticator: allowAll, access: allowAll };
  const { StaticAccess, StaticAuthenticator } = await import('./static.ts');
  return {
    authenticator: new StaticAuthenticator(config),
    access: ruled ? new StaticAccess(config) : allowAll,
  };
}
