// One process at a time changes a file: whoever wants to leaves a claim beside it, an empty file
// that has the process in its name, and goes on if no other process has one there. Who finds
// another's takes its own back and tries again later. Claims are looked for after one's own is
// there, so of two that want the file at once at least one sees the other. A claim of a process
// that has died counts for nothing, and as no other process has its name, anybody may remove it.
// Processes of another container look dead: whoever shares a file with them changes it from one.

import { closeSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Exit, errorCode, Failure } from '../exit.ts';

const PATIENCE_MS = 10_000;
/** Until the next try, at most; by chance, so that two do not meet again and again. */
const RETRY_MS = 20;
/** The start of a process where the system does not say it: no /proc, or none for other users. */
const UNTOLD = '0';

/** Does `work` while this process alone has the claim to `path`, which is no link. Rejects with a
 *  Failure after `patienceMs`, or with the system's error where no claim can be made. */
export async function withClaim<Result>(
  path: string,
  work: () => Result,
  patienceMs = PATIENCE_MS,
): Promise<Result> {
  const claim = claimOf(path, process.pid);
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const other = tryClaim(path, claim);
    if (other === null) break;
    if (performance.now() > deadline) {
      throw new Failure(Exit.unavailable, `${path}: process ${other} is changing it; try again`);
    }
    await wait(1 + Math.random() * RETRY_MS);
  }
  try {
    return work();
  } finally {
    rmSync(claim, { force: true });
  }
}

/** Null, or the process that has it. */
function tryClaim(path: string, claim: string): number | null {
  try {
    closeSync(openSync(claim, 'wx', 0o600));
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return process.pid;
    throw error;
  }
  const other = livingOther(path, claim);
  if (other !== null) rmSync(claim, { force: true });
  return other;
}

/** The process of a claim that holds; those that do not are removed. */
function livingOther(path: string, own: string): number | null {
  const beginning = `${basename(path)}.claim-`;
  for (const name of readdirSync(dirname(path))) {
    const other = join(dirname(path), name);
    if (!name.startsWith(beginning) || other === own) continue;
    const [, digits, start = ''] = /^(\d+)-(\d+)$/.exec(name.slice(beginning.length)) ?? [];
    if (digits === undefined) continue;
    const pid = Number(digits);
    // Of our own number, and not our own: a process before us had it.
    if (pid !== process.pid && isStill(pid, start)) return pid;
    remove(other);
  }
  return null;
}

/** Whether it is the process that started then; where either is not told, its number has to do. */
function isStill(pid: number, start: string): boolean {
  const found = startOf(pid);
  return found === start || found === UNTOLD || (found !== '' && start === UNTOLD);
}

/** In a folder of everybody's that may be forbidden; it counts for nothing all the same. */
function remove(claim: string): void {
  try {
    rmSync(claim, { force: true });
  } catch {
    // Whose it was may remove it.
  }
}

/** The name of the claim that process `pid` would make now. */
export function claimOf(path: string, pid: number): string {
  return join(dirname(path), `${basename(path)}.claim-${pid}-${startOf(pid)}`);
}

/** When the process started, in the system's own ticks, as numbers of processes come again. Empty:
 *  it does not live. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name, in parentheses, may hold anything; the 20th field behind it is the time.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return pid === process.pid || isThere(pid) ? UNTOLD : '';
  }
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) !== 'ESRCH';
  }
}
