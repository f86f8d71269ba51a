// `minnow platform`: what was seen of this machine, what was chosen for it, and why.

import type { LoadedConfig } from '../config/config.ts';
import { type Facts, readFacts } from '../platform/facts.ts';
import { type Choice, cpusOf, memoryOf, type Profile } from '../platform/profile.ts';
import { tryOut } from '../platform/trial.ts';
import { parseFlags, print } from './command.ts';
import { Exit } from './exit.ts';
import { configFlags, configUsage, loadForThisMachine } from './load.ts';

const usage = `Usage: minnow platform [flags]

Prints what minnow sees of this machine, what it chooses for it and why. Every choice is an
option that can be set. Exit code ${Exit.unavailable}: what was asked for by name cannot work here.

      --json               as JSON
${configUsage}
`;

const specs = { ...configFlags, json: { type: 'boolean' } } as const;

/** A choice with what became of it: `from` is the profile or who set the option. */
interface Outcome extends Choice<unknown> {
  readonly from: string;
}

export async function run(args: string[]): Promise<number> {
  const flags = parseFlags('platform', args, specs);
  if (flags.help) {
    await print(usage);
    return Exit.ok;
  }
  const loaded = await loadForThisMachine(flags, request =>
    readFacts({ ...request, libcVersion: true }),
  );
  const { profile } = loaded;
  const facts = loaded.facts.ffi.works === null ? await tryOut(loaded.facts) : loaded.facts;
  const choices = outcomes(profile, loaded);
  const report = { facts, profile: profile.name, choices, notes: profile.notes };
  await print(flags.json ? JSON.stringify(report, null, 2) : asText(report));
  return Exit.ok;
}

function outcomes(profile: Profile, { settings, sourceOf }: LoadedConfig) {
  const found: Record<string, Outcome> = {};
  for (const [path, choice] of Object.entries(profile.choices)) {
    const [section, key] = path.split('.');
    const group = settings[section as keyof typeof settings] as unknown;
    const value = key === undefined ? group : (group as Record<string, unknown>)[key];
    const from = sourceOf(path) ?? 'default';
    const ours = from.startsWith('profile ') || from === 'this machine';
    const why = ours ? choice.why : `set by ${from}; chosen was ${choice.value}: ${choice.why}`;
    found[path] = { value, why: value === choice.value ? choice.why : why, from };
  }
  return found;
}

interface Report {
  readonly facts: Facts;
  readonly profile: string;
  readonly choices: Readonly<Record<string, Outcome>>;
  readonly notes: readonly string[];
}

function asText({ facts, profile, choices, notes }: Report): string {
  const chosen = Object.entries(choices).map(([path, { value, why }]) => [
    path,
    valueText(path, value),
    why,
  ]);
  const parts = [
    `Seen\n${columns(seen(facts))}`,
    `Chosen: profile ${profile}\n${columns(chosen)}`,
    ...(notes.length === 0 ? [] : [`To be noted\n${notes.map(note => `  ${note}`).join('\n')}`]),
  ];
  return parts.join('\n\n');
}

function seen(facts: Facts): string[][] {
  const { cpu, libc, runtime, descriptors, openwrt, ffi, storage } = facts;
  const quota = facts.cpuQuota === null ? 'no quota' : `a quota of ${facts.cpuQuota}`;
  const limit = facts.memoryLimitBytes === null ? 'no limit' : `limit ${size(memoryOf(facts))}`;
  const yes = (is: boolean) => (is ? 'yes' : 'no');
  const simd = cpu.neon === null ? '' : `, ${cpu.neon ? '' : 'no '}NEON`;
  const trial = ffi.works ? 'works' : `does not work: ${ffi.fault}`;
  return [
    ['runtime', `${runtime.name} ${runtime.version}`],
    ['system', `${facts.system} ${facts.kernel}, ${libc.name} ${libc.version ?? ''}`.trim()],
    ['architecture', `${cpu.level}, ${cpu.float} float${simd}`],
    ['processor', cpu.model || 'unnamed'],
    ['processors', `${cpu.allowed} of ${cpu.online}, ${quota}: ${cpusOf(facts)} to use`],
    ['memory', `${size(facts.memoryBytes)}, ${limit}`],
    ['descriptors', `${descriptors.soft} of ${descriptors.hard}`],
    [
      'OpenWrt',
      openwrt === null ? 'no' : `${openwrt.release}, ${openwrt.target}, ${openwrt.packages}`,
    ],
    [
      'kernel has',
      `epoll ${yes(facts.epoll)}, eventfd ${yes(facts.eventfd)}, io_uring ${facts.ioUring}`,
    ],
    ['libc by', `${ffi.by}, which ${trial}`],
    [
      'data directory',
      `${storage.directory}: ${storage.fileSystem} on ${storage.device}, ${storage.medium}` +
        (storage.readOnly ? ', read-only' : ''),
    ],
  ];
}

const size = (bytes: number) => `${Math.round(bytes / 2 ** 20).toLocaleString('en')} MB`;

function valueText(path: string, value: unknown): string {
  if (typeof value !== 'number') return String(value);
  if (!/bytes/i.test(path) || value === 0) return value.toLocaleString('en');
  return value % 2 ** 20 === 0 ? `${value / 2 ** 20} MB` : `${Math.round(value / 1024)} kB`;
}

/** Every column but the last as wide as its widest cell. */
function columns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, at) => Math.max(...rows.map(row => row[at]!.length)));
  const lines = rows.map(row =>
    row.map((cell, at) => (at < row.length - 1 ? cell.padEnd(widths[at]!) : cell)).join('  '),
  );
  return lines.map(line => `  ${line}`).join('\n');
}
