// docs/SPEC.md keeps its word: every statement once, every test it names there, hardly any MUST
// without one.

import assert from 'node:assert/strict';
import { describe, test } from '../harness.ts';
import { filled, namedTests, notShown, readSpec, rowsOf } from './spec-table.ts';

const spec = readSpec();
const rows = rowsOf(spec);
const tests = namedTests();

/** The ids that SPEC.md lists below the table of `version` as binding clients only. */
function clientOnly(version: 'v3' | 'v5'): string[] {
  const title = version === 'v3' ? 'MQTT 3.1.1' : 'MQTT 5.0';
  const section = spec.split('\n## ').find(text => text.startsWith(title)) ?? '';
  const list = section.split('Binding clients only:')[1] ?? '';
  return [...list.matchAll(/MQTT-[\d.]+-\d+/g)].map(match => match[0]);
}

describe('docs/SPEC.md', () => {
  test('has every numbered statement of both specifications once', () => {
    const counts = { v3: 141, v5: 251 };
    for (const version of ['v3', 'v5'] as const) {
      const numbered = rows.filter(row => row.rule.startsWith(`${version} MQTT-`));
      const ids = numbered.map(row => row.rule.slice(3));
      const all = [...ids, ...clientOnly(version)];
      const twice = all.filter((id, index) => all.indexOf(id) !== index);
      assert.deepEqual(twice, [], `listed twice for ${version}`);
      assert.equal(all.length, counts[version], `statements of ${version}`);
    }
  });

  test('names a test that exists for every statement, or the reason why not', () => {
    const open = rows.filter(
      row =>
        !row.shownBy.startsWith(notShown) && !tests.some(shown => shown.rules.includes(row.rule)),
    );
    assert.deepEqual(
      open.map(row => row.rule),
      [],
    );
  });

  test('is up to date with the names of the tests', () => {
    const fresh = filled(spec, tests);
    assert.ok(fresh === spec, 'run: bun test/conformance/spec-table.ts');
  });

  test('knows every statement that a test names', () => {
    const known = new Set(rows.map(row => row.rule));
    const unknown = tests.flatMap(shown =>
      shown.rules.filter(rule => !known.has(rule)).map(rule => `${rule} in ${shown.file}`),
    );
    assert.deepEqual(unknown, []);
  });

  test('leaves at most 3 % of the MUSTs unshown', () => {
    const musts = rows.filter(row => row.level.startsWith('MUST'));
    const unshown = musts.filter(row => row.shownBy.startsWith(notShown));
    const share = (100 * unshown.length) / musts.length;
    assert.ok(share <= 3, `${unshown.length} of ${musts.length} MUSTs are not shown`);
  });
});
