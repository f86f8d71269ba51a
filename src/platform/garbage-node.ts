// Gives memory back on Node, which takes two steps: V8 collects when it is asked by a word that it
// keeps to itself, and glibc holds on to what is freed until it is told to trim. Either alone gave
// nothing back, or little.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { bindLibc } from '../io/sync/open-libc.ts';

/** (size_t bytes that are kept at the end of the heap) */
const functions = { malloc_trim: ['size'] } as const;

type Trim = (keptBytes: number) => number;

/** Null where there is no way to the C library, or it is another than glibc. */
async function bindTrim(): Promise<Trim | null> {
  try {
    return (await bindLibc(functions)).malloc_trim;
  } catch {
    return null;
  }
}

function exposeCollector(): () => void {
  setFlagsFromString('--expose-gc'); // holds for contexts that are made from now on
  return runInNewContext('gc') as () => void;
}

/** As `openGarbage`. A thread that has an event loop calls the C library for nothing else, and the
 *  way there costs 3 MB and tens of milliseconds: it is opened when the first burst is over. */
export async function openNodeGarbage(blocked: boolean): Promise<() => void> {
  let collect: (() => void) | null = null;
  const collectNow = () => {
    collect ??= exposeCollector();
    collect();
  };
  if (blocked) {
    const trim = await bindTrim();
    return () => {
      collectNow();
      trim?.(0);
    };
  }
  let binding: Promise<Trim | null> | null = null;
  return () => {
    collectNow();
    binding ??= bindTrim();
    void binding.then(trim => trim?.(0));
  };
}
