// "Did you mean …?": the closest of the words that would have been right.

/** Edits between two words; a swap of neighbours counts as one. */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row[j] = Math.min(
        last[j] + 1,
        row[j - 1] + 1,
        last[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1),
        swap ? before[j - 2] + 1 : Number.POSITIVE_INFINITY,
      );
    }
    [before, last] = [last, row];
  }
  return last[b.length];
}

/** keepAlive, keep_alive and keep-alive are the same word to a person. */
const plain = (word: string) => word.toLowerCase().replaceAll(/[-_]/g, '');

/** The candidate somebody who wrote `word` most likely meant, or null when nothing is near. */
export function suggest(word: string, candidates: Iterable<string>): string | null {
  const wanted = plain(word.slice(0, 100));
  let best: string | null = null;
  let least = Math.max(1, Math.floor(wanted.length / 3)) + 0.5;
  for (const candidate of candidates) {
    const have = plain(candidate);
    const part = wanted.length > 2 && (have.startsWith(wanted) || wanted.startsWith(have));
    const away = part ? Math.min(1, Math.abs(have.length - wanted.length)) : distance(wanted, have);
    if (away < least) [best, least] = [candidate, away];
  }
  return best;
}
