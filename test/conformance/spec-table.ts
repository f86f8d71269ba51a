// docs/SPEC.md read as data: its rows, the tests in this folder that name them, and how the one is
// filled from the other. Run as a program it rewrites the "Shown by" column.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export type SpecVersion = 'v3' | 'v5';

/** A statement as tests and mutants name it: "v3 MQTT-3.1.2-24", "v5 §3.1.4" without a number. */
export type Rule = `${SpecVersion} ${string}`;

export interface Row {
  readonly rule: Rule;
  readonly level: string;
  readonly says: string;
  readonly shownBy: string;
}

export interface NamedTest {
  /** "connection/connect.test.ts". */
  readonly file: string;
  /** The whole name, ids included. */
  readonly name: string;
  readonly rules: readonly Rule[];
}

const folder = fileURLToPath(new URL('.', import.meta.url));
const specPath = fileURLToPath(new URL('../../docs/SPEC.md', import.meta.url));

export const notShown = 'not shown: ';

export function readSpec(): string {
  return readFileSync(specPath, 'utf8');
}

/** Calls `visit` with every row of the two tables and puts what it returns in the row's place. */
function mapRows(spec: string, visit: (row: Row) => string): string {
  let version: SpecVersion = 'v3';
  const lines = spec.split('\n').map(line => {
    if (/^##+ MQTT 3\.1\.1/.test(line)) version = 'v3';
    if (/^##+ MQTT 5\.0/.test(line)) version = 'v5';
    const cells = /^\| (MQTT-[\d.]+-\d+|§[\d.]+) \| ([^|]+) \| ([^|]+) \|([^|]*)\|$/.exec(line);
    if (cells === null) return line;
    const [, id, level, says, shownBy] = cells as unknown as [
      string,
      string,
      string,
      string,
      string,
    ];
    return visit({ rule: `${version} ${id}` as Rule, level, says, shownBy: shownBy.trim() });
  });
  return lines.join('\n');
}

export function rowsOf(spec: string): Row[] {
  const rows: Row[] = [];
  mapRows(spec, row => {
    rows.push(row);
    return '';
  });
  return rows;
}

/** The rules that the brackets at the start of a test's name stand for. */
export function rulesOf(name: string): Rule[] {
  const rules: Rule[] = [];
  const brackets = /^\[(?:(v3|v5) )?(MQTT-[\d.]+-\d+|§[\d.]+)\] */;
  for (let rest = name, match = brackets.exec(rest); match !== null; match = brackets.exec(rest)) {
    const versions: SpecVersion[] = match[1] ? [match[1] as SpecVersion] : ['v3', 'v5'];
    for (const version of versions) rules.push(`${version} ${match[2]}` as Rule);
    rest = rest.slice(match[0].length);
  }
  return rules;
}

/** Every test of this folder whose name begins with the id of a statement. */
export function namedTests(): NamedTest[] {
  const tests: NamedTest[] = [];
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    if (!file.endsWith('.test.ts')) continue;
    const text = readFileSync(folder + file, 'utf8');
    for (const match of text.matchAll(
      /\b(?:test|across)\(\s*'(\[(?:v\d )?(?:MQTT-|§)(?:[^'\\]|\\.)*)'/g,
    )) {
      const name = match[1]!.replaceAll("\\'", "'");
      tests.push({ file, name, rules: rulesOf(name) });
    }
  }
  return tests;
}

/** A test's name without the ids in front of it. */
function sentence(name: string): string {
  return name.replace(/^(\[[^\]]*\] *)+/, '');
}

/** The specification's text with the "Shown by" column filled from `tests`. */
export function filled(spec: string, tests: readonly NamedTest[]): string {
  return mapRows(spec, row => {
    const showing = tests.filter(test => test.rules.includes(row.rule));
    const cell =
      showing.length > 0
        ? showing.map(test => `${test.file}: ${sentence(test.name)}`).join('; ')
        : row.shownBy.startsWith(notShown)
          ? row.shownBy
          : '';
    return `| ${row.rule.slice(3)} | ${row.level} | ${row.says} | ${cell.replaceAll('|', '/')} |`;
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(specPath, filled(readSpec(), namedTests()));
}
