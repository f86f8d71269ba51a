// What a mutant is: the rules it takes away and the changes that do so.

import type { Rule } from '../conformance/spec-table.ts';
import type { Patch } from './patch.ts';

export interface Mutant {
  readonly rules: readonly Rule[];
  readonly changes: readonly Patch[];
}

/**
 * The program without `rules`, which are written "v3: 3.1.0-1 3.1.0-2; v5: 3.1.0-1 §3.1.4". Each
 * change is a file, a text that stands in it once, and what to put there instead.
 */
export function without(
  rules: string,
  ...changes: readonly (readonly [file: string, find: string, replace: string])[]
): Mutant {
  return {
    rules: rules.split('; ').flatMap(part => {
      const [version, ids] = part.split(': ') as [string, string];
      return ids
        .split(' ')
        .map(id => (id.startsWith('§') ? `${version} ${id}` : `${version} MQTT-${id}`) as Rule);
    }),
    changes: changes.map(([file, find, replace]) => ({ file, find, replace })),
  };
}
