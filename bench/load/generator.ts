// The load process: one job in (JSON, first argument), one result out (JSON, standard output). It
// runs alone on its processor, is bounded in time by the job, and ends by itself.

import { System } from '../../src/bench/system.ts';
import { measureConnects } from './measure-connects.ts';
import { measureIdle } from './measure-idle.ts';
import { measureRetained } from './measure-retained.ts';
import { measureTraffic } from './measure-traffic.ts';
import type { Job, Result } from './result.ts';

async function measured(job: Job): Promise<Result> {
  const { scenario } = job;
  const system = await System.open();
  switch (scenario.kind) {
    case 'traffic':
      return measureTraffic(system, job, scenario);
    case 'connects':
      return measureConnects(system, job, scenario);
    case 'idle':
      return measureIdle(system, job, scenario);
    case 'retained':
      return measureRetained(system, job, scenario);
    case 'start':
      throw new Error('a cold start is measured by whoever starts the broker');
  }
}

try {
  const result = await measured(JSON.parse(process.argv[2]!) as Job);
  process.stdout.write(`${JSON.stringify(result)}\n`);
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}
