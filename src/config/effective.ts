// The effective configuration as TOML that could be read back, except that secrets are masked.

import { stringify } from 'smol-toml';
import { formatAddress } from './address.ts';
import type { Settings } from './schema.ts';

const MASK = '********';

export function effectiveToml(settings: Settings): string {
  const users = Object.keys(settings.auth.users).map(name => [name, MASK]);
  return stringify({
    ...settings,
    listeners: settings.listeners.map(({ host, port }) => formatAddress(host, port)),
    auth: { ...settings.auth, users: Object.fromEntries(users) },
  });
}
