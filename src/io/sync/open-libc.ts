// The C library through what this runtime has for it. Neither reaches the other's.

import { type Calls, type FunctionTable, functions, type Libc, type Native } from './libc.ts';

/** Rejects where there is no way to it. */
export function openLibc(): Promise<Libc> {
  return bindLibc(functions);
}

/** The same for whoever needs other functions of it. */
export async function bindLibc<Table extends FunctionTable>(
  table: Table,
): Promise<Calls<Table> & Native> {
  if ('Bun' in globalThis) return (await import('./ffi-bun.ts')).bindLibc(table);
  return (await import('./ffi-node.ts')).bindLibc(table);
}
