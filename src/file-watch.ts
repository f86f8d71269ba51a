// Notices that files have changed: by events of their directories, because editors and deployments
// put new files in the place of old ones, and by a look at the files themselves, because events say
// little. A moment of quiet comes first: several files that belong together are written one by one.
// It is not waited for without end: a directory may hold files that are written all the time.

import { type FSWatcher, statSync, watch } from 'node:fs';
import { dirname } from 'node:path';

const QUIET_MS = 200;
const WAIT_MS_MAX = 2_000;

export class FileWatch {
  private readonly onChange: () => void;
  private readonly onFault: (path: string, why: string) => void;
  private paths: readonly string[] = [];
  private seen = '';
  private watchers: FSWatcher[] = [];
  private quiet: ReturnType<typeof setTimeout> | null = null;
  /** When the first event came that nobody has looked after yet; Infinity: none has. */
  private since = Number.POSITIVE_INFINITY;

  /** `onFault` hears of directories that cannot be watched. */
  constructor(onChange: () => void, onFault: (path: string, why: string) => void) {
    this.onChange = onChange;
    this.onFault = onFault;
  }

  /** From here on it is these files, as they are now; the same as before are followed on, so that
   *  what changed meanwhile is not missed. */
  follow(paths: readonly string[]): void {
    if (paths.join('\0') === this.paths.join('\0')) return;
    this.stop();
    this.paths = paths;
    this.seen = signatureOf(paths);
    for (const directory of new Set(paths.map(path => dirname(path)))) {
      try {
        const watcher = watch(directory, { persistent: false }, () => this.noticed());
        watcher.on('error', error => this.onFault(directory, error.message));
        this.watchers.push(watcher);
      } catch (error) {
        this.onFault(directory, (error as Error).message);
      }
    }
  }

  stop(): void {
    for (const watcher of this.watchers.splice(0)) watcher.close();
    if (this.quiet !== null) clearTimeout(this.quiet);
    this.quiet = null;
    this.since = Number.POSITIVE_INFINITY;
  }

  private noticed(): void {
    const now = performance.now();
    if (this.quiet !== null) clearTimeout(this.quiet);
    this.since = Math.min(this.since, now);
    const waitMs = Math.min(QUIET_MS, this.since + WAIT_MS_MAX - now);
    this.quiet = setTimeout(() => this.look(), Math.max(0, waitMs));
  }

  private look(): void {
    this.quiet = null;
    this.since = Number.POSITIVE_INFINITY;
    const found = signatureOf(this.paths);
    if (found === this.seen) return;
    this.seen = found;
    this.onChange();
  }
}

/** What differs when one of the files does. */
function signatureOf(paths: readonly string[]): string {
  return paths
    .map(path => {
      const found = statSync(path, { throwIfNoEntry: false, bigint: true });
      return found === undefined ? '-' : `${found.ino} ${found.size} ${found.mtimeNs}`;
    })
    .join('\n');
}
