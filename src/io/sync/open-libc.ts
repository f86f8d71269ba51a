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

/** The first of several libraries that is there; rejects where none is. */
export async function bindLibrary<Table extends FunctionTable>(
  names: readonly string[],
  table: Table,
  returningAddresses: readonly string[],
): Promise<Calls<Table> & Native> {
  const { bindLibrary } = await ('Bun' in globalThis
    ? import('./ffi-bun.ts')
    : import('./ffi-node.ts'));
  let why: unknown;
  for (const name of names) {
    try {
      return bindLibrary(name, table, returningAddresses);
    } catch (error) {
      why = error;
    }
  }
  throw why;
}

/** Lets the process end although threads of it wait in system calls: Node asks them to end and
 *  waits for that, which they never hear of. For the main thread, before it starts such threads;
 *  what it gives is to be called when they are gone. */
export function leaveThreadsBehind(libc: Libc): () => void {
  if ('Bun' in globalThis) return () => {};
  const leave = (code: number) => void libc._exit(code);
  process.on('exit', leave);
  return () => void process.off('exit', leave);
}
