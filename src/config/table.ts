// Tables inside of an option, such as those of [[listeners]]: their fields, and how one is read
// with a fault per field. Plain functions instead of a zod schema per field: that costs some 20 kB
// and 10 µs each, also for those who write no such table.

import { suggest } from './suggest.ts';

export interface Field<T> {
  /** What the value means, or undefined when it means nothing. */
  readonly read: (value: unknown) => T | undefined;
  readonly default: T;
  /** Completes "found …, expected …". */
  readonly expected: string;
  readonly description: string;
  /** Shown instead of the default. */
  readonly defaultText?: string;
}

/** A table within; absent is null. */
export interface Nested<F extends Fields> {
  readonly fields: F;
  readonly description: string;
}

/** A list of tables within. */
export interface ListOf<F extends Fields> {
  readonly each: F;
  readonly description: string;
}

export interface Fields {
  readonly [key: string]: Field<never> | Field<unknown> | Nested<Fields> | ListOf<Fields>;
}

export type Values<F extends Fields> = {
  readonly [K in keyof F]: F[K] extends Field<infer T>
    ? T
    : F[K] extends Nested<infer N>
      ? Values<N> | null
      : F[K] extends ListOf<infer E>
        ? readonly Values<E>[]
        : never;
};

export type Path = readonly (string | number)[];

/** What is wrong with the value at `path`: what was expected, or a text of its own. */
export type Report = (path: Path, fault: { expected: string } | { text: string }) => void;

/** Null when anything was reported. */
export function readTable<F extends Fields>(
  fields: F,
  value: unknown,
  path: Path,
  report: Report,
): Values<F> | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    report(path, { expected: 'a table' });
    return null;
  }
  let faults = 0;
  const note: Report = (where, fault) => {
    faults++;
    report(where, fault);
  };
  const given = value as Record<string, unknown>;
  for (const key of Object.keys(given)) {
    if (Object.hasOwn(fields, key)) continue;
    const known = Object.keys(fields);
    const near = suggest(key, known);
    const hint = near === null ? `expected one of ${known.join(', ')}` : `did you mean "${near}"?`;
    note([...path, key], { text: `unknown key; ${hint}` });
  }
  const entries = Object.entries(fields).map(([key, field]) => [
    key,
    readField(field, given[key], [...path, key], note),
  ]);
  return faults > 0 ? null : Object.fromEntries(entries);
}

function readField(field: Fields[string], value: unknown, path: Path, report: Report): unknown {
  if ('fields' in field) {
    return value === undefined ? null : readTable(field.fields, value, path, report);
  }
  if ('each' in field) {
    if (value === undefined) return [];
    if (Array.isArray(value)) {
      return value.map((item, index) => readTable(field.each, item, [...path, index], report));
    }
    report(path, { expected: 'a list of tables' });
    return [];
  }
  const meant = value === undefined ? field.default : field.read(value);
  if (meant === undefined) report(path, { expected: field.expected });
  return meant;
}

/** `values` as they could be written: without what is a default anyway. */
export function writeTable(fields: Fields, values: Values<Fields>): Record<string, unknown> {
  const written: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(fields)) {
    const value: unknown = values[key];
    if ('fields' in field) {
      if (value !== null) written[key] = writeTable(field.fields, value as Values<Fields>);
    } else if ('each' in field) {
      const items = value as readonly Values<Fields>[];
      if (items.length > 0) written[key] = items.map(item => writeTable(field.each, item));
    } else if (value !== field.default) {
      written[key] = value;
    }
  }
  return written;
}

// The kinds of fields.

type About<T> = Pick<Field<T>, 'default' | 'description'> & { readonly defaultText?: string };

export function textField(
  about: About<string> & { readonly fits?: (text: string) => boolean; readonly expected: string },
): Field<string> {
  const { fits = () => true, ...rest } = about;
  const read = (value: unknown) => {
    const plain = typeof value === 'string' && !value.includes('\0');
    return plain && fits(value) ? value : undefined;
  };
  return { ...rest, read };
}

export function fileField(about: About<string>): Field<string> {
  return textField({ ...about, expected: 'the path of a file, in quotes' });
}

export function numberField<D extends number | null>(
  about: About<D> & { readonly min: number; readonly max: number },
): Field<number | D> {
  const { min, max, ...rest } = about;
  const read = (value: unknown) => {
    const whole = typeof value === 'number' && Number.isInteger(value);
    return whole && value >= min && value <= max ? value : undefined;
  };
  return { ...rest, read, expected: `a whole number from ${min} to ${max}` };
}

export function flagField<D extends boolean | null>(about: About<D>): Field<boolean | D> {
  const read = (value: unknown) => (typeof value === 'boolean' ? value : undefined);
  return { ...about, read, expected: 'true or false' };
}

export function choiceField<const T extends string>(
  about: About<NoInfer<T>> & { readonly of: readonly T[] },
): Field<T> {
  const { of, ...rest } = about;
  const read = (value: unknown) => of.find(known => known === value);
  return { ...rest, read, expected: `one of ${of.join(', ')}` };
}

export function textsField(
  about: About<readonly string[]> & {
    readonly fits: (text: string) => boolean;
    readonly expected: string;
  },
): Field<readonly string[]> {
  const { fits, ...rest } = about;
  const read = (value: unknown) => {
    const texts = Array.isArray(value) && value.every(item => typeof item === 'string');
    return texts && value.every(fits) ? (value as string[]) : undefined;
  };
  return { ...rest, read };
}
