// What the schema refuses, as one clear line per fault: source, key, found, expected.

import type { core } from 'zod/mini';
import { options } from './schema.ts';
import { type Path, type RawConfig, unknownKey } from './sources.ts';

const FOUND_LENGTH_MAX = 60;

const dotted = (path: Path) => path.map(String).join('.');

/** The value as it was written, short and on one line. */
function foundText(value: unknown, secret: boolean): string {
  if (value === undefined) return 'nothing';
  const kind = Array.isArray(value) ? 'a list' : typeof value === 'object' ? 'a table' : null;
  if (kind !== null) return kind;
  if (secret) return `a ${typeof value} (not shown)`;
  // A URL may have a password in it.
  const shown = typeof value === 'string' ? value.replace(/:\/\/[^/]*@/, '://…@') : value;
  const text = typeof shown === 'string' ? JSON.stringify(shown) : String(shown);
  return text.length > FOUND_LENGTH_MAX ? `${text.slice(0, FOUND_LENGTH_MAX)}…` : text;
}

function valueAt(raw: RawConfig, path: Path): unknown {
  let value: unknown = raw.value;
  for (const part of path) value = (value as Record<string, unknown> | undefined)?.[part];
  return value;
}

/** The option that `path` is or lies in. */
function optionAt(path: Path) {
  return options.get(dotted(path.slice(0, 2))) ?? options.get(String(path[0]));
}

function faultText(issue: core.$ZodIssue, raw: RawConfig): string[] {
  const path = issue.path as Path;
  const option = optionAt(path);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map(key => {
      const full = [...path, key];
      const what = option ? `unknown key, expected ${option.expected}` : null;
      const text = what === null ? unknownKey(dotted(full)) : `${dotted(full)}: ${what}`;
      return `${raw.sourceOf(full)}: ${text}`;
    });
  }
  const own = issue.code === 'custom' ? issue.params : undefined;
  if (own?.text !== undefined) {
    return [`${raw.sourceOf(path)}: ${dotted(path)}: ${own.text}`];
  }
  const found = foundText(valueAt(raw, path), option?.secret ?? false);
  const expected = own?.expected ?? option?.expected ?? 'a table of options';
  return [`${raw.sourceOf(path)}: ${dotted(path)}: found ${found}, expected ${expected}`];
}

export function findFaults(issues: readonly core.$ZodIssue[], raw: RawConfig): string[] {
  return issues.flatMap(issue => faultText(issue, raw));
}
