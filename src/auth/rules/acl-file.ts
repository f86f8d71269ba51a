// mosquitto's ACL file. Its meaning: the lines of the client's user are asked before the patterns,
// denials before everything else among each, and what nothing allows is denied. Written out as
// rules in that order, so that the first that fits decides.
//
// `read` is about the messages a client is sent, not about what it may subscribe to: a filter that
// reaches further than what may be read is a subscription of which only a part is delivered.

import { filterValid, parseShare } from '../../mqtt/topic.ts';
import { Action, isPersonal, type Rule, type Subject } from './rule.ts';

export interface AclFile {
  readonly rules: readonly Rule[];
  /** "7: …", one per line that makes no sense. */
  readonly faults: readonly string[];
}

const READ = Action.Receive;
const WRITE = Action.Publish;
const accesses: Readonly<Record<string, number>> = {
  read: READ,
  write: WRITE,
  readwrite: READ | WRITE,
  deny: 0,
};

/** Anonymous clients have no name at all; one that calls itself "" is not among them. */
const nameless: Subject = {
  user: '',
  client: null,
  tests: [({ username }) => username === null],
};
/** No pattern allows anything to a client whose name or id is a wildcard somewhere else. */
const harmless: Subject = {
  user: null,
  client: null,
  tests: [who => !/[+#]/.test(`${who.username ?? ''}${who.clientId}`)],
};

function named(user: string): Subject {
  return { user, client: null, tests: [({ username }) => username === user] };
}

/** `name` is what the file is called in explanations. */
export function parseAclFile(text: string, name: string): AclFile {
  const reader = new Reader(name);
  for (const [index, line] of text.split(/\r?\n/).entries()) reader.read(line, index + 1);
  const { topics, patterns, faults } = reader;
  const denialsFirst = (rules: Rule[]) => [
    ...rules.filter(({ allow }) => !allow),
    ...rules.filter(({ allow }) => allow),
  ];
  return { rules: [...denialsFirst(topics), ...denialsFirst(patterns)], faults };
}

class Reader {
  readonly topics: Rule[] = [];
  readonly patterns: Rule[] = [];
  readonly faults: string[] = [];
  private readonly name: string;
  private subject = nameless;

  constructor(name: string) {
    this.name = name;
  }

  read(line: string, number: number): void {
    if (line.startsWith('#') || line.trim() === '') return;
    const [, keyword, rest] = /^ *(\S*) *(.*?)\s*$/.exec(line) as unknown as string[];
    const fault = (what: string) => this.faults.push(`${number}: ${what}`);
    switch (keyword) {
      case 'user':
        if (rest === '') fault('found user without a name');
        else this.subject = named(rest);
        break;
      case 'topic':
      case 'pattern': {
        const why = this.addRule(keyword, rest, `${this.name}:${number}`);
        if (why !== null) fault(why);
        break;
      }
      default:
        fault(`found ${JSON.stringify(keyword)}, expected user, topic or pattern`);
    }
  }

  private addRule(keyword: 'topic' | 'pattern', rest: string, origin: string): string | null {
    const space = rest.indexOf(' ');
    const word = space < 0 ? 'readwrite' : rest.slice(0, space);
    const filter = space < 0 ? rest : rest.slice(space).trim();
    if (!Object.hasOwn(accesses, word)) {
      return `found ${JSON.stringify(word)}, expected read, write, readwrite or deny`;
    }
    if (!filterValid(filter) || parseShare(filter) !== null) {
      return `found ${JSON.stringify(filter)}, expected a topic filter`;
    }
    const isPattern = keyword === 'pattern';
    const rule: Rule = {
      allow: word !== 'deny',
      actions: accesses[word] || READ | WRITE,
      filter,
      subject: isPattern ? harmless : this.subject,
      names: isPattern && isPersonal(filter) ? 'mosquitto' : null,
      origin,
      text: `${keyword} ${rest}`,
    };
    (isPattern ? this.patterns : this.topics).push(rule);
    return null;
  }
}
