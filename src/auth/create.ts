// Which Authenticator and which Access a configuration asks for.

import type { AuthConfig } from '../config/config.ts';
import type { Access, Authenticator } from '../core/access.ts';
import { allowAll } from './allow-all.ts';
import { StaticAccess, StaticAuthenticator } from './static.ts';

export interface Auth {
  readonly authenticator: Authenticator;
  readonly access: Access;
}

export function createAuth(config: AuthConfig): Auth {
  const open = config.anonymous && Object.keys(config.users).length === 0;
  return {
    authenticator: open && config.rules.length === 0 ? allowAll : new StaticAuthenticator(config),
    access: config.rules.length === 0 ? allowAll : new StaticAccess(config),
  };
}
