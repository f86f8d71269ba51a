// All deadlines of the broker in one binary heap, so that its driver needs one timer. A timer is
// cheap to move and to cancel; what it means is its kind and its subject.

export const TimerKind = {
  /** A connection's only timer: CONNECT time-out, then keep alive, then forced close. */
  Connection: 0,
  /** A paused publisher is read from again. */
  PauseEnd: 1,
  /** A session's only timer: will delay or session expiry, whichever is first. */
  Session: 2,
  RetainedExpiry: 3,
  Sys: 4,
  /** A connection's right to be here ends. */
  StayEnd: 5,
} as const;

export class Timer<Subject> {
  readonly kind: number;
  readonly subject: Subject;
  deadline = Number.POSITIVE_INFINITY;
  /** Position in the heap, -1 while not armed. */
  index = -1;

  constructor(kind: number, subject: Subject) {
    this.kind = kind;
    this.subject = subject;
  }
}

export class Timers<Subject> {
  private readonly heap: Timer<Subject>[] = [];

  get size(): number {
    return this.heap.length;
  }

  /** The earliest deadline, milliseconds; Infinity when nothing is armed. */
  next(): number {
    return this.heap.length === 0 ? Number.POSITIVE_INFINITY : this.heap[0].deadline;
  }

  /** Arms `timer` for `deadline`, or moves it there. */
  arm(timer: Timer<Subject>, deadline: number): void {
    timer.deadline = deadline;
    if (timer.index < 0) {
      timer.index = this.heap.length;
      this.heap.push(timer);
    }
    this.settle(timer);
  }

  cancel(timer: Timer<Subject>): void {
    const at = timer.index;
    if (at < 0) return;
    timer.index = -1;
    const last = this.heap.pop()!;
    if (last === timer) return;
    this.heap[at] = last;
    last.index = at;
    this.settle(last);
  }

  /** Takes out a timer that is due at `now`, or returns null. */
  takeDue(now: number): Timer<Subject> | null {
    if (this.heap.length === 0 || this.heap[0].deadline > now) return null;
    const due = this.heap[0];
    this.cancel(due);
    return due;
  }

  private settle(timer: Timer<Subject>): void {
    const heap = this.heap;
    let at = timer.index;
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (heap[up].deadline <= timer.deadline) break;
      heap[at] = heap[up];
      heap[at].index = at;
      at = up;
    }
    for (;;) {
      let down = 2 * at + 1;
      if (down >= heap.length) break;
      if (down + 1 < heap.length && heap[down + 1].deadline < heap[down].deadline) down++;
      if (heap[down].deadline >= timer.deadline) break;
      heap[at] = heap[down];
      heap[at].index = at;
      at = down;
    }
    heap[at] = timer;
    timer.index = at;
  }
}
