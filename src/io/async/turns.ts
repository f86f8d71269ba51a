// When turns run on an event loop. While much comes in, when all sockets of one poll have been read
// (setImmediate); while little does, right after each read: that saves a third of a lone message's
// CPU time and some of its latency. One timer stands for all of the broker's deadlines.

/** Two reads this close together belong to a load that is worth gathering. */
const BUSY_GAP_MS = 0.1;
/** So many polls in a row with a single read, and gathering is not worth it any more. */
const CALM_POLLS = 8;

/** Timers are not finer than this, and a wake-up too early is only a turn without work. */
const TIMER_STEP_MS = 1;
/** setTimeout's own bound. */
const TIMER_MAX_MS = 0x7fff_ffff;

export class Turns {
  /** Runs a turn; returns when it wants to run again, as Hallway.turn does. */
  private readonly run: () => number;
  private readonly pollEnded = () => this.endPoll();
  private readonly timerFired = () => this.fire();
  private planned = false;
  private stopped = false;
  private timer: ReturnType<typeof setTimeout> | null = null;
  /** When `timer` fires, milliseconds on performance.now's clock. */
  private timerAt = Number.POSITIVE_INFINITY;
  private busy = false;
  private lastReadAt = 0;
  private readsInTurn = 0;
  private calmPolls = 0;

  constructor(run: () => number) {
    this.run = run;
  }

  /** A turn with the end of this poll. */
  plan(): void {
    if (this.planned || this.stopped) return;
    this.planned = true;
    setImmediate(this.pollEnded);
  }

  /** Ends the turn at once while reads are rare, with the whole poll while they are not. */
  afterRead(): void {
    if (this.busy) {
      this.readsInTurn++;
      this.plan();
      return;
    }
    const now = performance.now();
    this.busy = now - this.lastReadAt < BUSY_GAP_MS;
    this.lastReadAt = now;
    this.turn(now);
  }

  stop(): void {
    this.stopped = true;
    this.clearTimer();
  }

  /** The turn of a whole poll: several with one read or none, and reads count as rare again. */
  private endPoll(): void {
    this.planned = false;
    this.calmPolls = this.readsInTurn > 1 ? 0 : this.calmPolls + 1;
    this.readsInTurn = 0;
    if (this.calmPolls >= CALM_POLLS) this.busy = false;
    this.turn(performance.now());
  }

  /** `began`: about now. Turns are many and clocks cost something: it is read anew only where the
   *  timer may have to move. */
  private turn(began: number): void {
    if (this.stopped) return;
    const delay = this.run();
    if (delay === 0) this.plan();
    else if (this.timerAt > began + delay) this.setTimer(delay);
  }

  /** Keeps a timer that fires early enough; moves it only when it would fire too late. */
  private setTimer(delay: number): void {
    if (this.stopped) return; // within the turn
    const at = performance.now() + delay;
    if (this.timerAt <= at) return;
    this.clearTimer();
    this.timerAt = at;
    const ms = Math.min(Math.ceil(delay) + TIMER_STEP_MS, TIMER_MAX_MS);
    this.timer = setTimeout(this.timerFired, ms);
  }

  private clearTimer(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.timerAt = Number.POSITIVE_INFINITY;
  }

  private fire(): void {
    this.timer = null;
    this.timerAt = Number.POSITIVE_INFINITY;
    this.turn(performance.now());
  }
}
