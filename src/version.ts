// Which minnow this is: package.json says it once.

import manifest from '../package.json' with { type: 'json' };

export const version: string = manifest.version;
