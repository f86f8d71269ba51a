// What is written into everything that is built: which version, of which commit, for which target.
// It depends on the sources alone, so the same sources give the same bytes.

import manifest from '../package.json' with { type: 'json' };
import { CommandFailed, run } from './packages.ts';

export interface Stamp {
  readonly version: string;
  /** The commit; with "+" behind it when what is built differs from it; "unknown" without git. */
  readonly commit: string;
  /** The time that files in archives get: the commit's, in seconds since 1970. */
  readonly epoch: number;
}

/** What ends up in a build, or says how it is made. */
const inputs = ['src', 'targets', 'package.json', 'package-lock.json', 'LICENSE'];

/** Of the sources as they are. MINNOW_COMMIT and SOURCE_DATE_EPOCH say it where there is no git. */
export function readStamp(): Stamp {
  const { MINNOW_COMMIT, SOURCE_DATE_EPOCH } = process.env;
  const commit = MINNOW_COMMIT ?? git('rev-parse', '--short=12', 'HEAD');
  const isChanged = MINNOW_COMMIT === undefined && git('status', '--porcelain', '--', ...inputs);
  const time = SOURCE_DATE_EPOCH ?? git('log', '-1', '--format=%ct');
  return {
    version: manifest.version,
    commit: `${commit || 'unknown'}${isChanged ? '+' : ''}`,
    epoch: Number.parseInt(time || '0', 10),
  };
}

/** What src/version.ts finds in the place of `minnowBuild`. */
export function stampText(target: string, { commit }: Stamp): string {
  return `minnow-build:${target}:${commit}`;
}

/** The stamps that stand in the bytes of a program. */
export function stampsIn(bytes: Buffer): string[] {
  const text = bytes.toString('latin1');
  return [...new Set(text.match(/minnow-build:[a-z0-9-]+:[a-z0-9]+\+?/g))];
}

function git(...args: string[]): string {
  try {
    return run(['git', ...args]).trim();
  } catch (error) {
    if (error instanceof CommandFailed) return '';
    throw error;
  }
}
