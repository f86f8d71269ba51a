// Reads command-line flags against a table, the same for every client command: short and long
// names, clusters (-dv), attached values (-p1883, --port=1883), repetition, and flags that take
// more than one word (-D). The help text is made from the same table. Knows no flag by name.

export interface Flag {
  /** Without the two dashes; the name the value is asked for by. */
  readonly long: string;
  readonly short?: string;
  /** What the value is called in the help text; a flag without one is a switch. */
  readonly value?: string;
  /** How many of the words that follow belong to the flag; one unless said otherwise. */
  readonly words?: (following: readonly string[]) => number;
  readonly help: string;
}

/** The command line is wrong; the message says what, and what was expected. */
export class UsageError extends Error {}

/** What was given: asked for by long name. */
export class Flags {
  readonly operands: string[] = [];
  readonly #given = new Map<string, string[][]>();

  add(long: string, words: string[]): void {
    const all = this.#given.get(long);
    if (all) all.push(words);
    else this.#given.set(long, [words]);
  }

  has(long: string): boolean {
    return this.#given.has(long);
  }

  /** The last value given, as with most tools: later words override earlier ones. */
  text(long: string): string | undefined {
    return this.#given.get(long)?.at(-1)?.[0];
  }

  /** Every value given, in order. */
  texts(long: string): string[] {
    return this.tuples(long).map(words => words[0]);
  }

  tuples(long: string): string[][] {
    return this.#given.get(long) ?? [];
  }

  integer(long: string, min: number, max: number): number | undefined {
    const text = this.text(long);
    return text === undefined ? undefined : integer(`--${long}`, text, min, max);
  }
}

/** `text` as a whole number between the bounds, or a UsageError that names `what`. */
export function integer(what: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (/^[+-]?\d+$/.test(text) && value >= min && value <= max) return value;
  throw new UsageError(`${what}: '${text}' is not a whole number from ${min} to ${max}`);
}

export function parseFlags(args: readonly string[], table: readonly Flag[]): Flags {
  return new Reader(args, table).read();
}

class Reader {
  readonly #args: readonly string[];
  readonly #table: readonly Flag[];
  readonly #flags = new Flags();
  #at = 0;

  constructor(args: readonly string[], table: readonly Flag[]) {
    this.#args = args;
    this.#table = table;
  }

  read(): Flags {
    while (this.#at < this.#args.length) {
      const arg = this.#args[this.#at++];
      if (arg === '--') {
        this.#flags.operands.push(...this.#args.slice(this.#at));
        break;
      }
      if (arg.startsWith('--')) this.#long(arg.slice(2));
      else if (arg.startsWith('-') && arg !== '-') this.#cluster(arg.slice(1));
      else this.#flags.operands.push(arg);
    }
    return this.#flags;
  }

  #long(arg: string): void {
    const equals = arg.indexOf('=');
    const name = equals < 0 ? arg : arg.slice(0, equals);
    const flag = this.#table.find(candidate => candidate.long === name);
    if (!flag) throw new UsageError(`unknown option --${name}`);
    if (flag.value !== undefined) {
      this.#take(flag, `--${name}`, flag.value, equals < 0 ? null : arg.slice(equals + 1));
    } else if (equals < 0) {
      this.#flags.add(flag.long, []);
    } else {
      throw new UsageError(`--${name} takes no value`);
    }
  }

  /** Single letters behind one dash: switches, then at most one flag that takes the rest. */
  #cluster(letters: string): void {
    for (let i = 0; i < letters.length; i++) {
      const flag = this.#table.find(candidate => candidate.short === letters[i]);
      if (!flag) throw new UsageError(`unknown option -${letters[i]}`);
      if (flag.value === undefined) {
        this.#flags.add(flag.long, []);
        continue;
      }
      const rest = letters.slice(i + 1);
      this.#take(flag, `-${letters[i]}`, flag.value, rest === '' ? null : rest);
      return;
    }
  }

  /** Takes the words of `flag`; `attached` is what stood in the same argument. */
  #take(flag: Flag, name: string, value: string, attached: string | null): void {
    const first = attached === null ? [] : [attached];
    const following = [...first, ...this.#args.slice(this.#at)];
    const wanted = flag.words ? flag.words(following) : 1;
    if (following.length < wanted) throw new UsageError(`${name} needs ${value}`);
    this.#flags.add(flag.long, following.slice(0, wanted));
    this.#at += wanted - first.length;
  }
}

/** One line per flag: names, value, help; aligned. */
export function helpText(table: readonly Flag[]): string {
  const heads = table.map(flag => {
    const short = flag.short === undefined ? '    ' : `-${flag.short}, `;
    return `  ${short}--${flag.long}${flag.value === undefined ? '' : ` ${flag.value}`}`;
  });
  const width = Math.min(34, Math.max(...heads.map(head => head.length)));
  return table
    .map((flag, i) => {
      const gap = heads[i].length > width ? `\n${' '.repeat(width)}` : '';
      return `${heads[i].padEnd(width)}${gap}  ${flag.help}\n`;
    })
    .join('');
}
