// Values as mosquitto writes them. Each reader gives what a line means, or null after it has
// reported what is wrong with it. Words behind the first are a comment, except in names and paths.

import type { Faults, Line } from './lines.ts';

const firstWord = (line: Line) => line.value.split(/\s/, 1)[0];

function wrong(line: Line, faults: Faults, expected: string): null {
  faults.add(line, `found "${line.value.slice(0, 60)}", expected ${expected}`);
  return null;
}

export function readFlag(line: Line, faults: Faults): boolean | null {
  const word = firstWord(line);
  if (word === 'true' || word === '1') return true;
  if (word === 'false' || word === '0') return false;
  return wrong(line, faults, 'true or false');
}

export function readWhole(line: Line, faults: Faults, min: number, max: number): number | null {
  const word = firstWord(line);
  const value = /^[+-]?\d{1,15}$/.test(word) ? Number(word) : Number.NaN;
  if (value >= min && value <= max) return value;
  return wrong(line, faults, `a whole number from ${min} to ${max}`);
}

export function readChoice<const T extends string>(
  line: Line,
  faults: Faults,
  of: readonly T[],
): T | null {
  const word = firstWord(line);
  return of.find(known => known === word) ?? wrong(line, faults, `one of ${of.join(', ')}`);
}

const unitSeconds: Readonly<Record<string, number>> = {
  s: 1,
  h: 3600,
  d: 86_400,
  w: 7 * 86_400,
  m: 30 * 86_400,
  y: 365 * 86_400,
};

/** "2m" is two months; in seconds. */
export function readDuration(line: Line, faults: Faults): number | null {
  const match = /^(\d{1,9})([shdwmy])$/.exec(firstWord(line));
  const seconds = match === null ? 0 : Number(match[1]) * unitSeconds[match[2]];
  if (seconds > 0) return seconds;
  return wrong(line, faults, 'a number and h, d, w, m (months) or y');
}
