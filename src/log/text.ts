// How a log line looks to a person, and what keeps foreign text inside its line: every control,
// format and separator character is written as an escape, long values are cut.

const VALUE_LENGTH_MAX = 256;
const UNSAFE = /[\p{C}\u2028\u2029]/u;
const UNSAFE_ALL = /[\p{C}\u2028\u2029]/gu;

/** JSON.stringify leaves DEL, C1 controls, bidi overrides and lone surrogates as they are. */
const UNSAFE_IN_JSON = /[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]/u;

function escapeOne(char: string): string {
  const units = Array.from({ length: char.length }, (_, i) => char.charCodeAt(i));
  return units.map(unit => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
}

/** Cuts a value that a peer may have made as long as it liked. */
export function shorten(value: string): string {
  if (value.length <= VALUE_LENGTH_MAX) return value;
  return `${value.slice(0, VALUE_LENGTH_MAX)}… (${value.length} characters)`;
}

/** A finished JSON line with what JSON allows but a terminal obeys written as escapes. */
export function escapeControls(line: string): string {
  if (!UNSAFE_IN_JSON.test(line)) return line;
  const end = line.endsWith('\n') ? line.length - 1 : line.length;
  return line.slice(0, end).replace(UNSAFE_ALL, escapeOne) + line.slice(end);
}

/** A value as it stands in a line: bare when it is one plain word, quoted otherwise. */
export function valueText(value: unknown): string {
  if (typeof value !== 'string') return String(value);
  const bare = value !== '' && !/[\s"=\\]/.test(value) && !UNSAFE.test(value);
  return bare ? value : JSON.stringify(value).replace(UNSAFE_ALL, escapeOne);
}

const COLOURS: Record<string, string> = { debug: '90', info: '32', warn: '33', error: '31' };
const LABELS = new Map([
  [20, 'debug'],
  [30, 'info'],
  [40, 'warn'],
  [50, 'error'],
]);

interface Bindings {
  bindings(): Record<string, unknown>;
}

/** A pino destination that gets the values beside the JSON line and writes text instead. */
export class TextLines {
  lastLevel = 0;
  lastMsg = '';
  lastObj: Record<string, unknown> = {};
  lastTime = '';
  lastLogger: Bindings | null = null;
  private readonly style: { terminal: boolean; colours: boolean };
  private readonly out: (line: string) => void;

  constructor(style: { terminal: boolean; colours: boolean }, out: (line: string) => void) {
    this.style = style;
    this.out = out;
    // Asks pino to set the last* fields before each write.
    Object.assign(this, { [Symbol.for('pino.metadata')]: true });
  }

  write(_json: string): void {
    const level = LABELS.get(this.lastLevel) ?? '?';
    const module = String(this.lastLogger?.bindings().module ?? '');
    // Pino hands over the time as it stands in the JSON line: digits and dashes in quotes.
    const stamp = /\d{4}-[^"]*/.exec(this.lastTime)?.[0] ?? '';
    const time = this.style.terminal ? localTime(stamp) : stamp;
    const label = this.paint(COLOURS[level], level.padEnd(5));
    const message = this.lastMsg.replace(UNSAFE_ALL, escapeOne);
    let line = `${this.paint('90', time)} ${label} ${module.padEnd(7)} ${message}`;
    for (const [key, value] of Object.entries(this.lastObj)) {
      line += ` ${this.paint('36', key)}=${valueText(value)}`;
    }
    this.out(`${line}\n`);
  }

  private paint(colour: string | undefined, text: string): string {
    return this.style.colours && colour ? `\x1b[${colour}m${text}\x1b[0m` : text;
  }
}

/** The time of day where the terminal stands. */
function localTime(stamp: string): string {
  const date = new Date(stamp);
  const two = (n: number) => String(n).padStart(2, '0');
  const ms = String(date.getMilliseconds()).padStart(3, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${ms}`;
}
