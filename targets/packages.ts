// Brings packages of the npm registry that cannot be installed here, because they are for other
// machines. Each is fetched by npm and has to have the hash that a lockfile says, the one of
// targets/packages or the project's; then it stays in node_modules/.cache.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import projectLock from '../package-lock.json' with { type: 'json' };
import targetsLock from './packages/package-lock.json' with { type: 'json' };

export const root = join(import.meta.dirname, '..');
export const cache = join(root, 'node_modules', '.cache', 'minnow-targets');

/** The package cannot be had here. */
export class Unobtainable extends Error {}

/** What a lockfile says of a package. */
export interface Locked {
  readonly version: string;
  readonly integrity: string;
  readonly license?: string;
}

/** What is locked under a name; throws where nothing is. */
export function locked(name: string): Locked {
  const place = `node_modules/${name}`;
  for (const { packages } of [targetsLock, projectLock]) {
    const found = (packages as Record<string, Partial<Locked>>)[place];
    if (found?.version !== undefined && found.integrity !== undefined) return found as Locked;
  }
  throw new Error(`no lockfile says which ${name} to take`);
}

/** The folder of a package, fetched where it is not here yet; throws Unobtainable. */
export function fetchPackage(name: string): string {
  const { version, integrity } = locked(name);
  const place = join(cache, `${name.replace('/', '+')}@${version}`);
  if (existsSync(place)) return place;
  const making = `${place}.${process.pid}`;
  mkdirSync(making, { recursive: true });
  try {
    const packed = run(['npm', 'pack', '--silent', `${name}@${version}`], { cwd: making });
    const archive = join(making, packed.trim().split('\n').at(-1)!);
    verify(name, readFileSync(archive), integrity);
    run(['tar', '-xzf', archive, '--no-same-owner'], { cwd: making });
    renameSync(join(making, 'package'), place);
  } catch (error) {
    if (error instanceof CommandFailed) throw new Unobtainable(`${name}: ${error.message}`);
    if (!existsSync(place)) throw error; // else somebody else was faster
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
  return place;
}

/** Throws where the bytes are not those of the hash, "ALGORITHM-BASE64". */
export function verify(name: string, bytes: Uint8Array, integrity: string): void {
  const [algorithm, expected] = integrity.split(/-(.*)/s);
  const found = createHash(algorithm!).update(bytes).digest('base64');
  if (found === expected) return;
  throw new Error(`${name}: its ${algorithm} is ${found}, and the lockfile says ${expected}`);
}

/** A command that ended otherwise than with 0. */
export class CommandFailed extends Error {}

interface Way {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a command to its end and gives its standard output; throws CommandFailed. */
export function run([program, ...args]: readonly string[], { cwd = root, env }: Way = {}): string {
  const { status, stdout, stderr, error } = spawnSync(program!, args, {
    cwd,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status === 0) return stdout;
  const said = error?.message ?? `${stdout}${stderr}`.trim();
  throw new CommandFailed(`${[program, ...args].join(' ')} failed: ${said}`);
}

/** Those of the programs that are not here. */
export function missingPrograms(names: readonly string[]): string[] {
  return names.filter(name => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0);
}
