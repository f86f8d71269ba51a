// `minnow bench`: loads any broker, by TCP, TLS or WebSocket, and says what it took, how fast, in
// which order.

import { System } from '../../bench/system.ts';
import { Transport } from '../../bench/transport/transport.ts';
import type { Flags } from '../client/flags.ts';
import { runCommand, usageText } from '../client/run-command.ts';
import { print } from '../command.ts';
import { Exit, errorCode, Failure } from '../exit.ts';
import { load } from './loads.ts';
import { type Outcome, outcomeText } from './outcome.ts';
import { flagTable, kinds, settingsFrom, targetOf } from './settings.ts';

const width = Math.max(...Object.keys(kinds).map(kind => kind.length));
const lines = Object.entries(kinds).map(([kind, what]) => `  ${kind.padEnd(width)}  ${what}`);
const usage = usageText(`minnow bench KIND [options]\n\n${lines.join('\n')}`, flagTable);

export function run(args: readonly string[]): Promise<number> {
  return runCommand({ name: 'bench', usage, flags: flagTable, run: bench }, args);
}

async function bench(flags: Flags): Promise<number> {
  const settings = settingsFrom(flags);
  const target = await targetOf(settings);
  const system = await System.open().catch((error: Error) => {
    throw new Failure(Exit.unavailable, `bench: ${error.message}`);
  });
  const screen = process.stderr;
  let outcome: Outcome;
  try {
    const transport = await Transport.open(system, settings.transport);
    outcome = await load({ system, target, transport, settings, screen });
  } catch (error) {
    throw new Failure(Exit.unavailable, `bench: ${told(error, settings.host, settings.port)}`);
  }
  await print(settings.json ? JSON.stringify(outcome, null, 2) : outcomeText(outcome));
  return isSound(outcome, settings.qos) ? Exit.ok : 1;
}

/** At QoS 0 a broker may drop what it cannot pass on. */
function isSound({ faults }: Outcome, qos: number): boolean {
  if (!faults) return true;
  const { lost, repeated, outOfOrder } = faults;
  return outOfOrder + repeated === 0 && (qos === 0 || lost === 0);
}

function told(error: unknown, host: string, port: number): string {
  const code = errorCode(error);
  if (code === 'ECONNREFUSED') return `nobody listens on ${host} port ${port}`;
  if (code === 'EMFILE') return 'too many clients for the descriptors of this process (ulimit -n)';
  if (code === 'EADDRNOTAVAIL') return 'this machine has no ports left for more clients';
  if (code === 'EINPROGRESS') return `${host} port ${port} does not answer`;
  return error instanceof Error ? error.message : String(error);
}
