// libc by bun:ffi, and for the load engine another library.

import { createRequire } from 'node:module';
import { type Calls, type CType, type FunctionTable, libcName, type Native } from './libc.ts';

// Not an import: a bundle for Node would hoist it to its top and not start.
const require = createRequire(import.meta.url);

const ffiTypes = { int: 'i32', address: 'ptr', size: 'usize' } as const;

export function bindLibc<Table extends FunctionTable>(functions: Table): Calls<Table> & Native {
  return bindLibrary(libcName, functions);
}

/** The same of another library, some of whose functions return addresses (null is none). */
export function bindLibrary<Table extends FunctionTable>(
  library: string,
  functions: Table,
  returningAddresses: readonly string[] = [],
): Calls<Table> & Native {
  const { dlopen, ptr, read } = require('bun:ffi') as typeof import('bun:ffi');
  const declare = (name: string, types: readonly CType[]) => ({
    args: types.map(type => ffiTypes[type]),
    returns: returningAddresses.includes(name) ? ('ptr' as const) : ('i32' as const),
  });
  const table = Object.entries(functions).map(([name, types]) => [name, declare(name, types)]);
  const { symbols } = dlopen(library, {
    ...Object.fromEntries(table),
    __errno_location: { args: [], returns: 'ptr' },
  });
  const calls = symbols as unknown as Calls<Table> & { __errno_location(): never };
  // The same place for as long as this thread lives; each thread has one of its own.
  const errnoAt = calls.__errno_location();
  return {
    ...calls,
    errno: () => read.i32(errnoAt, 0),
    address: view => ptr(view as NodeJS.TypedArray),
  };
}
