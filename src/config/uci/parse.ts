// The syntax of OpenWrt's UCI files: sections of options and lists, as text. What a section or an
// option means is not known here.
//
//   config listener 'lan'
//           option port '1883'
//           list topic 'sensors/#'

export interface UciOption {
  readonly name: string;
  /** One for `option`; as many as there are lines for `list`. */
  readonly values: readonly string[];
  /** Where it stands; for a list, its first line. */
  readonly line: number;
}

export interface UciSection {
  readonly type: string;
  /** Empty where the section has none. */
  readonly name: string;
  readonly line: number;
  /** By name, in the order in which they were first said. */
  readonly options: ReadonlyMap<string, UciOption>;
}

export interface UciFault {
  readonly line: number;
  readonly text: string;
}

export interface UciFile {
  readonly sections: readonly UciSection[];
  readonly faults: readonly UciFault[];
}

interface OpenSection extends UciSection {
  readonly options: Map<string, UciOption & { readonly list: boolean }>;
}

/** Types and names of sections and options; a hyphen only in types. */
const NAME = /^\w+$/;
const TYPE = /^[\w-]+$/;

/** Reads everything there is to read, and says everything that is wrong. */
export function parseUci(text: string): UciFile {
  const parser = new Parser();
  for (const { line, words, fault } of wordsOf(text)) {
    if (fault === null) parser.take(line, words);
    else parser.fault(line, fault);
  }
  return parser;
}

class Parser implements UciFile {
  readonly sections: OpenSection[] = [];
  readonly faults: UciFault[] = [];
  private open: OpenSection | null = null;

  fault(line: number, text: string): void {
    this.faults.push({ line, text });
  }

  take(line: number, [keyword, first, second, ...more]: readonly string[]): void {
    switch (keyword) {
      case 'package': // the file's name says it, too
        return;
      case 'config':
        if (first === undefined || !TYPE.test(first)) {
          this.fault(line, 'expected "config TYPE" or "config TYPE NAME"');
        } else if (second !== undefined && !NAME.test(second)) {
          this.fault(line, `config ${first}: a name has letters, digits and underscores only`);
        }
        this.begin(line, first ?? '', second ?? '');
        break;
      case 'option':
      case 'list':
        if (first === undefined || second === undefined || !NAME.test(first)) {
          this.fault(line, `expected "${keyword} NAME VALUE"`);
        } else {
          this.add(line, keyword === 'list', first, second);
        }
        break;
      default:
        this.fault(line, `found "${keyword.slice(0, 60)}", expected config, option or list`);
        return;
    }
    if (more.length > 0) this.fault(line, 'more words than expected; is a quote missing?');
  }

  /** A section that was there before is continued, as the uci tool does. */
  private begin(line: number, type: string, name: string): void {
    const known = this.sections.find(section => name !== '' && section.name === name);
    if (known !== undefined && known.type !== type) {
      this.fault(line, `config ${type} '${name}': line ${known.line} gives that name to another`);
    }
    this.open = known?.type === type ? known : { type, name, line, options: new Map() };
    if (this.open !== known) this.sections.push(this.open);
  }

  private add(line: number, list: boolean, name: string, value: string): void {
    if (this.open === null) {
      this.fault(line, `${name}: stands above every section`);
      return;
    }
    const before = this.open.options.get(name);
    const more = list && before?.list ? before : { line, values: [] };
    this.open.options.set(name, { name, list, line: more.line, values: [...more.values, value] });
  }
}

interface Words {
  readonly line: number;
  readonly words: readonly string[];
  readonly fault: string | null;
}

/** A blank, a comment, a quoted part, or a run of what is neither. */
const PART = /[ \t\r]+|#[^\n]*|'[^']*'|"(?:\\.|[^"\\])*"|(?:\\.|[^\s'"\\])+|\n/sy;
/** What ends a word. */
const BETWEEN = /^[\s#]/;

/** The words of each line that has any; a quoted part may go over several. */
function* wordsOf(text: string): Generator<Words> {
  let line = 1;
  let began = 1;
  let words: string[] = [];
  let word: string | null = null;
  PART.lastIndex = 0;
  while (PART.lastIndex < text.length) {
    const at = PART.lastIndex;
    const part = PART.exec(text)?.[0];
    if (part === undefined) {
      const quote = text[at] !== '\\';
      const fault = quote ? 'a quote without an end' : 'a backslash with nothing behind it';
      yield { line, words, fault };
      return;
    }
    line += part.split('\n').length - 1;
    if (!BETWEEN.test(part)) {
      word = (word ?? '') + meant(part);
      continue;
    }
    if (word !== null) words.push(word);
    word = null;
    if (part !== '\n') continue;
    if (words.length > 0) yield { line: began, words, fault: null };
    words = [];
    began = line;
  }
  if (word !== null) words.push(word);
  if (words.length > 0) yield { line: began, words, fault: null };
}

/** What a part stands for: in single quotes every character is itself. */
function meant(part: string): string {
  if (part[0] === "'") return part.slice(1, -1);
  const inner = part[0] === '"' ? part.slice(1, -1) : part;
  return inner.replaceAll(/\\(.)/gs, '$1');
}
