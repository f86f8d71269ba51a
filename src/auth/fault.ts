// The error of a file that [auth] names.

/** What an operator has to mend, a line each: "/etc/minnow/passwd:7: …". */
export class AuthFault extends Error {
  readonly lines: readonly string[];

  constructor(lines: readonly string[]) {
    super(lines.join('\n'));
    this.name = 'AuthFault';
    this.lines = lines;
  }
}
