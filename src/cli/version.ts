// `minnow version`: which minnow, on which runtime, for which machine.

import { build, version } from '../version.ts';
import { parseFlags, print } from './command.ts';
import { Exit } from './exit.ts';

const usage = `Usage: minnow version

Prints the version, the runtime and the machine; below it the target that it was built for and the
commit that it was built from.
`;

export async function run(args: string[]): Promise<number> {
  const flags = parseFlags('version', args, {});
  const { bun, node } = process.versions;
  const runtime = bun === undefined ? `node ${node}` : `bun ${bun}`;
  const machine = `${process.platform} ${process.arch}`;
  const built = build === null ? '' : `\ntarget ${build.target}\ncommit ${build.commit}`;
  await print(flags.help ? usage : `minnow ${version} (${runtime}, ${machine})${built}`);
  return Exit.ok;
}
