// Tidy rules about what may know what: the direction of imports, the purity of core/ and mqtt/,
// and what tests may lean on.

import { type ImportClause, type Node, SyntaxKind } from 'typescript/unstable/ast';
import {
  isCallExpression,
  isExportDeclaration,
  isIdentifier,
  isImportDeclaration,
  isImportTypeNode,
  isLiteralTypeNode,
  isPropertyAccessExpression,
  isStringLiteral,
} from 'typescript/unstable/ast/is';
import { type Fault, file, type Rule } from './shape-rules.ts';
import { callsAtOnce, lineOf, type Source, type Tree, walk } from './tree.ts';

export interface Import {
  readonly specifier: string;
  /** The path it means when it is one of ours. */
  readonly path: string | null;
  /** Gone when the program runs: two shapes may name each other, two modules may not. */
  readonly typeOnly: boolean;
  /** Only when it is called for. */
  readonly dynamic: boolean;
  readonly line: number;
}

/** Static, dynamic and type imports, and re-exports. */
export function importsOf(source: Source): Import[] {
  const found: Import[] = [];
  const add = (node: Node | undefined, typeOnly: boolean, dynamic = false) => {
    if (node === undefined || !isStringLiteral(node)) return;
    const specifier = node.text;
    const path = specifier.startsWith('.')
      ? new URL(specifier, `file:///${source.path}`).pathname.slice(1)
      : null;
    const line = lineOf(source, node.getStart(source.ast));
    found.push({ specifier, path, typeOnly, dynamic, line });
  };
  walk(source.ast, node => {
    if (isImportDeclaration(node)) add(node.moduleSpecifier, isTypeClause(node.importClause));
    else if (isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly);
    else if (isImportTypeNode(node) && isLiteralTypeNode(node.argument)) {
      add(node.argument.literal, true);
    } else if (isCallExpression(node) && isLoader(node.expression)) {
      add(node.arguments[0], false, true);
    }
  });
  return found;
}

function isTypeClause(clause: ImportClause | undefined): boolean {
  return clause?.phaseModifier === SyntaxKind.TypeKeyword;
}

function isLoader(callee: Node): boolean {
  return (
    callee.kind === SyntaxKind.ImportKeyword || (isIdentifier(callee) && callee.text === 'require')
  );
}

function inSrc(tree: Tree): Source[] {
  return tree.sources.filter(({ path }) => path.startsWith('src/'));
}

function inTests(tree: Tree): Source[] {
  return tree.sources.filter(({ path }) => path.startsWith('test/'));
}

function isPure(path: string): boolean {
  return path.startsWith('src/core/') || path.startsWith('src/mqtt/');
}

/** Imports point down this list, or stay on their step. What is not named stands beside io. */
const steps = [
  'limits',
  'mqtt',
  'core',
  'io',
  'loop',
  'engine',
  'reload',
  'control',
  'server',
  'bench',
  'cli',
  'main',
];

function stepOf(path: string): number {
  if (!path.startsWith('src/')) return 0; // package.json
  const name = path.split('/')[1]!.replace(/\.ts$/, '');
  return steps.indexOf(steps.includes(name) ? name : 'io');
}

const direction: Rule = {
  name: 'imports point one way: main → cli → server → engine → loop → core → mqtt',
  check: tree =>
    inSrc(tree).flatMap(source =>
      importsOf(source)
        .filter(({ path }) => path !== null && stepOf(path) > stepOf(source.path))
        .map(({ specifier, line }) => ({ where: source.path, line, what: `imports ${specifier}` })),
    ),
  breaks: [
    file('src/mqtt/a.ts', "import { b } from '../core/b.ts';\n"),
    file('src/core/a.ts', "export type A = import('../io/b.ts').B;\n"),
    file('src/io/a.ts', "const loop = await import('../loop.ts');\n"),
    file('src/cli/a.ts', "export { main } from '../main.ts';\n"),
    file('src/server.ts', "import { Engine } from './bench/engine.ts';\n"),
  ],
};

const cycles: Rule = {
  name: 'no source imports itself, however far around',
  check: tree => {
    const graph = new Map(inSrc(tree).map(source => [source.path, importsOf(source)]));
    const done = new Set<string>();
    const faults: Fault[] = [];
    const visit = (path: string, trail: readonly string[]): void => {
      const at = trail.indexOf(path);
      if (at >= 0) {
        faults.push({ where: path, what: [...trail.slice(at), path].join(' → ') });
      } else if (!done.has(path)) {
        for (const next of graph.get(path) ?? []) {
          if (next.path !== null && !next.typeOnly) visit(next.path, [...trail, path]);
        }
        done.add(path);
      }
    };
    for (const path of graph.keys()) visit(path, []);
    return faults;
  },
  breaks: [
    [
      ...file('src/core/a.ts', "import { b } from './b.ts';\n"),
      ...file('src/core/b.ts', "export { c } from './c.ts';\n"),
      ...file('src/core/c.ts', "import { a } from './a.ts';\n"),
    ],
  ],
};

const pureImports: Rule = {
  name: 'core/ and mqtt/ import only each other and limits.ts',
  check: tree =>
    inSrc(tree)
      .filter(({ path }) => isPure(path))
      .flatMap(source =>
        importsOf(source)
          .filter(({ path }) => path === null || !(isPure(path) || path === 'src/limits.ts'))
          .map(({ specifier, line }) => ({
            where: source.path,
            line,
            what: `imports ${specifier}`,
          })),
      ),
  breaks: [
    file('src/core/a.ts', "import { readFileSync } from 'node:fs';\n"),
    file('src/mqtt/a.ts', "import packet from 'mqtt-packet';\n"),
    file('src/core/a.ts', "import { log } from '../log.ts';\n"),
  ],
};

const impure = new Set(
  `Bun Buffer process globalThis global window self Date performance Intl crypto console fetch
  setTimeout clearTimeout setInterval clearInterval setImmediate clearImmediate queueMicrotask
  Promise Worker MessageChannel FinalizationRegistry WeakRef require`.split(/\s+/),
);

const purity: Rule = {
  name: 'core/ and mqtt/ know no runtime, clock, randomness, timer or promise',
  check: tree =>
    inSrc(tree)
      .filter(({ path }) => isPure(path))
      .flatMap(impurities),
  breaks: [
    file('src/core/a.ts', 'export const now = Date.now();\n'),
    file('src/core/a.ts', 'export const dice = Math.random();\n'),
    file('src/core/a.ts', 'export async function f() {}\n'),
    file('src/core/a.ts', 'export type F = () => Promise<void>;\n'),
    file('src/mqtt/a.ts', 'export const b = { body: Buffer.alloc(1) };\n'),
    file('src/mqtt/a.ts', 'setTimeout(() => {}, 1);\n'),
    file('src/mqtt/a.ts', 'export const { env } = process;\n'),
  ],
};

function impurities(source: Source): Fault[] {
  const faults: Fault[] = [];
  walk(source.ast, (node, parent) => {
    const line = lineOf(source, node.getStart(source.ast));
    const fault = (what: string) => faults.push({ where: source.path, line, what });
    if (node.kind === SyntaxKind.AsyncKeyword) fault('is async');
    else if (node.kind === SyntaxKind.AwaitExpression) fault('awaits');
    else if (isIdentifier(node) && impure.has(node.text) && !isMemberName(node, parent)) {
      fault(`uses ${node.text}`);
    } else if (isPropertyAccessExpression(node) && node.getText(source.ast) === 'Math.random') {
      fault('uses Math.random');
    }
  });
  return faults;
}

/** Whether `node` names a member of something, rather than being a reference by itself. */
function isMemberName(node: Node, parent: Node): boolean {
  if (parent.kind === SyntaxKind.ShorthandPropertyAssignment) return false;
  return 'name' in parent && parent.name === node;
}

const endings: Rule = {
  name: 'relative imports carry their ending and lead somewhere',
  check: tree =>
    tree.sources.flatMap(source =>
      importsOf(source)
        .filter(({ path }) => path !== null && !tree.has(path))
        .map(({ specifier, line }) => ({ where: source.path, line, what: `imports ${specifier}` })),
    ),
  breaks: [[...file('src/a.ts', "import { b } from './b';\n"), ...file('src/b.ts', '//\n')]],
};

const exportsRule: Rule = {
  name: 'no default exports and no barrels',
  check: tree =>
    tree.sources.flatMap(({ path, ast }) => {
      const faults: Fault[] = [];
      walk(ast, node => {
        const isDefault =
          node.kind === SyntaxKind.ExportAssignment || node.kind === SyntaxKind.DefaultKeyword;
        if (isDefault) faults.push({ where: path, what: 'has a default export' });
      });
      const forwards = (node: Node) =>
        isExportDeclaration(node) && node.moduleSpecifier !== undefined;
      const statements = ast.statements.filter(node => !isImportDeclaration(node));
      if (statements.length > 0 && statements.every(forwards)) {
        faults.push({ where: path, what: 'only re-exports' });
      }
      return faults;
    }),
  breaks: [
    file('src/a.ts', 'export default 1;\n'),
    file('src/a.ts', 'export default function f() {}\n'),
    file('src/a.ts', "export * from './b.ts';\nexport { c } from './c.ts';\n"),
  ],
};

const harness: Rule = {
  name: 'tests know their runner only through test/harness.ts',
  check: tree =>
    inTests(tree).flatMap(source =>
      importsOf(source)
        .filter(({ specifier }) => specifier === 'bun:test' || specifier === 'node:test')
        .map(({ specifier, line }) => ({ where: source.path, line, what: `imports ${specifier}` })),
    ),
  breaks: [file('test/a.test.ts', "import { test } from 'bun:test';\n")],
};

const registered: Rule = {
  name: 'what runs tests is called *.test.ts',
  check: tree =>
    inTests(tree)
      .filter(({ path, ast }) => !path.endsWith('.test.ts') && callsAtOnce(ast, 'test|describe'))
      .map(({ path }) => ({ where: path, what: 'holds tests that nobody runs' })),
  breaks: [
    file('test/core/router.ts', "test('a', () => {});\n"),
    file('test/core/router.ts', 'for (const a of [1, 2]) describe(String(a), () => {});\n'),
  ],
};

const focus: Rule = {
  name: 'no test is focused or left out',
  check: tree =>
    inTests(tree).flatMap(source => {
      const faults: Fault[] = [];
      walk(source.ast, node => {
        if (!isPropertyAccessExpression(node)) return;
        const text = node.getText(source.ast);
        if (!/\b(test|it|describe)\.(only|skip|todo|if|skipIf|todoIf|failing)$/.test(text)) return;
        faults.push({ where: source.path, line: lineOf(source, node.end), what: `uses ${text}` });
      });
      return faults;
    }),
  breaks: [
    file('test/a.test.ts', "test.only('a', () => {});\n"),
    file('test/a.test.ts', "describe.skip('a', () => {});\n"),
  ],
};

const sleeps: Rule = {
  name: 'tests wait for events, never for a time',
  check: tree =>
    inTests(tree).flatMap(source => {
      const faults: Fault[] = [];
      walk(source.ast, (node, parent) => {
        const text =
          isPropertyAccessExpression(node) || isIdentifier(node) ? node.getText(source.ast) : '';
        const waits = /^(setTimeout|setInterval|(Bun|timers)\.sleep(Sync)?|Atomics\.wait)$/.test(
          text,
        );
        if (!waits || isMemberName(node, parent)) return;
        faults.push({ where: source.path, line: lineOf(source, node.end), what: `uses ${text}` });
      });
      return faults;
    }),
  breaks: [
    file('test/a.test.ts', 'await new Promise(done => setTimeout(done, 100));\n'),
    file('test/a.test.ts', 'await Bun.sleep(100);\n'),
    file('test/a.test.ts', "import { setTimeout as delay } from 'node:timers/promises';\n"),
  ],
};

export const importRules: readonly Rule[] = [
  direction,
  cycles,
  pureImports,
  purity,
  endings,
  exportsRule,
  harness,
  registered,
  focus,
  sleeps,
];
