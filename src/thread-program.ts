// Where the programs of threads are. Among the sources each is a file; in a bundle or an executable
// it is an entry point of its own that keeps its place below the program's:
// `bun build [--compile] src/main.ts src/store/thread/worker.ts …`.

/** All of them, below src/ and without their endings. */
export const threadPrograms = [
  'auth/passwords/argon2-worker',
  'engine/thread/worker',
  'io/sync/pool/worker',
  'store/thread/worker',
] as const;

export type ThreadProgram = (typeof threadPrograms)[number];

/** What to start a Worker with. `here` is this module's own address, or that of the file it has
 *  become part of: the program at the top of a bundle, or a thread's. */
export function threadProgram(program: ThreadProgram, here = import.meta.url): URL {
  if (here.endsWith('/src/thread-program.ts')) return new URL(`./${program}.ts`, here);
  const own = threadPrograms.find(other => here.endsWith(`/${other}.js`));
  const top = own === undefined ? here : here.slice(0, -`${own}.js`.length);
  return new URL(`./${program}.js`, top);
}
