// A program that logs far more than its standard output takes, and must go on all the same.

import { createLogger } from '../../src/log.ts';

const log = createLogger({ level: 'debug', format: 'json', levels: {}, burst: 1 });
for (let i = 0; i < 20_000; i++) log.debug('line', { i, filler: 'x'.repeat(100) });
await log.flush(50);
process.stderr.write('the process went on');
process.exit(0);
