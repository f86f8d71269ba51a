// What letting somebody in rests on, as a text that can be compared and kept. Apart from step.ts: a
// broker that lets everybody in needs no cryptography, and loading it takes 2 ms.

import { createHmac, randomBytes } from 'node:crypto';

const standingKey = randomBytes(32);

/** A standing that tells nobody what it is made of, comparable within this process. */
export function standingOf(kind: string, ...parts: readonly string[]): string {
  const mac = createHmac('sha256', standingKey);
  for (const part of parts) mac.update(`${part.length}:${part}`);
  return `${kind}:${mac.digest('base64')}`;
}
