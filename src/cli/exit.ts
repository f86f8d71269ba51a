// How a command ends: the one table of exit codes (those of sysexits.h, so that supervisors and
// scripts know them) and the error that carries one. A Failure is an operating error: its lines are
// for a person, and no stack trace goes with them.

export const Exit = {
  ok: 0,
  /** The command line makes no sense. */
  usage: 64,
  /** An input file is missing or cannot be read. */
  noInput: 66,
  /** Something needed is not there: a port in use, an address this machine lacks, no broker. */
  unavailable: 69,
  /** A bug in minnow. */
  internal: 70,
  /** The operating system refused something else. */
  system: 71,
  /** The data directory cannot be created. */
  cannotCreate: 73,
  /** No permission. */
  noPermission: 77,
  /** The configuration is wrong. */
  config: 78,
} as const;

export type ExitCode = (typeof Exit)[keyof typeof Exit];

export class Failure extends Error {
  readonly code: ExitCode;
  readonly lines: readonly string[];

  constructor(code: ExitCode, ...lines: string[]) {
    super(lines.join('\n'));
    this.name = 'Failure';
    this.code = code;
    this.lines = lines;
  }
}

/** Node's `code` of a system error, or an empty string. */
export function errorCode(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}
