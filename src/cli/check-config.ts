// `minnow check-config`: reads the configuration as serve would, says what is wrong and starts
// nothing.

import { parseFlags, print } from './command.ts';
import { Exit } from './exit.ts';
import { configFlags, configUsage, loadForThisMachine } from './load.ts';

const usage = `Usage: minnow check-config [flags]

Reads the configuration as "minnow serve" would, with the same flags, and starts nothing.
Exit code ${Exit.ok}: it is right. ${Exit.config}: one line per fault on standard error.

${configUsage}
`;

export async function run(args: string[]): Promise<number> {
  const flags = parseFlags('check-config', args, configFlags);
  if (flags.help) {
    await print(usage);
    return Exit.ok;
  }
  const { warnings } = await loadForThisMachine(flags);
  for (const warning of warnings) process.stderr.write(`minnow: warning: ${warning}\n`);
  await print('the configuration is right');
  return Exit.ok;
}
