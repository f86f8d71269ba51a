// A histogram of non-negative integers in fixed memory: exact below 256, then 128 buckets per power
// of two, so a percentile is right within 0.8 %. Values past 2^31 count as the largest one.

const PRECISION_BITS = 7;
const PER_OCTAVE = 1 << PRECISION_BITS;
const LARGEST = 0x7fff_ffff;

function bucketOf(value: number): number {
  if (value < 2 * PER_OCTAVE) return value;
  const shift = 31 - Math.clz32(value) - PRECISION_BITS;
  return shift * PER_OCTAVE + (value >>> shift);
}

/** The middle of what a bucket holds. */
function middleOf(bucket: number): number {
  if (bucket < 2 * PER_OCTAVE) return bucket;
  const shift = ((bucket / PER_OCTAVE) | 0) - 1;
  const low = (bucket - shift * PER_OCTAVE) * 2 ** shift;
  return low + (2 ** shift - 1) / 2;
}

export class Histogram {
  private readonly counts = new Float64Array(bucketOf(LARGEST) + 1);
  count = 0;
  max = 0;

  record(value: number): void {
    const clamped = value < 0 ? 0 : value > LARGEST ? LARGEST : value | 0;
    this.counts[bucketOf(clamped)]! += 1;
    this.count += 1;
    if (clamped > this.max) this.max = clamped;
  }

  /** The value that the given share (0 to 1) of all recorded values does not exceed. */
  percentile(share: number): number {
    const wanted = Math.max(1, Math.ceil(this.count * share));
    if (wanted >= this.count) return this.max;
    let seen = 0;
    for (let bucket = 0; bucket < this.counts.length; bucket++) {
      seen += this.counts[bucket]!;
      if (seen >= wanted) return Math.min(middleOf(bucket), this.max);
    }
    return this.max;
  }

  clear(): void {
    this.counts.fill(0);
    this.count = 0;
    this.max = 0;
  }
}
