// The project as the tidy rules see it: every text file of the tree, and a syntax tree for each
// TypeScript source. The parser is TypeScript's own, asked through its API over a virtual file
// system, so that the samples that break a rule are read in the very same way as the project.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Node, SourceFile } from 'typescript/unstable/ast';
import {
  isCallExpression,
  isFunctionLikeDeclaration,
  isIdentifier,
} from 'typescript/unstable/ast/is';
import { API } from 'typescript/unstable/async';

export interface File {
  /** From the root of the project, with slashes. */
  readonly path: string;
  readonly text: string;
}

export interface Source extends File {
  readonly ast: SourceFile;
}

export interface Tree {
  readonly files: readonly File[];
  readonly sources: readonly Source[];
  has(path: string): boolean;
}

/** What the tools of a checkout leave at its root. */
const notOurs = new Set(['node_modules', 'dist', 'data', '.git']);

/** Reads every file below `root` that is ours; binary files have no lines worth reading. */
export function readFiles(root: string, below = ''): File[] {
  const files: File[] = [];
  for (const entry of readdirSync(join(root, below), { withFileTypes: true })) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (notOurs.has(path)) continue; // also as a file or a link, as a worktree has them
    if (entry.isDirectory()) {
      files.push(...readFiles(root, path));
    } else if (entry.isFile() && statSync(join(root, path)).size < 1_000_000) {
      const text = readFileSync(join(root, path), 'utf8');
      if (!text.includes('\0')) files.push({ path, text });
    }
  }
  return files;
}

/** Parses several sets of files in one go; they do not see each other. */
export async function parseTrees(sets: readonly (readonly File[])[]): Promise<Tree[]> {
  const texts = new Map<string, string>();
  for (const [index, files] of sets.entries()) {
    for (const file of files) texts.set(`/${index}/${file.path}`, file.text);
  }
  const config = {
    compilerOptions: { noLib: true, noResolve: true, types: [], allowImportingTsExtensions: true },
    files: [...texts.keys()].filter(path => path.endsWith('.ts')),
  };
  texts.set('/tsconfig.json', JSON.stringify(config));
  const folders = new Set([...texts.keys()].map(path => path.slice(0, path.lastIndexOf('/'))));
  const api = new API({
    fs: {
      readFile: path => texts.get(path) ?? null,
      fileExists: path => texts.has(path),
      directoryExists: path => folders.has(path),
      realpath: path => path,
    },
  });
  try {
    const snapshot = await api.updateSnapshot({ openProjects: ['/tsconfig.json'] });
    const program = snapshot.getProjects()[0]!.program;
    const parse = async (index: number, file: File): Promise<Source> => {
      const ast = await program.getSourceFile(`/${index}/${file.path}`);
      if (ast === undefined) throw new Error(`${file.path} was not parsed`);
      return { ...file, ast };
    };
    return await Promise.all(
      sets.map(async (files, index) => {
        const paths = new Set(files.map(file => file.path));
        const typed = files.filter(file => file.path.endsWith('.ts'));
        const sources = await Promise.all(typed.map(file => parse(index, file)));
        return { files, sources, has: (path: string) => paths.has(path) };
      }),
    );
  } finally {
    await api.close();
  }
}

/** Calls `visit` for every node below `node`, with its parent. */
export function walk(node: Node, visit: (node: Node, parent: Node) => void): void {
  node.forEachChild(child => {
    visit(child, node);
    walk(child, visit);
  });
}

/** The one-based line that a position of `source` is on. */
export function lineOf(source: Source, position: number): number {
  return source.ast.getLineAndCharacterOfPosition(position).line + 1;
}

/** Whether running `node` calls a function of that name; what waits in inner functions does not
 *  count. */
export function callsAtOnce(node: Node, name: string): boolean {
  let calls = false;
  node.forEachChild(child => {
    if (isFunctionLikeDeclaration(child)) return;
    const callee = isCallExpression(child) ? child.expression : undefined;
    const named = callee !== undefined && isIdentifier(callee) && callee.text.match(`^(${name})$`);
    calls ||= Boolean(named) || callsAtOnce(child, name);
  });
  return calls;
}
