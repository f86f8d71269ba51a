// Time as strftime(3) writes it, in the machine's time zone and the C locale, one conversion at a
// time: what `minnow sub --format` needs for @X sequences.

import { UsageError } from '../flags.ts';

const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];

function two(value: number): string {
  return String(value).padStart(2, '0');
}

function dayOfYear(at: Date): number {
  const start = Date.UTC(at.getFullYear(), 0, 1);
  return (Date.UTC(at.getFullYear(), at.getMonth(), at.getDate()) - start) / 86_400_000 + 1;
}

function zone(at: Date): string {
  const minutes = -at.getTimezoneOffset();
  const size = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}${two(size % 60)}`;
}

function hour12(at: Date): number {
  return at.getHours() % 12 || 12;
}

/** By letter: what it prints, or a text whose letters are conversions themselves. */
const conversions: Readonly<Record<string, string | ((at: Date) => string)>> = {
  '%': () => '%',
  '@': () => '@',
  a: at => days[at.getDay()].slice(0, 3),
  A: at => days[at.getDay()],
  b: at => months[at.getMonth()].slice(0, 3),
  B: at => months[at.getMonth()],
  c: 'a b e T Y',
  C: at => two(Math.floor(at.getFullYear() / 100)),
  d: at => two(at.getDate()),
  e: at => String(at.getDate()).padStart(2),
  h: at => months[at.getMonth()].slice(0, 3),
  H: at => two(at.getHours()),
  I: at => two(hour12(at)),
  j: at => String(dayOfYear(at)).padStart(3, '0'),
  m: at => two(at.getMonth() + 1),
  M: at => two(at.getMinutes()),
  n: () => '\n',
  N: at => String(at.getMilliseconds()).padStart(3, '0').padEnd(9, '0'),
  p: at => (at.getHours() < 12 ? 'AM' : 'PM'),
  s: at => String(Math.floor(at.getTime() / 1000)),
  S: at => two(at.getSeconds()),
  t: () => '\t',
  u: at => String(at.getDay() || 7),
  w: at => String(at.getDay()),
  y: at => two(at.getFullYear() % 100),
  Y: at => String(at.getFullYear()),
  z: zone,
  D: 'm/d/y',
  F: 'Y-m-d',
  R: 'H:M',
  T: 'H:M:S',
};

/** What the conversion `letter` makes of `at`. */
export function strftime(letter: string, at: Date): string {
  const conversion = Object.hasOwn(conversions, letter) ? conversions[letter] : undefined;
  if (conversion === undefined)
    throw new UsageError(`--format: unknown time conversion @${letter}`);
  if (typeof conversion === 'function') return conversion(at);
  return conversion.replace(/[a-zA-Z]/g, inner => strftime(inner, at));
}

/** 2016-08-10T09:47:38+0100, with the fraction of the second when asked. */
export function isoTime(at: Date, fraction = false): string {
  const second = `${strftime('F', at)}T${strftime('T', at)}`;
  if (!fraction) return `${second}${zone(at)}`;
  return `${second}.${strftime('N', at).slice(0, 6)}Z${zone(at)}`;
}
