// Rule removal: a test is worth something when it fails without the rule it is named after. Mutants
// take rules out of a copy of the program; the tests that docs/SPEC.md names for such a rule run
// there, and one of them has to fail. `make test` draws rules at random, `make soak` takes all.

import assert from 'node:assert/strict';
import {
  type NamedTest,
  namedTests,
  type Rule,
  readSpec,
  rowsOf,
} from '../conformance/spec-table.ts';
import { describe, freshSeed, rounds, test } from '../harness.ts';
import { Prng } from '../prng.ts';
import { codecMutants } from './codec.ts';
import { connectingMutants } from './connecting.ts';
import { deliveringMutants } from './delivering.ts';
import type { Mutant } from './mutant.ts';
import { faultOf, onBenches, Workbench } from './patch.ts';
import { publishingMutants } from './publishing.ts';
import { subscribingMutants } from './subscribing.ts';
import { unnumberedMutants } from './unnumbered.ts';

const mutants: readonly Mutant[] = [
  ...codecMutants,
  ...connectingMutants,
  ...publishingMutants,
  ...deliveringMutants,
  ...subscribingMutants,
  ...unnumberedMutants,
];
const sampleSize = 30;
const width = 2;
const timeoutMs = 30_000;

interface Removal {
  readonly rule: Rule;
  readonly mutant: Mutant;
}

const removals: readonly Removal[] = mutants.flatMap(mutant =>
  mutant.rules.map(rule => ({ rule, mutant })),
);
const shown = namedTests();

function testsOf(rule: Rule): NamedTest[] {
  return shown.filter(named => named.rules.includes(rule));
}

/** One removal for each of `count` different rules. */
function draw(count: number, prng: Prng): Removal[] {
  const rules = [...new Set(removals.map(removal => removal.rule))];
  return Array.from({ length: Math.min(count, rules.length) }, () => {
    const [rule] = rules.splice(prng.below(rules.length), 1) as [Rule];
    return prng.pick(removals.filter(removal => removal.rule === rule));
  });
}

const quoted = (text: string) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

/** How the tests of `rule` fail to notice that it is gone, or null when they do notice. */
async function unnoticed({ rule, mutant }: Removal, bench: Workbench): Promise<string | null> {
  const named = testsOf(rule);
  const files = [...new Set(named.map(one => `./test/conformance/${one.file}`))];
  const pattern = named.map(one => quoted(one.name)).join('|');
  for (const change of mutant.changes) bench.apply(change);
  const { exitCode, output } = await bench.run(['test', '-t', pattern, ...files], timeoutMs);
  if (exitCode === null) return null; // It hangs without the rule: nobody overlooks that.
  const what = `${rule} (${mutant.changes.map(change => change.file).join(', ')})`;
  if (/SyntaxError|ReferenceError|Cannot find module|ran 0 tests/i.test(output)) {
    return `the change for ${what} breaks the program, not the rule:\n${output}`;
  }
  if (/^\(fail\)/m.test(output)) return null;
  const changes = mutant.changes.map(({ find, replace }) => `- ${find}\n+ ${replace}`);
  return `every test of ${what} passes without it:\n${changes.join('\n')}`;
}

describe('rule removal', () => {
  test('every change has its place in the program as it is', () => {
    const bench = new Workbench();
    const faults: string[] = [];
    try {
      for (const change of mutants.flatMap(({ changes }) => changes)) {
        const fault = faultOf(change, bench.dir);
        if (fault !== null) faults.push(fault);
      }
    } finally {
      bench.remove();
    }
    assert.deepEqual(faults, []);
  });

  test('nearly every MUST that is shown can be taken away', () => {
    const removable = new Set(removals.map(removal => removal.rule));
    const musts = rowsOf(readSpec()).filter(
      row => row.level.startsWith('MUST') && testsOf(row.rule).length > 0,
    );
    const unknown = [...removable].filter(rule => testsOf(rule).length === 0);
    assert.deepEqual(unknown, [], 'rules without a test');
    const missing = musts.filter(row => !removable.has(row.rule)).map(row => row.rule);
    assert.ok(missing.length * 20 <= musts.length, `no mutant for: ${missing.join(', ')}`);
  });

  const seed = freshSeed();
  const chosen = rounds > 1 ? removals : draw(sampleSize, new Prng(seed));
  test(
    `the tests of ${chosen.length} rules notice that their rule is gone`,
    async () => {
      const rules = chosen.map(removal => removal.rule).join(', ');
      process.stdout.write(`rule removal, seed ${seed}: ${rules}\n`);
      const faults = await onBenches(chosen, width, unnoticed);
      const failures = faults.filter(fault => fault !== null);
      assert.equal(failures.length, 0, `MINNOW_SEED=${seed}\n${failures.join('\n\n')}`);
    },
    chosen.length * timeoutMs,
  );
});
