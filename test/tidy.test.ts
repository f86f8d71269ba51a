// Keeps the house in order: the rules of docs/STYLE.md that a machine can check, over the whole
// tree. The rules stand in test/tidy/; what may break one is listed here, with the reason.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from './harness.ts';
import { importRules } from './tidy/import-rules.ts';
import { type Fault, shapeRules } from './tidy/shape-rules.ts';
import { startRules } from './tidy/start-rules.ts';
import { parseTrees, readFiles } from './tidy/tree.ts';

interface Exception {
  readonly rule: string;
  readonly where: string;
  readonly reason: string;
}

const waiting = 'tests wait for events, never for a time';
const exceptions: readonly Exception[] = [
  {
    rule: 'tests know their runner only through test/harness.ts',
    where: 'test/harness.ts',
    reason: 'it is the one place',
  },
  { rule: waiting, where: 'test/run.ts', reason: 'bounds the time of a suite' },
  {
    rule: waiting,
    where: 'test/integration/process.ts',
    reason: 'bounds the time of real processes',
  },
  {
    rule: waiting,
    where: 'test/crash/watch.ts',
    reason: 'bounds the silence of real processes, and picks the moment of their death',
  },
  { rule: waiting, where: 'test/mutants/patch.ts', reason: 'bounds the time of a child' },
  { rule: waiting, where: 'test/cli/process.test.ts', reason: 'bounds the time of a child' },
  { rule: waiting, where: 'test/security/kit.ts', reason: 'slowness is what it attacks with' },
];

const rules = [...shapeRules, ...importRules, ...startRules];
const samples = rules.flatMap(rule => rule.breaks);
const [tree, ...broken] = await parseTrees([
  readFiles(join(import.meta.dirname, '..')),
  ...samples,
]);

describe('tidy', () => {
  for (const rule of rules) {
    const allowed = exceptions.filter(exception => exception.rule === rule.name);
    const found = rule.check(tree!);

    test(rule.name, () => {
      const faults = found.filter(fault => !allowed.some(({ where }) => where === fault.where));
      assert.deepEqual(faults.map(describeFault), []);
    });

    test(`${rule.name}: is noticed when it is broken`, () => {
      for (const sample of rule.breaks) {
        const faults = rule.check(broken[samples.indexOf(sample)]!);
        assert.notEqual(faults.length, 0, `not noticed: ${JSON.stringify(sample)}`);
      }
    });

    for (const { where, reason } of allowed) {
      test(`${rule.name}: ${where} still needs its exception (${reason})`, () => {
        assert.ok(found.some(fault => fault.where === where));
      });
    }
  }

  test('every exception names a rule', () => {
    for (const { rule } of exceptions)
      assert.ok(
        rules.some(({ name }) => name === rule),
        rule,
      );
  });
});

function describeFault({ where, line, what }: Fault): string {
  return `${where}${line === undefined ? '' : `:${line}`} ${what}`;
}
