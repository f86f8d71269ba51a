// The effective configuration as TOML that could be read back, except that secrets are masked. What
// is not a default says who decided it, in a comment behind the value.

import { stringify } from 'smol-toml';
import { formatAddress } from './address.ts';
import type { Settings } from './schema.ts';
import { ruleFields } from './sections/auth.ts';
import { isPlain, portOf } from './sections/doors.ts';
import { listenerFields } from './sections/listeners.ts';
import { writeTable } from './table.ts';

const MASK = '********';

export function effectiveToml(
  settings: Settings,
  sourceOf: (path: string) => string | null = () => null,
): string {
  const { auth } = settings;
  const rules = auth.rules.map(rule => writeTable(ruleFields, rule));
  const text = stringify({
    ...settings,
    listeners: listenersToml(settings.listeners),
    auth: { ...auth, users: masked(auth.users), httpHeaders: masked(auth.httpHeaders), rules },
  });
  return withSources(text, sourceOf);
}

function masked(secrets: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.keys(secrets).map(name => [name, MASK]));
}

/** Addresses where they say it all. */
function listenersToml(listeners: Settings['listeners']): unknown[] {
  if (listeners.every(isPlain)) {
    return listeners.map(listener => formatAddress(listener.host, portOf(listener)));
  }
  return listeners.map(listener => writeTable(listenerFields, listener));
}

/** Every value stands on a line of its own, below the header of its table. */
function withSources(text: string, sourceOf: (path: string) => string | null): string {
  let table: string | null = '';
  const lines = text.split('\n').map(line => {
    const header = /^\[+([^\]]*)\]+$/.exec(line);
    if (header !== null) {
      // Elements of lists of tables have no path of their own.
      table = line.startsWith('[[') ? null : `${header[1]}.`;
      return line;
    }
    const key = /^([\w-]+) = /.exec(line)?.[1];
    const source = key === undefined || table === null ? null : sourceOf(`${table}${key}`);
    return source === null ? line : `${line} # ${source}`;
  });
  return lines.join('\n');
}
