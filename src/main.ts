// The composition root's door: picks the command, loads only its code, turns its outcome into an
// exit code. `minnow` alone is `minnow serve`.

import { type Command, print } from './cli/command.ts';
import { Exit, Failure } from './cli/exit.ts';
import { suggest } from './config/suggest.ts';
import { startIsOver } from './platform/jit.ts';

interface Entry {
  readonly summary: string;
  load(): Promise<Command>;
}

const commands: Readonly<Record<string, Entry>> = {
  serve: { summary: 'run the broker (the default)', load: () => import('./cli/serve.ts') },
  'check-config': {
    summary: 'say what is wrong with the configuration',
    load: () => import('./cli/check-config.ts'),
  },
  config: {
    summary: 'print the effective configuration, or the reference of all options',
    load: () => import('./cli/config.ts'),
  },
  import: {
    summary: 'write a minnow.toml that means the same as a mosquitto.conf',
    load: () => import('./cli/import.ts'),
  },
  pub: {
    summary: 'publish messages, like mosquitto_pub',
    load: () => import('./cli/client/pub.ts'),
  },
  sub: {
    summary: 'subscribe and print, like mosquitto_sub',
    load: () => import('./cli/client/sub.ts'),
  },
  bench: {
    summary: 'load a broker and say what it took, how fast and in which order',
    load: () => import('./cli/bench/bench.ts'),
  },
  ctl: { summary: 'ask or steer a running broker', load: () => import('./cli/ctl.ts') },
  reload: {
    summary: 'have a running broker read its configuration again',
    load: async () => {
      const ctl = await import('./cli/ctl.ts');
      return { run: args => ctl.run([...args, 'reload']) };
    },
  },
  store: {
    summary: 'look after what the broker keeps: stat, check, export, import, backup, compact',
    load: () => import('./cli/store.ts'),
  },
  platform: {
    summary: 'say what was seen of this machine, what was chosen for it, and why',
    load: () => import('./cli/platform.ts'),
  },
  passwd: {
    summary: 'create, change and delete users of a password file',
    load: () => import('./cli/auth/passwd.ts'),
  },
  acl: {
    summary: 'say what a client may do, and which rule decides it',
    load: () => import('./cli/auth/acl.ts'),
  },
  rpcd: {
    summary: "answer OpenWrt's web interface, as rpcd asks",
    load: () => import('./cli/openwrt/rpcd.ts'),
  },
  version: { summary: 'print the version', load: () => import('./cli/version.ts') },
};

function overview(): string {
  const width = Math.max(...Object.keys(commands).map(name => name.length));
  const lines = Object.entries(commands).map(
    ([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`,
  );
  return `minnow: an MQTT broker in one file

Usage: minnow [command] [flags]

${lines.join('\n')}
  ${'help'.padEnd(width)}  print this, or more about one command: minnow help serve
`;
}

function load(name: string): Promise<Command> {
  if (name !== 'serve') startIsOver(); // the broker knows best when its own is
  return commands[name].load();
}

async function find(name: string): Promise<Command> {
  if (Object.hasOwn(commands, name)) return load(name);
  const near = suggest(name, [...Object.keys(commands), 'help']);
  const hint = near === null ? 'minnow help lists all commands' : `did you mean "${near}"?`;
  throw new Failure(Exit.usage, `unknown command "${name}"; ${hint}`);
}

async function help(name: string | undefined): Promise<number> {
  if (name !== undefined && name !== 'help') return (await find(name)).run(['--help']);
  await print(overview());
  return Exit.ok;
}

async function dispatch(args: readonly string[]): Promise<number> {
  const [first = 'serve', ...rest] = args;
  if (first === 'help') return help(rest[0]);
  if (first === '--help' || first === '-h') return help(undefined);
  if (first === '--version' || first === '-V') return (await load('version')).run(rest);
  if (first.startsWith('-')) return (await load('serve')).run([...args]);
  return (await find(first)).run(rest);
}

/** Runs one command line and gives the exit code. Faults go to standard error, a line each. */
async function main(args: readonly string[]): Promise<number> {
  try {
    return await dispatch(args);
  } catch (error) {
    if (error instanceof Failure) {
      for (const line of error.lines) process.stderr.write(`minnow: ${line}\n`);
      return error.code;
    }
    return reportBug(error);
  }
}

function reportBug(error: unknown): number {
  const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`minnow: this is a bug in minnow, please report it\n${what}\n`);
  return Exit.internal;
}

// A broker whose state may be wrong stops; who supervises it starts it again.
for (const event of ['uncaughtException', 'unhandledRejection']) {
  process.on(event, error => process.exit(reportBug(error)));
}

process.exit(await main(process.argv.slice(2)));
