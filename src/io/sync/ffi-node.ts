// libc by koffi, whose npm package brings it compiled, and for the load engine another library.

import { createRequire } from 'node:module';
import { type Calls, type CType, type FunctionTable, libcName, type Native } from './libc.ts';

// Not an import: it is optional, and Bun is to do without it.
const require = createRequire(import.meta.url);

const ffiTypes: Record<CType, string> = { int: 'int', address: 'void *', size: 'size_t' };

export function bindLibc<Table extends FunctionTable>(functions: Table): Calls<Table> & Native {
  return bindLibrary(libcName, functions);
}

/** The same of another library, some of whose functions return addresses (0 is none). What Node has
 *  of it inside, as it has of OpenSSL, must not be taken for it: hence `deep`. */
export function bindLibrary<Table extends FunctionTable>(
  name: string,
  functions: Table,
  returningAddresses: readonly string[] = [],
): Calls<Table> & Native {
  const koffi = require('koffi') as typeof import('koffi');
  const library = koffi.load(name, { deep: name !== libcName });
  const declare = (name: string, types: readonly CType[]) =>
    library.func(
      name,
      returningAddresses.includes(name) ? 'uintptr_t' : 'int',
      types.map(type => ffiTypes[type]),
    );
  const calls = Object.fromEntries(
    Object.entries(functions).map(([name, types]) => [name, declare(name, types)]),
  ) as unknown as Calls<Table>;
  return {
    ...calls,
    errno: () => koffi.errno(),
    address: view => Number(koffi.address(view)),
  };
}
