// What is only known by doing it: reaching libc through FFI, and raising the limit of descriptors
// where the runtime has not. Costs a few milliseconds, so only those who need it try.

import { type Libc, RLIMIT_NOFILE, systemError } from '../io/sync/libc.ts';
import { openLibc } from '../io/sync/open-libc.ts';
import type { Descriptors, Facts, Ffi } from './facts.ts';

/** `facts` with the outcome of both trials; `open` reaches libc. */
export async function tryOut(facts: Facts, open: () => Promise<Libc> = openLibc): Promise<Facts> {
  const { ffi, descriptors } = facts;
  try {
    const libc = await open();
    const raised = descriptors.soft < descriptors.hard ? raise(libc, facts) : descriptors;
    return { ...facts, ffi: { ...ffi, works: true, fault: null }, descriptors: raised };
  } catch (error) {
    return { ...facts, ffi: failed(ffi, error), descriptors: unraised(descriptors, ffi) };
  }
}

function failed(ffi: Ffi, error: unknown): Ffi {
  const message = error instanceof Error ? error.message : String(error);
  return { ...ffi, works: false, fault: message.split('\n')[0] };
}

function unraised(descriptors: Descriptors, { by }: Ffi): Descriptors {
  if (descriptors.notRaised === null) return descriptors;
  return { ...descriptors, notRaised: `${descriptors.notRaised}, and ${by} does not work here` };
}

/** Raises the soft limit to the hard one. */
function raise(libc: Libc, facts: Facts): Descriptors {
  const { descriptors, cpu, libc: library } = facts;
  // rlim_t has 64 bits but with glibc on 32-bit machines. Both are little-endian where we run.
  const bytes = cpu.arch === 'arm' && library.name === 'glibc' ? 4 : 8;
  const memory = new ArrayBuffer(16);
  const words = new Uint8Array(memory);
  const failure = (call: string): Descriptors => {
    const notRaised = `the system refused it (${systemError(libc, call).code})`;
    return { ...descriptors, notRaised };
  };
  if (libc.getrlimit(RLIMIT_NOFILE, libc.address(words)) === -1) return failure('getrlimit');
  const hard = words.slice(bytes, 2 * bytes);
  words.set(hard, 0);
  if (libc.setrlimit(RLIMIT_NOFILE, libc.address(words)) === -1) return failure('setrlimit');
  return { ...descriptors, soft: descriptors.hard, notRaised: null };
}
