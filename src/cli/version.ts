// `minnow version`: which minnow, on which runtime, for which machine.

import { version } from '../version.ts';
import { parseFlags, print } from './command.ts';
import { Exit } from './exit.ts';

const usage = `Usage: minnow version

Prints the version, the runtime and the machine it was built for.
`;

export async function run(args: string[]): Promise<number> {
  const flags = parseFlags('version', args, {});
  const { bun, node } = process.versions;
  const runtime = bun === undefined ? `node ${node}` : `bun ${bun}`;
  const machine = `${process.platform} ${process.arch}`;
  await print(flags.help ? usage : `minnow ${version} (${runtime}, ${machine})`);
  return Exit.ok;
}
