// What a client offers at CONNECT, with a name and a password.

import type { Credentials } from '../../src/core/access.ts';

export function offer(username: string | null, password: string | Uint8Array | null): Credentials {
  return {
    clientId: 'c',
    peer: '192.0.2.1:5',
    username,
    password: typeof password === 'string' ? Buffer.from(password) : password,
    authMethod: null,
    authData: null,
  };
}
