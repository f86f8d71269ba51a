// Breaking the program on purpose: a workbench is a copy of src/, test/ and docs/ in a temporary
// directory (node_modules is linked) that takes patches and runs a command. The working tree itself
// is never touched, so a check that is interrupted leaves nothing broken behind.

import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** One change to one file: `find` has to stand in it exactly once. */
export interface Patch {
  /** Path from the root of the repository, e.g. "src/core/packets/publish.ts". */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export interface Outcome {
  /** The command's exit code; null when it was killed because its time was up. */
  readonly exitCode: number | null;
  /** What it wrote to stdout and stderr, together. */
  readonly output: string;
}

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** Bun, also when Node runs this. */
const bun = 'Bun' in globalThis ? process.execPath : join(root, 'node_modules', '.bin', 'bun');

const copied = ['src', 'test', 'docs', 'package.json', 'tsconfig.json'];

/** Why `patch` cannot be applied to the tree at `dir`, or null when it can. */
export function faultOf(patch: Patch, dir: string = root): string | null {
  let text: string;
  try {
    text = readFileSync(join(dir, patch.file), 'utf8');
  } catch {
    return `${patch.file}: no such file`;
  }
  const count = text.split(patch.find).length - 1;
  if (count !== 1) return `${patch.file}: «${patch.find}» occurs ${count} times, expected once`;
  if (patch.find === patch.replace) return `${patch.file}: «${patch.find}» replaced by itself`;
  return null;
}

export class Workbench {
  readonly dir: string;
  readonly #originals = new Map<string, string>();
  #running: ChildProcess | null = null;

  constructor() {
    this.dir = mkdtempSync(join(tmpdir(), 'minnow-mutant-'));
    try {
      for (const name of copied) {
        cpSync(join(root, name), join(this.dir, name), { recursive: true });
      }
      symlinkSync(join(root, 'node_modules'), join(this.dir, 'node_modules'));
    } catch (error) {
      this.remove(); // files that come and go meanwhile
      throw error;
    }
  }

  /** Applies `patch` on top of what has been applied since the last `restore`. */
  apply(patch: Patch): void {
    const fault = faultOf(patch, this.dir);
    if (fault !== null) throw new Error(`cannot apply a patch to ${fault}`);
    const path = join(this.dir, patch.file);
    const text = readFileSync(path, 'utf8');
    if (!this.#originals.has(path)) this.#originals.set(path, text);
    writeFileSync(path, text.split(patch.find).join(patch.replace));
  }

  /** Undoes every patch. */
  restore(): void {
    for (const [path, text] of this.#originals) writeFileSync(path, text);
    this.#originals.clear();
  }

  /** Runs `bun ...args` in the copy; past `timeoutMs` it is killed. */
  run(args: readonly string[], timeoutMs: number, env: Record<string, string> = {}) {
    return new Promise<Outcome>(resolve => {
      const child = spawn(bun, [...args], {
        cwd: this.dir,
        env: { ...process.env, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      this.#running = child;
      const chunks: Buffer[] = [];
      child.stdout.on('data', chunk => chunks.push(chunk));
      child.stderr.on('data', chunk => chunks.push(chunk));
      const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
      child.on('close', exitCode => {
        clearTimeout(timer);
        this.#running = null;
        resolve({ exitCode, output: Buffer.concat(chunks).toString('utf8') });
      });
    });
  }

  /** Ends what still runs and deletes the copy. */
  remove(): void {
    this.#running?.kill('SIGKILL');
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Works through `jobs` on `width` workbenches at once; each job finds its bench unpatched. */
export async function onBenches<Job, Result>(
  jobs: readonly Job[],
  width: number,
  work: (job: Job, bench: Workbench) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  let next = 0;
  async function worker(): Promise<void> {
    const bench = new Workbench();
    try {
      while (next < jobs.length) {
        const index = next++;
        results[index] = await work(jobs[index]!, bench);
        bench.restore();
      }
    } finally {
      bench.remove();
    }
  }
  await Promise.all(Array.from({ length: Math.min(width, jobs.length) }, worker));
  return results;
}
