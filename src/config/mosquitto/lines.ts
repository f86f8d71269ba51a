// The lines of a mosquitto.conf and of the files it includes, in the order in which mosquitto reads
// them. What a line means is not known here; nothing is opened here either: who calls says how the
// files of a directory are had.

/** One line that says something. */
export interface Line {
  /** The file it stands in, as the caller named it. */
  readonly file: string;
  readonly number: number;
  /** The first word. */
  readonly name: string;
  /** Everything behind it, without the spaces around; may be empty. */
  readonly value: string;
}

export interface ConfFile {
  readonly name: string;
  readonly text: string;
}

/** The files `*.conf` of a directory in the order of their names, or why there are none. */
export type ReadDirectory = (directory: string) => readonly ConfFile[] | { readonly fault: string };

/** What is wrong, collected: everything is said at once. */
export class Faults {
  readonly lines: string[] = [];

  add(at: Line, text: string): void {
    this.lines.push(`${placeOf(at)}: ${at.name}: ${text}`);
  }
}

/** "mosquitto.conf:12". */
export function placeOf({ file, number }: Line): string {
  return `${file.replaceAll(/\p{Cc}/gu, '?')}:${number}`;
}

/** The order in which mosquitto reads the files of a directory: letter by letter, A a B b. */
export function inReadingOrder(a: string, b: string): number {
  let same = 0;
  while (same < a.length && a[same] === b[same]) same++;
  const [left, right] = [a.charAt(same), b.charAt(same)];
  const folded = [left.toUpperCase(), right.toUpperCase()];
  if (folded[0] !== folded[1]) return folded[0] < folded[1] ? -1 : 1;
  return left < right ? -1 : Number(left > right);
}

// A file's lines cannot hold what would break a comment or a string of TOML.
const UNPRINTABLE = /(?!\t)\p{Cc}|\p{Cs}/u;

/** The lines of a file, with those of the files it includes where it does. */
export function readLines(
  file: ConfFile,
  readDirectory: ReadDirectory,
  faults: Faults,
): readonly Line[] {
  return linesOf(file, faults).flatMap(line => {
    if (line.name !== 'include_dir') return line;
    return [line, ...included(line, readDirectory, faults)];
  });
}

function included(at: Line, readDirectory: ReadDirectory, faults: Faults): Line[] {
  if (at.value === '') return [];
  const files = readDirectory(at.value);
  if ('fault' in files) {
    faults.add(at, files.fault);
    return [];
  }
  return files.flatMap(file => {
    const lines = linesOf(file, faults);
    for (const line of lines) {
      if (line.name === 'include_dir') faults.add(line, 'mosquitto takes it in its main file only');
    }
    return lines.filter(({ name }) => name !== 'include_dir');
  });
}

function linesOf({ name: file, text }: ConfFile, faults: Faults): Line[] {
  return text.split('\n').flatMap((raw, index) => {
    const said = raw.trim();
    if (said === '' || said.startsWith('#')) return [];
    const [, name, value] = /^(\S+)\s*(.*)$/s.exec(said) as unknown as string[];
    const line = { file, number: index + 1, name, value };
    if (!UNPRINTABLE.test(said)) return line;
    faults.add({ ...line, name: 'the line' }, 'has a character in it that cannot be printed');
    return [];
  });
}
