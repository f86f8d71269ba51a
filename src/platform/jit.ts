// How eager the runtime's compiler is. Executables begin with one that holds back
// (targets/executable.ts): most of what runs at a start runs once, and compiling it takes longer
// than it saves. Whoever has started says so; threads begin as usual.

interface BunAlone {
  readonly Bun?: { readonly unsafe: { setJITPolicy(scale: number): void } };
}

/** From now on what runs often is compiled as soon as it is worth it. Nothing to do on Node. */
export function startIsOver(): void {
  (globalThis as BunAlone).Bun?.unsafe.setJITPolicy(1);
}
