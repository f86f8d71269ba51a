// What several runs of the same measurement come to.

export function median(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** How far apart the runs lie: the largest less the smallest, as a share of the median. */
export function spread(values: readonly number[]): number {
  if (values.length < 2) return 0;
  return (Math.max(...values) - Math.min(...values)) / median(values);
}

/** The median of the ratios within each run; runs that one of both did not finish do not count. */
export function ratio(
  values: readonly (number | null)[],
  baseline: readonly (number | null)[],
): number {
  const ratios: number[] = [];
  values.forEach((value, run) => {
    const base = baseline[run];
    if (value !== null && base !== null && base !== undefined) ratios.push(value / base);
  });
  return median(ratios);
}
