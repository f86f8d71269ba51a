// Tidy rules about the shape of files: names, sizes, openings, marks left behind, links.
// A rule finds faults in a tree; each brings samples that break it, so that it is seen to work.

import { type Node, SyntaxKind } from 'typescript/unstable/ast';
import { isFunctionLikeDeclaration, isIdentifier } from 'typescript/unstable/ast/is';
import { callsAtOnce, type File, lineOf, type Source, type Tree, walk } from './tree.ts';

export interface Fault {
  /** The file, or `file#function`: what an exception names. */
  readonly where: string;
  readonly line?: number;
  readonly what: string;
}

export interface Rule {
  readonly name: string;
  check(tree: Tree): Fault[];
  /** Trees that break the rule, each in one way. */
  readonly breaks: readonly (readonly File[])[];
}

const columnsMax = 100;
const linesMax = 500;
const functionLinesMax = 70;
const filesPerFolderMax = 12;

export function file(path: string, text: string): File[] {
  return [{ path, text }];
}

/** Runs `find` over every line; `find` says what is wrong with it, or null. */
function perLine(files: readonly File[], find: (line: string) => string | null): Fault[] {
  return files.flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, index) => {
      const what = find(line);
      return what === null ? [] : [{ where: path, line: index + 1, what }];
    }),
  );
}

const opening: Rule = {
  name: 'every source opens with a comment',
  check: tree =>
    tree.sources
      .filter(({ text }) => !/^(#!.*\n)?\/[/*]/.test(text))
      .map(({ path }) => ({ where: path, line: 1, what: 'does not say what it owns' })),
  breaks: [file('src/a.ts', 'export const a = 1;\n')],
};

const names: Rule = {
  name: 'names are kebab-case',
  check: tree =>
    tree.sources
      .filter(
        ({ path }) => !/^([a-z0-9]+(-[a-z0-9]+)*\/)*[a-z0-9]+([-.][a-z0-9]+)*\.ts$/.test(path),
      )
      .map(({ path }) => ({ where: path, what: 'is not kebab-case' })),
  breaks: [file('src/topicTree.ts', '//\n'), file('src/Core/a.ts', '//\n')],
};

const columns: Rule = {
  name: `lines have at most ${columnsMax} columns`,
  check: tree => {
    const tests = tree.sources.filter(({ path }) => path.startsWith('test/'));
    const others = tree.sources.filter(({ path }) => !path.startsWith('test/'));
    return [
      ...perLine([...others, ...tree.files.filter(isScript)], tooLong),
      ...perLine(tests, line => tooLong(line.replace(leadingString, ''))),
    ];
  },
  breaks: [
    file('src/a.ts', `// ${'x'.repeat(columnsMax)}\n`),
    file('src/a.ts', `f('${'x'.repeat(columnsMax)}');\n`),
    file('test/a.ts', `// ${'x'.repeat(columnsMax)}\n`),
    file('Makefile', '#'.repeat(columnsMax + 1)),
  ],
};

/** The name of a test is one string, to be found by a search, and may run over. */
const leadingString = /^\s*(?:[\w.]+\()?(?:'(?:\\.|[^'])*'|"(?:\\.|[^"])*"|`(?:\\.|[^`])*`)/;

function tooLong(line: string): string | null {
  const columns = [...line].length;
  return columns > columnsMax ? `has ${columns} columns` : null;
}

function isScript({ path }: File): boolean {
  return path === 'Makefile' || path === '.ci/run' || path.endsWith('.sh');
}

const fileLength: Rule = {
  name: `files have at most ${linesMax} lines`,
  check: tree =>
    tree.sources
      .map(({ path, text }) => ({ path, lines: text.trimEnd().split('\n').length }))
      .filter(({ lines }) => lines > linesMax)
      .map(({ path, lines }) => ({ where: path, what: `has ${lines} lines` })),
  breaks: [file('src/a.ts', '//\n'.repeat(linesMax + 1))],
};

const functionLength: Rule = {
  name: `functions have at most ${functionLinesMax} lines`,
  check: tree => tree.sources.flatMap(longFunctions),
  breaks: [
    file('src/a.ts', `function f() {\n${'f();\n'.repeat(functionLinesMax - 1)}}\n`),
    file('src/a.ts', `class A {\n  g() {\n${'f();\n'.repeat(functionLinesMax - 1)}}\n}\n`),
    file('test/a.test.ts', `test('a', () => {\n${'f();\n'.repeat(functionLinesMax - 1)}});\n`),
  ],
};

function longFunctions(source: Source): Fault[] {
  const faults: Fault[] = [];
  walk(source.ast, node => {
    if (!isFunctionLikeDeclaration(node)) return;
    // A body that is a list of tests is as long as the list; each test counts by itself.
    if (source.path.startsWith('test/') && callsAtOnce(node, 'test|describe')) return;
    const line = lineOf(source, node.getStart(source.ast));
    const lines = lineOf(source, node.end) - line + 1;
    if (lines <= functionLinesMax) return;
    const name = nameOf(node) ?? `line ${line}`;
    faults.push({ where: `${source.path}#${name}`, line, what: `has ${lines} lines` });
  });
  return faults;
}

function nameOf(node: Node): string | undefined {
  if (node.kind === SyntaxKind.Constructor) return 'constructor';
  const name = 'name' in node ? (node.name as Node | undefined) : undefined;
  return name !== undefined && isIdentifier(name) ? name.text : undefined;
}

const folderSize: Rule = {
  name: `folders of src have at most ${filesPerFolderMax} files`,
  check: tree => {
    const counts = new Map<string, number>();
    for (const { path } of tree.files) {
      const folder = path.slice(0, path.lastIndexOf('/'));
      if (path.startsWith('src/')) counts.set(folder, (counts.get(folder) ?? 0) + 1);
    }
    return [...counts]
      .filter(([, count]) => count > filesPerFolderMax)
      .map(([where, count]) => ({ where, what: `has ${count} files` }));
  },
  breaks: [
    Array.from({ length: filesPerFolderMax + 1 }, (_, n) => ({ path: `src/x/${n}.ts`, text: '' })),
  ],
};

const marks: Rule = {
  name: 'nothing is marked as left to do',
  check: tree =>
    perLine(tree.files, line =>
      /\b(TO[D]O|FIX[M]E|X{3}|HA[C]K)\b/.test(line) ? line.trim() : null,
    ),
  breaks: ['TO-DO', 'FIX-ME', 'X-XX', 'HA-CK'].map(mark =>
    file('src/a.ts', `// ${mark.replace('-', '')}: later\n`),
  ),
};

const machinePaths: Rule = {
  name: "no path of one person's machine is written down",
  check: tree =>
    perLine(tree.files, line => {
      const found = /(?<![\w.~>}-])\/(home|root|Users|work)\/[\w.-]+/.exec(line);
      return found === null ? null : found[0];
    }),
  breaks: [file('README.md', `cd ${['', 'home', 'me', 'minnow'].join('/')}\n`)],
};

const registries: Rule = {
  name: 'no registry is named',
  check: tree =>
    perLine(
      tree.files.filter(({ path }) => /(lock\.json|\.npmrc|bunfig\.toml)$/.test(path)),
      line => (/"resolved": *"https?:|^\s*registry *=/.test(line) ? line.trim() : null),
    ),
  breaks: [
    file('package-lock.json', '  "resolved": "https://registry.example/a.tgz",\n'),
    file('.npmrc', 'registry=https://registry.example/\n'),
  ],
};

const links: Rule = {
  name: 'relative links in Markdown lead somewhere',
  check: tree => {
    const pages = tree.files.filter(({ path }) => path.endsWith('.md'));
    return pages.flatMap(page => linksOf(page).flatMap(link => brokenLink(tree, page, link)));
  },
  breaks: [
    file('README.md', 'see [the plan](docs/NONE.md)\n'),
    file('README.md', '# One\n\nsee [two](#two)\n'),
    [...file('README.md', '[x](docs/A.md#y)\n'), ...file('docs/A.md', '# X\n')],
  ],
};

function linksOf({ text }: File): string[] {
  const prose = text.replace(/^```[\s\S]*?^```/gm, '').replace(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(match => match[1]!)
    .filter(link => !/^[a-z]+:/.test(link));
}

function brokenLink(tree: Tree, page: File, link: string): Fault[] {
  const [target, anchor] = link.split('#') as [string, string?];
  const folder = `/${page.path}`.replace(/[^/]*$/, '');
  const path = target === '' ? page.path : new URL(target, `file://${folder}`).pathname.slice(1);
  const there = tree.has(path) || tree.files.some(other => other.path.startsWith(`${path}/`));
  if (!there) return [{ where: page.path, what: `links to ${link}, which is not there` }];
  const other = tree.files.find(candidate => candidate.path === path);
  if (anchor === undefined || other === undefined || anchorsOf(other).has(anchor)) return [];
  return [{ where: page.path, what: `links to ${link}, a heading that is not there` }];
}

function anchorsOf({ text }: File): Set<string> {
  const headings = [...text.matchAll(/^#+ +(.*)$/gm)].map(match => match[1]!.toLowerCase());
  return new Set(
    headings.map(line =>
      line
        .replace(/[^\w\- ]/g, '')
        .trim()
        .replaceAll(' ', '-'),
    ),
  );
}

export const shapeRules: readonly Rule[] = [
  opening,
  names,
  columns,
  fileLength,
  functionLength,
  folderSize,
  marks,
  machinePaths,
  registries,
  links,
];
