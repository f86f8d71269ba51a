// `make bench`: brokers side by side on this machine, in the same run, one at a time. What is
// measured: scenarios.ts; how it is asked for: plan.ts; how it is done: bench.ts.

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { measured } from './bench.ts';
import { planFrom, USAGE } from './plan.ts';
import { page } from './report/page.ts';
import { reportText } from './report/text.ts';

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

async function main(): Promise<void> {
  const args = process.argv.slice(2);
  if (args.includes('--help')) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  const plan = planFrom(args);
  if (plan.listOnly) {
    const lines = plan.scenarios.map(scenario => `${JSON.stringify(scenario)}\n`);
    process.stdout.write(lines.join(''));
    return;
  }
  const report = await measured(plan);
  process.stdout.write(`${reportText(report)}\n`);
  if (plan.json !== null) write(plan.json, `${JSON.stringify(report, null, 2)}\n`);
  if (plan.html !== null) {
    write(plan.html, page(report));
    process.stdout.write(`\nreport: ${plan.html}\n`);
  }
  if (report.series.some(({ runs }) => runs.some(run => 'error' in run))) process.exitCode = 1;
}

try {
  await main();
} catch (error) {
  process.stderr.write(`bench: ${(error as Error).message}\n${USAGE}\n`);
  process.exitCode = 64;
}
