// What the suites about doors with real peers share: a minnow with listeners of every kind, in both
// I/O modes.

import assert from 'node:assert/strict';
import { useMinnow } from './process.ts';

export const modes = ['async', 'sync'] as const;

export type Table = Readonly<Record<string, unknown>>;

export interface DoorBroker extends ReturnType<typeof useMinnow> {
  /** Where the listener of that scheme is: "wss" → "127.0.0.1:12345/mqtt". */
  at(scheme: string): string;
  portOf(scheme: string): number;
}

/** A minnow that listens as the tables say; those with a port take any. */
export function useDoors(mode: string, tables: readonly Table[], ...flags: string[]): DoorBroker {
  const listeners = tables.map(table =>
    'unix' in table || 'systemd' in table ? table : { host: '127.0.0.1', port: 0, ...table },
  );
  const set = ['--set', `listeners=${JSON.stringify(listeners)}`];
  const broker = useMinnow('--io', mode, ...set, ...flags) as DoorBroker;
  const at = (scheme: string) => {
    const line = broker.process.lines.find(text => text.includes('"minnow is ready"'));
    const { addresses } = JSON.parse(line ?? '{}') as { addresses: string };
    const found = addresses.split(', ').find(address => address.startsWith(`${scheme}://`));
    assert.ok(found, `${addresses} has no ${scheme}`);
    return found.slice(scheme.length + 3);
  };
  return Object.assign(broker, {
    at,
    portOf: (scheme: string) => Number(/:(\d+)/.exec(at(scheme))?.[1]),
  });
}
