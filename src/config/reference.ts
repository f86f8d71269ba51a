// The reference (docs/CONFIG.md) and the sample file, both written from the schema.

import { type ClassValues, profileNames, table } from '../platform/table.ts';
import { sizeText } from './option.ts';
import { type Option, type Section, sections } from './schema.ts';
import { listenerFields } from './sections/listeners.ts';
import { environmentName } from './sources.ts';
import type { Fields } from './table.ts';

const lastPart = (path: string) => path.slice(path.lastIndexOf('.') + 1);

/** A default as TOML. */
function tomlText(option: Option, value = option.default): string {
  if (Array.isArray(value)) return '[]';
  if (typeof value === 'object') return '{}';
  if (option.unit === 'bytes') {
    const text = sizeText(value as number);
    return /^\d+$/.test(text) ? text : `"${text}"`;
  }
  return typeof value === 'string' ? `"${value}"` : String(value);
}

const introduction = `# Configuration

*Written by \`minnow config --reference\`; change src/config/schema.ts instead of this page.*

Settings come from four places, and each is laid over the ones before it, tables key by key:

1. the defaults below,
2. a TOML file: \`--config FILE\` or \`MINNOW_CONFIG\` (\`minnow config --sample\` prints one),
3. the environment: \`MINNOW_\`, the section and the key in capitals, humps as underscores; lists
   with commas or as JSON, tables as \`key=value,key=value\` or as JSON; empty is as if not set,
4. flags: \`--listen\`, \`--data\`, \`--log-level\`, \`--io\`, and for any option
   \`--set section.key=value\`.

Where three defaults stand, the profile of the machine decides, and may go below them where the
machine has less; \`minnow platform\` says what it chose and why.

Sizes are bytes or text with a unit, a power of 1024 (\`"64kB"\`, \`"2MB"\`). Times are numbers in
the unit that ends the option's name or text with one (\`"500ms"\`, \`"30s"\`, \`"5m"\`, \`"12h"\`).
\`minnow check-config\` says what is wrong, \`minnow config\` prints what is in effect. Flags can be
seen by other users of the machine: passwords belong into a file that only minnow may read.
`;

/** The defaults of an option in the profiles; null where they have no part in it. */
function profileDefaults(option: Option): string[] | null {
  const path = option.path as keyof ClassValues;
  if (!Object.hasOwn(table.gateway, path)) return null;
  return profileNames.map(name => `${name} \`${tomlText(option, table[name][path])}\``);
}

function optionRow(option: Option): string {
  const fallback = option.defaultText ?? tomlText(option);
  const plain = /^["[{\d]|^(true|false)$/.test(fallback) ? `\`${fallback}\`` : fallback;
  const shown = profileDefaults(option)?.join('<br>') ?? plain;
  const names = `\`${option.path}\`<br>\`${environmentName(option.path)}\``;
  return `| ${names} | ${shown} | ${option.unit} | ${option.reload} | ${option.description} |`;
}

function sectionText({ name, description, options }: Section): string {
  const title = name === '' ? '## Outside of any section' : `## [${name}]\n\n${description}`;
  const head = [
    '| option, environment | default | unit | reload | what it is |',
    '| --- | --- | --- | --- | --- |',
  ];
  return `${title}\n\n${[...head, ...options.map(optionRow)].join('\n')}\n`;
}

/** What the tables of [[listeners]] may hold. */
function fieldRows(fields: Fields, prefix: string): string[] {
  return Object.entries(fields).flatMap(([key, field]) => {
    const name = `${prefix}${key}`;
    const row = (fallback: string, accepts: string) =>
      `| \`${name}\` | ${fallback} | ${accepts} | ${field.description} |`;
    if ('fields' in field) return [row('none', 'a table'), ...fieldRows(field.fields, `${name}.`)];
    if ('each' in field) return [row('none', 'tables'), ...fieldRows(field.each, `${name}.`)];
    const fallback = field.defaultText ?? `\`${JSON.stringify(field.default)}\``;
    return [row(fallback, field.expected)];
  });
}

function listenersText(): string {
  const head = ['| key | default | expected | what it is |', '| --- | --- | --- | --- |'];
  const rows = fieldRows(listenerFields, '');
  return `## [[listeners]]\n\nOne table per listener.\n\n${[...head, ...rows].join('\n')}\n`;
}

/** Markdown for docs/CONFIG.md. */
export function reference(): string {
  const reload =
    'Options marked `live` can change while the broker runs; `restart` needs a new start.\n';
  const [top, ...rest] = sections.map(sectionText);
  return [introduction, reload, top, listenersText(), ...rest].join('\n');
}

const COLUMNS = 96;

/** `text` as TOML comments. */
function comment(text: string): string {
  const lines = [''];
  for (const word of text.replaceAll('`', '').split(' ')) {
    const line = lines[lines.length - 1];
    if (line.length + word.length < COLUMNS) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(` ${word}`);
  }
  return lines.map(line => `#${line}`).join('\n');
}

/** A TOML file that says nothing but the defaults, every one commented out. */
export function sample(): string {
  const blocks = [
    '# minnow: every option with its default or an example. Remove the # to change one.',
  ];
  for (const { name, description, options } of sections) {
    if (name !== '') blocks.push(`${comment(description)}\n[${name}]`);
    for (const option of options) {
      const line = option.example ?? `${lastPart(option.path)} = ${tomlText(option)}`;
      const byProfile = profileDefaults(option);
      const more = byProfile === null ? '' : ` By profile: ${byProfile.join(', ')}.`;
      blocks.push(`${comment(option.description + more)}\n#${line}`);
    }
  }
  return `${blocks.join('\n\n')}\n`;
}
