// `minnow ctl`: asks a running broker on this machine, over its control socket.

import type { SessionDetail, SessionInfo } from '../core/report/control.ts';
import { valueText } from '../log/text.ts';
import { SESSION_NEVER_EXPIRES } from '../mqtt/packet.ts';
import type { ReloadReport } from '../reload.ts';
import { ask } from './ask.ts';
import { type Flag, type Flags, UsageError } from './client/flags.ts';
import { runCommand, usageText } from './client/run-command.ts';
import { print } from './command.ts';
import { Exit } from './exit.ts';
import { configFlagsOf, load } from './load.ts';

const ANSWER_TIMEOUT_MS = 30_000;

const flagTable: readonly Flag[] = [
  { long: 'json', help: 'print the answer as JSON' },
  { long: 'data', value: 'DIR', help: 'the data directory of the broker' },
  { long: 'socket', value: 'PATH', help: 'its control socket (control.sock in DIR)' },
  { long: 'config', short: 'c', value: 'FILE', help: 'its configuration, which names both' },
  { long: 'uci', value: 'FILE', help: "the same, OpenWrt's" },
  { long: 'set', value: 'KEY=VALUE', help: 'as given to the broker' },
  { long: 'help', short: 'h', help: 'this text' },
];

interface Action {
  /** The operand's name in requests; none when the command takes none. */
  readonly operand?: 'id' | 'filter';
  readonly help: string;
  render(result: unknown): string;
}

const actions: Readonly<Record<string, Action>> = {
  clients: {
    help: 'all clients: those connected and those whose session waits',
    render: result => clientTable(result as SessionInfo[]),
  },
  client: {
    operand: 'id',
    help: 'one client and what it subscribed to',
    render: result => clientPage(result as SessionDetail),
  },
  kick: { operand: 'id', help: 'disconnect a client', render: done('disconnected') },
  'drop-session': {
    operand: 'id',
    help: 'end a session and forget what waits in it',
    render: done('session dropped'),
  },
  'retained-delete': {
    operand: 'filter',
    help: 'delete the retained messages that match a filter',
    render: result => `${(result as { deleted: number }).deleted} retained messages deleted`,
  },
  reload: {
    help: 'read the configuration again and take over what can be',
    render: reloadText,
  },
  stats: {
    help: "the broker's figures",
    render: result => pairs(Object.entries(result as Record<string, unknown>)),
  },
};

function usage(): string {
  const heads = Object.entries(actions).map(
    ([name, { operand, help }]) =>
      `  ${`${name} ${operand?.toUpperCase() ?? ''}`.padEnd(24)}${help}`,
  );
  return usageText(`minnow ctl [flags] COMMAND\n\n${heads.join('\n')}`, flagTable);
}

export function run(args: string[]): Promise<number> {
  return runCommand({ name: 'ctl', usage: usage(), flags: flagTable, run: steer }, args);
}

async function steer(flags: Flags): Promise<number> {
  const { action, request } = readRequest(flags.operands);
  const answer = await ask(await socketPath(flags), request, ANSWER_TIMEOUT_MS);
  if (!answer.ok) {
    process.stderr.write(`minnow: ${answer.error ?? 'no answer'}\n`);
    return 1;
  }
  await print(flags.has('json') ? JSON.stringify(answer.result) : action.render(answer.result));
  return Exit.ok;
}

function readRequest(operands: readonly string[]): { action: Action; request: object } {
  const [command, operand, ...rest] = operands;
  const names = Object.keys(actions).join(', ');
  if (command === undefined || !Object.hasOwn(actions, command)) {
    const found = command === undefined ? 'a command is missing' : `unknown command "${command}"`;
    throw new UsageError(`${found}; there are ${names}`);
  }
  const action = actions[command];
  const expected = action.operand === undefined ? 0 : 1;
  const given = operand === undefined ? 0 : 1 + rest.length;
  if (given !== expected) {
    const wanted = action.operand === undefined ? 'no operand' : `one ${action.operand}`;
    throw new UsageError(`${command} takes ${wanted}, found ${given}`);
  }
  const named = action.operand === undefined ? {} : { [action.operand]: operand };
  return { action, request: { command, ...named } };
}

/** Where the broker's socket is: said outright, or found as the broker itself finds it. */
async function socketPath(flags: Flags): Promise<string> {
  const given = flags.text('socket');
  if (given !== undefined) return given;
  return (await load(configFlagsOf(flags))).config.control.path;
}

function done(what: string): (result: unknown) => string {
  return result => `${valueText((result as { id: string }).id)}: ${what}`;
}

function reloadText(result: unknown): string {
  const { applied, restart } = result as ReloadReport;
  const taken =
    applied.length === 0 ? 'no option has changed' : `taken over: ${applied.join(', ')}`;
  const later = `these wait for a restart: ${restart.join(', ')}`;
  return restart.length === 0 ? taken : `${taken}\n${later}`;
}

// Client ids and topics are chosen by strangers: valueText lets nothing in them steer a terminal.

function clientTable(clients: readonly SessionInfo[]): string {
  const head = ['CLIENT', 'PEER', 'USER', 'MQTT', 'UP', 'SUBS', 'QUEUED', 'INFLIGHT', 'EXPIRES'];
  const rows = clients.map(client => [
    valueText(client.clientId),
    client.connected ? client.peer : '-',
    client.username === null ? '-' : valueText(client.username),
    versionText(client.version),
    duration(client.connectedForMs),
    String(client.subscriptions),
    String(client.queued),
    String(client.inflight),
    expiry(client.sessionExpirySeconds),
  ]);
  return table([head, ...rows]);
}

function clientPage(client: SessionDetail): string {
  const facts: [string, unknown][] = [
    ['client', valueText(client.clientId)],
    ['connected', client.connected ? `for ${duration(client.connectedForMs)}` : 'no'],
    [client.connected ? 'peer' : 'last peer', client.peer],
    ['user', client.username === null ? '-' : valueText(client.username)],
    ['protocol', versionText(client.version)],
    ['keep alive', client.keepAliveSeconds === null ? '-' : `${client.keepAliveSeconds} s`],
    ['session expires', expiry(client.sessionExpirySeconds)],
    ['queued', `${client.queued} (${client.queuedBytes} bytes)`],
    ['in flight', client.inflight],
    ['subscriptions', client.subscriptions],
  ];
  const filters = client.filters.map(({ filter, qos }) => `  QoS ${qos}  ${valueText(filter)}`);
  return [pairs(facts), ...filters].join('\n');
}

function versionText(version: number | null): string {
  return version === null ? '-' : ({ 3: '3.1', 4: '3.1.1', 5: '5.0' }[version] ?? String(version));
}

/** 90061000 → "1d 1h": the two largest units. */
export function duration(ms: number | null): string {
  if (ms === null) return '-';
  const seconds = Math.floor(ms / 1000);
  const units: [number, string][] = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ];
  const first = units.findIndex(([count]) => count > 0);
  if (first < 0) return '0s';
  return units
    .slice(first, first + 2)
    .map(([count, unit]) => `${count}${unit}`)
    .join(' ');
}

function expiry(seconds: number): string {
  if (seconds === SESSION_NEVER_EXPIRES) return 'never';
  return seconds === 0 ? 'at disconnect' : `after ${duration(seconds * 1000)}`;
}

function pairs(entries: readonly (readonly [string, unknown])[]): string {
  return table(entries.map(([name, value]) => [name, String(value)]));
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, i) => Math.max(...rows.map(row => row[i].length))) ?? [];
  return rows
    .map(row =>
      row
        .map((cell, i) => cell.padEnd(widths[i]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
