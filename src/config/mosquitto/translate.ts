// A mosquitto.conf as a minnow.toml: one that means the same, with a remark for every line that has
// no equivalent. Text in, text out. It is refused as a whole, with a line per fault, when mosquitto
// would refuse it. A listener that minnow could have only without its TLS is left out; where else
// more clients get in than before, the remark says so in capitals.

import { writeAccess } from './access.ts';
import { Collected, type Draft } from './collect.ts';
import { type ConfFile, Faults, type Line, type ReadDirectory, readLines } from './lines.ts';
import { type Listener, writeListener } from './listener.ts';
import { accessOptions, BY_ITSELF, foreignOptions, whyForeign } from './options.ts';
import { writeSettings } from './settings.ts';
import { Toml } from './toml.ts';

export type Translation = { readonly toml: string } | { readonly faults: readonly string[] };

export function translate(file: ConfFile, readDirectory: ReadDirectory): Translation {
  const faults = new Faults();
  const toml = new Toml(faults);
  toml.say('', `From ${JSON.stringify(file.name)}, by minnow import.`);
  toml.say('', "What it does not mention is as minnow's defaults say: minnow config shows them.");
  writeLines(readLines(file, readDirectory, faults), toml);
  return faults.lines.length > 0 ? { faults: faults.lines } : { toml: toml.text() };
}

/** Writes what the lines say into `toml`; gives the listeners among them. */
export function writeLines(lines: readonly Line[], toml: Toml): readonly Listener[] {
  const collected = new Collected(lines, toml.faults);
  const listeners = writeListeners(collected, toml);
  writeSettings(collected.globals, toml);
  writeAccess(collected, listeners, toml);
  writeForeign(collected, toml);
  return listeners;
}

function writeListeners({ unnamed, listeners }: Collected, toml: Toml): Listener[] {
  const opened = unnamed.options.has('port') || unnamed.options.has('bind_address');
  const alone = listeners.length === 0;
  const drafts: Draft[] = [...listeners];
  if (opened || (alone && unnamed.options.lines.some(({ name }) => !accessOptions.has(name)))) {
    drafts.unshift(unnamed);
  } else if (!alone) {
    for (const line of unnamed.options.lines) {
      if (accessOptions.has(line.name)) {
        toml.note('auth', line, 'stands above every listener, and so is about none of them');
      } else {
        toml.faults.add(line, 'stands above every listener; move it below the one it is about');
      }
    }
  }
  const addresses = new Set<string>();
  const written = drafts.map(draft => {
    const local = draft === unnamed && !opened;
    return writeListener(draft, local ? 'localhost' : '*', addresses, toml.faults);
  });
  for (const { table } of written) toml.addListener(table);
  return written;
}

function writeForeign(collected: Collected, toml: Toml): void {
  const { globals, access, unnamed, listeners, perListener } = collected;
  for (const [name, [table, why]] of Object.entries(foreignOptions)) {
    for (const line of globals.all(name)) toml.note(table, line, whyForeign(line, why));
  }
  for (const line of collected.perListenerLines) {
    toml.note('auth', line, perListener ? 'each listener above says it' : BY_ITSELF);
  }
  for (const { options } of [unnamed, ...listeners].concat({ opening: null, options: access })) {
    for (const [line, by] of options.replaced) {
      toml.noteAtEnd(line, `line ${by.number} of ${by.file} takes its place`);
    }
  }
  for (const [line, by] of globals.replaced) {
    toml.noteAtEnd(line, `line ${by.number} of ${by.file} takes its place`);
  }
  for (const line of collected.included) toml.noteAtEnd(line, 'its files are part of this one');
  for (const line of collected.plugins) {
    toml.noteAtEnd(line, 'no equivalent: minnow loads no plugins; [auth] says what it can ask');
  }
  for (const line of collected.bridges) {
    toml.noteAtEnd(line, 'no equivalent: minnow has no bridges yet');
  }
}
