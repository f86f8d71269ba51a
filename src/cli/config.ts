// `minnow config`: the effective configuration, secrets masked, or what there is to configure.

import { parseFlags, print } from './command.ts';
import { Exit } from './exit.ts';
import { configFlags, configUsage, loadForThisMachine } from './load.ts';

const usage = `Usage: minnow config [flags]

Prints the effective configuration as TOML, with secrets masked. What is not a default
has a comment that says who decided it; a profile is what suits this machine.

      --reference          print the reference of all options instead (Markdown)
      --sample             print a sample file with every option and its default instead
${configUsage}
`;

const specs = {
  ...configFlags,
  reference: { type: 'boolean' },
  sample: { type: 'boolean' },
} as const;

export async function run(args: string[]): Promise<number> {
  const flags = parseFlags('config', args, specs);
  if (flags.help) {
    await print(usage);
  } else if (flags.reference) {
    await print((await import('../config/reference.ts')).reference());
  } else if (flags.sample) {
    await print((await import('../config/reference.ts')).sample());
  } else {
    const { settings, sourceOf } = await loadForThisMachine(flags);
    await print((await import('../config/effective.ts')).effectiveToml(settings, sourceOf));
  }
  return Exit.ok;
}
