// The kinds of options a configuration is made of. Each builder returns what the reference, the
// messages and the text sources (environment, flags) need to know about an option, and how to make
// the zod schema that accepts what a person may write there (numbers, or text with a unit).

import * as z from 'zod/mini';
import { MB } from '../limits.ts';

/** Ends of ranges that only keep nonsense out. */
export const GB = 1024 * MB;
export const MANY = 100_000_000;
export const DAY_MS = 86_400_000;

export type Reload = 'live' | 'restart';

/** How text from the environment or a flag becomes a value; the file brings values of its own. */
export type Shape = 'scalar' | 'boolean' | 'list' | 'table';

export interface OptionMeta {
  readonly shape: Shape;
  /** Unit of a bare number, or what kind of text it is; shown in the reference. */
  readonly unit: string;
  /** Completes "found …, expected …". */
  readonly expected: string;
  readonly description: string;
  readonly reload: Reload;
  readonly default: unknown;
  /** Shown instead of the default when that depends on the machine. */
  readonly defaultText?: string;
  /** A line of TOML for the sample file where the default would show nothing. */
  readonly example?: string;
  /** Never shown in output or in a message. */
  readonly secret: boolean;
}

/** What every builder is told. */
export interface About<T> {
  readonly default: T;
  readonly description: string;
  readonly reload?: Reload;
  readonly defaultText?: string;
  readonly example?: string;
}

export interface Range {
  readonly min: number;
  readonly max: number;
}

/** An option. A schema costs some 20 kB and 10 µs and there are a hundred, so it is made when
 *  somebody has written a value for it to judge. */
export interface Setting<T> {
  readonly meta: OptionMeta & { readonly default: T };
  readonly schema: () => z.core.$ZodType<T>;
}

/** A group of options: absent means all defaults. */
export interface Group<S extends Members> {
  readonly description: string;
  readonly options: S;
}

export type Members = Readonly<Record<string, Setting<unknown>>>;

const MQTT_STRING_BYTES_MAX = 65_535;

type Facts = Pick<OptionMeta, 'unit' | 'expected'> & { shape?: Shape; secret?: boolean };

/** An option that a schema of its own judges. */
export function option<T>(
  schema: () => z.core.$ZodType<T>,
  facts: Facts,
  about: About<NoInfer<T>>,
): Setting<T> {
  return { meta: metaOf(facts, about), schema };
}

/** An option that one function reads: it gives what the value means, or undefined when it means
 *  nothing. */
export function scalar<T>(
  read: (value: unknown) => T | undefined,
  facts: Facts,
  about: About<NoInfer<T>>,
): Setting<T> {
  const schema = () =>
    z.transform((value: unknown, context): T => {
      const meant = read(value);
      if (meant !== undefined) return meant;
      context.issues.push({ code: 'custom', input: value });
      return z.NEVER;
    });
  return option<T>(schema as () => z.core.$ZodType<T>, facts, about);
}

function metaOf<T>(facts: Facts, about: About<T>): Setting<T>['meta'] {
  return {
    shape: facts.shape ?? 'scalar',
    unit: facts.unit,
    expected: facts.expected,
    description: about.description,
    reload: about.reload ?? 'restart',
    default: about.default,
    ...(about.defaultText === undefined ? {} : { defaultText: about.defaultText }),
    ...(about.example === undefined ? {} : { example: about.example }),
    secret: facts.secret ?? false,
  };
}

export function section<S extends Members>(description: string, options: S): Group<S> {
  return { description, options };
}

/** Text from the environment or a flag as the value the file would have held; throws for what looks
 *  like JSON and is none. */
export function valueOfText(shape: Shape, text: string): unknown {
  switch (shape) {
    case 'scalar':
      return text;
    case 'boolean': {
      if (/^(true|yes|on|1)$/i.test(text)) return true;
      return /^(false|no|off|0)$/i.test(text) ? false : text;
    }
    case 'list':
      if (/^\s*\[\s*["{\]]/.test(text)) return JSON.parse(text);
      return text.split(',').flatMap(item => item.trim() || []);
    case 'table': {
      if (/^\s*\{/.test(text)) return JSON.parse(text);
      const entries = text.split(',').map(entry => entry.split(/=(.*)/s, 2));
      // What has no name is no table, and may be a secret: it must not pass for a name, which is
      // shown.
      if (entries.some(entry => entry.length < 2)) return text;
      return Object.fromEntries(entries.map(([key, value]) => [key.trim(), value.trim()]));
    }
  }
}

const byteUnits: Record<string, number> = { b: 1, kb: 2 ** 10, mb: 2 ** 20, gb: 2 ** 30 };
const msUnits: Record<string, number> = { ms: 1, s: 1e3, m: 60e3, h: 3600e3, d: 86_400e3 };

/** "64kB" → 65536; text that is no number with a known unit comes back as it is. */
function withUnit(value: unknown, units: Record<string, number>, bare: string): unknown {
  if (typeof value !== 'string') return value;
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(value.replaceAll('_', ''));
  const unit = match && units[match[2].toLowerCase() || bare];
  return unit ? (Number(match[1]) * unit) / units[bare] : value;
}

function number(units: Record<string, number>, bare: string, { min, max }: Range) {
  return (value: unknown): number | undefined => {
    const found = withUnit(value, units, bare);
    const fits = typeof found === 'number' && Number.isInteger(found) && found >= min;
    return fits && found <= max ? found : undefined;
  };
}

/** 65536 as "64kB" and 90000 as "90000": the shortest exact way to write a size. */
export function sizeText(bytes: number): string {
  for (const [unit, factor] of [['GB', 2 ** 30] as const, ['MB', 2 ** 20] as const]) {
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor}${unit}`;
  }
  return bytes >= 1024 && bytes % 1024 === 0 ? `${bytes / 1024}kB` : `${bytes}`;
}

export function count(about: About<number> & Range) {
  const expected = `a whole number from ${about.min} to ${about.max}`;
  return scalar(number({ '': 1 }, '', about), { unit: 'number', expected }, about);
}

export function bytes(about: About<number> & Range) {
  const bounds = `from ${sizeText(about.min)} to ${sizeText(about.max)}`;
  const expected = `a size ${bounds}, in bytes or like "64kB" or "2MB"`;
  return scalar(number(byteUnits, 'b', about), { unit: 'bytes', expected }, about);
}

export function milliseconds(about: About<number> & Range) {
  const bounds = `from ${about.min} to ${about.max} ms`;
  const expected = `a time ${bounds}, in milliseconds or like "500ms", "10s" or "2m"`;
  return scalar(number(msUnits, 'ms', about), { unit: 'ms', expected }, about);
}

export function seconds(about: About<number> & Range) {
  const bounds = `from ${about.min} to ${about.max} s`;
  const expected = `a time ${bounds}, in seconds or like "30s", "5m", "12h" or "7d"`;
  return scalar(number(msUnits, 's', about), { unit: 's', expected }, about);
}

export function flag(about: About<boolean>) {
  const facts = { shape: 'boolean', unit: 'boolean', expected: 'true or false' } as const;
  return scalar(value => (typeof value === 'boolean' ? value : undefined), facts, about);
}

export function choice<const T extends string>(about: About<T> & { readonly of: readonly T[] }) {
  const facts = { unit: about.of.join(' \\| '), expected: `one of ${about.of.join(', ')}` };
  return scalar<T>(value => about.of.find(known => known === value), facts, about);
}

export function path(about: About<string>) {
  const read = (value: unknown) =>
    typeof value === 'string' && !value.includes('\0') ? value : undefined;
  return scalar(read, { unit: 'path', expected: 'a path, in quotes' }, about);
}

/** Text that fits into an MQTT string [MQTT-1.5.4-1, MQTT-1.5.4-2]. */
export function text(about: About<string>) {
  const read = (value: unknown) => {
    const fits = typeof value === 'string' && !/[\0\p{Cs}]/u.test(value);
    return fits && Buffer.byteLength(value) <= MQTT_STRING_BYTES_MAX ? value : undefined;
  };
  const expected = `text of at most ${MQTT_STRING_BYTES_MAX} bytes, in quotes`;
  return scalar(read, { unit: 'text', expected }, about);
}
