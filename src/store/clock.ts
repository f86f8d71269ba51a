// The core's clock goes on across restarts: deadlines are stored as its milliseconds and stay right
// whatever the wall clock does. How long the broker was down only the wall clock can tell, and it
// is believed only when it tells something likely: a router without a battery wakes up in 1970, and
// a first NTP answer may be years ahead. Then no time has passed, and nothing expires at once.

/** Longer than this nobody was switched off: the wall clock has jumped. */
const AWAY_MAX_MS = 366 * 86_400_000;

/** What the core's clock says at start, milliseconds. `wall` is milliseconds since the epoch. */
export function resumedClock(
  last: { readonly clock: number; readonly wall: number } | null,
  wall: number,
): number {
  if (last === null) return 0;
  const away = wall - last.wall;
  return last.clock + (away > 0 && away <= AWAY_MAX_MS ? away : 0);
}
