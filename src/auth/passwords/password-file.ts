// A password file as mosquitto has it: `name:hash` per line, lines that begin with # are comments.
// Reading gives every fault with its line; changing it leaves all other lines as they are.

import { parseHash, type StoredHash } from './stored-hash.ts';

export interface PasswordFile {
  readonly users: ReadonlyMap<string, StoredHash>;
  /** "7: …", one per line that makes no sense. Never shows what stands behind a name. */
  readonly faults: readonly string[];
}

const isBlank = (line: string) => line.trim() === '' || line.startsWith('#');

export function parsePasswords(text: string): PasswordFile {
  const users = new Map<string, StoredHash>();
  const faults: string[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (isBlank(line)) continue;
    const fault = addLine(line, users);
    if (fault !== null) faults.push(`${index + 1}: ${fault}`);
  }
  return { users, faults };
}

function addLine(line: string, users: Map<string, StoredHash>): string | null {
  const colon = line.indexOf(':');
  if (colon < 1) return 'found no name, expected name:hash as minnow passwd writes it';
  const name = line.slice(0, colon);
  if (users.has(name)) return `found ${JSON.stringify(name)} again, expected each name once`;
  const hash = parseHash(line.slice(colon + 1).trim());
  if (hash === null) {
    const known = '$scrypt$, $token$, $scram-sha-256$, $argon2id$, $7$ or $6$';
    return `found no hash behind ${JSON.stringify(name)}, expected one that begins with ${known}`;
  }
  users.set(name, hash);
  return null;
}

/** Why `name` cannot stand in a password file, or null. */
export function nameFault(name: string): string | null {
  if (name === '') return 'is empty';
  if (name.startsWith('#')) return 'begins with #, which makes a comment of its line';
  if (/[:\r\n\0]/.test(name)) return 'holds a colon or a control character';
  return Buffer.byteLength(name) > 65_535 ? 'is longer than MQTT allows' : null;
}

/** `text` with the line of `name` replaced or added, or taken out where `hash` is null. */
export function changePasswords(text: string, name: string, hash: string | null): string {
  const lines = text === '' ? [] : text.replace(/\r?\n$/, '').split(/\r?\n/);
  const at = lines.findIndex(line => !isBlank(line) && line.startsWith(`${name}:`));
  const wanted = hash === null ? [] : [`${name}:${hash}`];
  if (at >= 0) lines.splice(at, 1, ...wanted);
  else lines.push(...wanted);
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}
