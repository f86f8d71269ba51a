// Stands in for LuCI in a browser: runs a page and writes down which sections and options its forms
// have, and what it asks rpcd for.

export interface FormOption {
  readonly name: string;
  readonly kind: string;
  /** The values that it offers, where it does. */
  readonly values: string[];
}

export interface FormSection {
  readonly type: string;
  readonly name: string;
  readonly options: FormOption[];
}

export interface Page {
  readonly sections: readonly FormSection[];
  readonly calls: readonly { readonly object: string; readonly method: string }[];
  /** Loads and renders it. */
  show(): Promise<unknown>;
}

/** Answers of rpcd, as the program gives them. */
const answers: Readonly<Record<string, object>> = {
  status: { running: true, stats: { clients: 1, uptime: 5 } },
  clients: {
    clients: [
      {
        clientId: '<b>bold</b>',
        username: null,
        connected: true,
        peer: '192.0.2.7:1',
        version: 5,
        connectedForMs: 1_000,
        subscriptions: 1,
        queued: 2,
        inflight: 3,
      },
    ],
  },
  check: { faults: ['line 1 is wrong'], warnings: [] },
  users: { file: '/etc/minnow/passwd', users: ['admin', 'meter'] },
};

const kinds = [
  ...['Map', 'GridSection', 'NamedSection', 'TypedSection', 'Value', 'ListValue', 'Flag'],
  ...['FileUpload', 'DynamicList', 'MultiValue'],
];

/** Runs the text of a page. */
export function renderPage(source: string): Page {
  const sections: FormSection[] = [];
  const calls: { object: string; method: string }[] = [];
  const form = Object.fromEntries(kinds.map(kind => [kind, { kind }])) as Record<string, unknown>;
  form.Map = class {
    section(kind: { kind: string }, ...words: string[]) {
      if (kind === undefined) throw new Error('a section of an unknown kind');
      // A named one says its name first.
      const [type, name] = kind.kind === 'NamedSection' ? [words[1]!, words[0]!] : [words[0]!, ''];
      const section: FormSection = { type, name, options: [] };
      sections.push(section);
      return new Section(section);
    }
    render() {
      return 'rendered';
    }
  };
  const rpc = {
    declare(call: { object: string; method: string }) {
      calls.push(call);
      return () => Promise.resolve(answers[call.method] ?? {});
    },
  };
  const element = (...parts: unknown[]) => ({ parts });
  const globals: Record<string, unknown> = {
    view: { extend: (page: object) => page },
    form,
    rpc,
    poll: { add: () => {} },
    ui: { createHandlerFn: () => () => {}, addNotification: () => {}, showModal: () => {} },
    dom: { content: () => {} },
    E: element,
    _: (text: string) => text,
    cbi_update_table: () => {},
  };
  const words = Object.keys(globals);
  // LuCI itself runs pages as the body of a function, with what they require as its arguments.
  const required = [...source.matchAll(/^'require ([\w.]+)';$/gm)].map(([, name]) => name!);
  const unknown = required.filter(name => !words.includes(name));
  if (unknown.length > 0) throw new Error(`requires ${unknown.join(', ')}`);
  const unasked = words.slice(0, 6).filter(name => !required.includes(name));
  const body = new Function(...words, source);
  const page = withFormat(() =>
    body(...words.map(name => (unasked.includes(name) ? undefined : globals[name]))),
  );
  return {
    sections,
    calls,
    show: async () => {
      const loaded = await page.load?.();
      return withFormat(() => page.render(loaded));
    },
  };
}

class Section {
  private readonly section: FormSection;

  constructor(section: FormSection) {
    this.section = section;
  }

  tab() {}

  taboption(_tab: string, kind: { kind: string }, name: string) {
    return this.option(kind, name);
  }

  option(kind: { kind: string }, name: string) {
    if (kind === undefined) throw new Error(`${name} is of an unknown kind`);
    const option: FormOption = { name, kind: kind.kind, values: [] };
    this.section.options.push(option);
    return {
      value: (value: string) => option.values.push(value),
      depends: () => {},
    };
  }
}

/** LuCI gives strings a method of its own. */
function withFormat<T>(work: () => T): T {
  const strings = String.prototype as unknown as Record<string, unknown>;
  strings.format = function format(this: string, ...words: unknown[]) {
    return words.reduce<string>((text, word) => text.replace(/%[a-z]/, String(word)), this);
  };
  try {
    return work();
  } finally {
    delete strings.format;
  }
}

/** A UCI file in which every option of the forms has a value that they offer, or any. */
export function everythingSaid(sections: readonly FormSection[]): string {
  return sections
    .map(({ type, name, options }) => {
      const lines = options.map(option => {
        const value = option.values.findLast(text => text !== '') ?? '1';
        return `\toption ${option.name} '${value}'\n`;
      });
      return `config ${type} ${name}\n${lines.join('')}`;
    })
    .join('\n');
}
