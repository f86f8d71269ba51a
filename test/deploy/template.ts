// As much of Helm's templates as the chart in targets/deploy/helm uses: actions with trimming,
// pipelines, `define`, `include`, `if`, `with`, and a few functions. Whatever else stands in a
// template is an error, so that the chart stays within what is tested here.

type Value = unknown;
type Scope = Readonly<Record<string, Value>>;

interface Text {
  readonly kind: 'text';
  readonly text: string;
}

interface Action {
  readonly kind: 'action';
  readonly pipeline: string;
}

interface Block {
  readonly kind: 'if' | 'with' | 'define';
  readonly head: string;
  readonly body: readonly Node[];
  readonly otherwise: readonly Node[];
}

type Node = Text | Action | Block;
type Token = Text | Action;

const isEmpty = (value: Value) =>
  value === undefined ||
  value === null ||
  value === '' ||
  value === 0 ||
  value === false ||
  (typeof value === 'object' && Object.keys(value).length === 0);

export class Templates {
  readonly #defined = new Map<string, readonly Node[]>();
  readonly #files = new Map<string, readonly Node[]>();

  constructor(files: ReadonlyMap<string, string>) {
    for (const [name, text] of files) {
      const nodes = parse(tokens(text));
      for (const node of nodes) {
        if (node.kind === 'define') this.#defined.set(JSON.parse(node.head), node.body);
      }
      this.#files.set(name, nodes);
    }
  }

  render(name: string, scope: Scope): string {
    return this.#render(this.#files.get(name)!, scope);
  }

  #render(nodes: readonly Node[], dot: Value): string {
    return nodes.map(node => this.#one(node, dot)).join('');
  }

  #one(node: Node, dot: Value): string {
    switch (node.kind) {
      case 'text':
        return node.text;
      case 'action':
        return String(this.#evaluate(node.pipeline, dot));
      case 'define':
        return '';
      default: {
        const value = this.#evaluate(node.head, dot);
        if (isEmpty(value)) return this.#render(node.otherwise, dot);
        return this.#render(node.body, node.kind === 'with' ? value : dot);
      }
    }
  }

  #evaluate(pipeline: string, dot: Value): Value {
    const words = [...pipeline.matchAll(/"(?:\\.|[^"])*"|[()|]|[^\s()|]+/g)].map(([word]) => word);
    const value = this.#pipe(words, dot);
    if (words.length > 0) throw new Error(`what is "${words.join(' ')}" in "${pipeline}"?`);
    return value;
  }

  /** Takes a pipeline off the front of `words`: each command gets the last one's value as well. */
  #pipe(words: string[], dot: Value): Value {
    let value = this.#command(words, dot, []);
    while (words[0] === '|') {
      words.shift();
      value = this.#command(words, dot, [value]);
    }
    return value;
  }

  #command(words: string[], dot: Value, last: readonly Value[]): Value {
    const first = words[0] ?? '';
    if (!/^[a-zA-Z]/.test(first)) return this.#operand(words, dot);
    words.shift();
    const given: Value[] = [];
    while (words.length > 0 && words[0] !== '|' && words[0] !== ')') {
      given.push(this.#operand(words, dot));
    }
    return this.#call(first, [...given, ...last]);
  }

  #operand(words: string[], dot: Value): Value {
    const word = words.shift()!;
    if (word === '(') {
      const value = this.#pipe(words, dot);
      if (words.shift() !== ')') throw new Error('a bracket is not closed');
      return value;
    }
    if (/^["0-9]/.test(word)) return JSON.parse(word);
    if (!word.startsWith('.')) throw new Error(`no operand: ${word}`);
    const path = word.split('.').filter(part => part !== '');
    return path.reduce<Value>((value, part) => {
      if (typeof value !== 'object' || value === null || !(part in value)) {
        throw new Error(`nothing has the value ${word}`);
      }
      return (value as Scope)[part];
    }, dot);
  }

  #call(name: string, values: readonly Value[]): Value {
    const [first, second] = values;
    const text = String(values.at(-1));
    switch (name) {
      case 'include':
        return this.#render(this.#defined.get(String(first))!, second);
      case 'not':
        return isEmpty(first);
      case 'default':
        return isEmpty(second) ? first : second;
      case 'contains':
        return text.includes(String(first));
      case 'printf':
        return values
          .slice(1)
          .reduce<string>((all, value) => all.replace('%s', String(value)), String(first));
      case 'trim':
        return text.trim();
      case 'trunc':
        return text.slice(0, Number(first));
      case 'trimSuffix':
        return text.endsWith(String(first)) ? text.slice(0, -String(first).length) : text;
      case 'quote':
        return JSON.stringify(text);
      case 'toYaml':
        return JSON.stringify(first); // which is YAML
      case 'nindent':
        return `\n${text}`.replaceAll('\n', `\n${' '.repeat(Number(first))}`);
      default:
        throw new Error(`the function ${name} is not known here`);
    }
  }
}

/** Texts and actions in turn; what stands in `{{- -}}` takes the space beside it away. */
function tokens(template: string): Token[] {
  const found: Token[] = [];
  let at = 0;
  let trim = false;
  const text = (part: string) => found.push({ kind: 'text', text: trim ? part.trimStart() : part });
  for (const match of template.matchAll(/\{\{(- )?\s*(.*?)\s*( -)?\}\}/g)) {
    const [all, left, body, right] = match;
    const part = template.slice(at, match.index);
    text(left === undefined ? part : part.trimEnd());
    at = match.index + all.length;
    trim = right !== undefined;
    if (!/^\/\*.*\*\/$/.test(body!)) found.push({ kind: 'action', pipeline: body! });
  }
  text(template.slice(at));
  return found;
}

function parse(from: readonly Token[]): Node[] {
  const left = [...from];
  const nodes = parseUntilEnd(left, []);
  if (left.length > 0) throw new Error('there is an end too many');
  return nodes;
}

/** Takes nodes off the front of `left` until one of `ends` comes, which stays. */
function parseUntilEnd(left: Token[], ends: readonly string[]): Node[] {
  const nodes: Node[] = [];
  while (left.length > 0) {
    const token = left[0]!;
    if (token.kind === 'action' && ends.includes(token.pipeline)) return nodes;
    left.shift();
    const block = token.kind === 'action' ? /^(if|with|define) (.*)$/.exec(token.pipeline) : null;
    if (block === null) {
      nodes.push(token);
      continue;
    }
    const body = parseUntilEnd(left, ['else', 'end']);
    const isElse = (left.shift() as Action | undefined)?.pipeline === 'else';
    const otherwise = isElse ? parseUntilEnd(left, ['end']) : [];
    if (isElse) left.shift();
    nodes.push({ kind: block[1] as Block['kind'], head: block[2]!, body, otherwise });
  }
  if (ends.length > 0) throw new Error(`there is no ${ends.join(' or ')}`);
  return nodes;
}
