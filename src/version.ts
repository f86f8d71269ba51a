// Which minnow this is: package.json says the version once; the build says for which target and of
// which commit it is.

import manifest from '../package.json' with { type: 'json' };

/** "minnow-build:TARGET:COMMIT", put in the place of this name by targets/stamp.ts. */
declare const minnowBuild: string | undefined;

export interface Build {
  readonly target: string;
  readonly commit: string;
}

export const version: string = manifest.version;

/** null: it runs from its sources. */
export const build: Build | null = typeof minnowBuild === 'string' ? parse(minnowBuild) : null;

function parse(stamp: string): Build {
  const [, target = '', commit = ''] = stamp.split(':');
  return { target, commit };
}
