// When the pending operations go to the store, and whether they have to be synced with it. What an
// acknowledgement waits for goes at the end of the turn, or gathers for a moment: most messages
// are delivered and done with by then, and are never written. For the rest there is a deadline and
// a size, and neither counts what is so young that it is likely to cancel out. What goes is always
// all there is: what is on the disk is a prefix of what happened.

import type { FlashBudget } from './budget.ts';
import type { Pending } from './pending.ts';

/** What nobody waits for has so long to cancel out before it is written, milliseconds; or this
 *  share of the time that a batch gathers. */
const GRACE_MS_MAX = 250;
const GRACE_SHARE = 0.25;
/** What acknowledgements wait for gathers as long as the commit before it took, up to so long. */
const GATHER_MS_MAX = 10;
/** Where hardly any of it cancels out meanwhile, it is tried again after so many commits. */
const UNGATHERED_COMMITS = 16;
/** Whatever is young: a batch grows no larger than so many times what was asked for. */
const YOUNG_BATCHES_MAX = 16;

const NEVER = Number.POSITIVE_INFINITY;

export class Schedule {
  /** When the oldest operation that nobody waits for must be on the disk. */
  private deadline = NEVER;
  /** When what acknowledgements wait for has gathered long enough. */
  private gathered = NEVER;
  private gathers = false;
  /** Commits before anything gathers again. */
  private ungathered = 0;
  /** When the pending operations were last divided into settled and young ones. */
  private closedAt = Number.NEGATIVE_INFINITY;
  /** The store was handed what nobody waits for in a batch that was not synced. */
  private owesSync = false;
  /** So much is pending that it goes as soon as it is settled. */
  private large = false;
  /** The last batch failed: everything goes again when a batch has had its time. */
  retrying = false;
  private readonly pending: Pending;
  private readonly budget: FlashBudget;
  private readonly batchMs: number;
  private readonly batchBytes: number;
  private readonly graceMs: number;

  constructor(pending: Pending, budget: FlashBudget, batchMs: number, batchBytes: number) {
    this.pending = pending;
    this.budget = budget;
    this.batchMs = batchMs;
    this.batchBytes = batchBytes;
    this.graceMs = Math.min(GRACE_MS_MAX, batchMs * GRACE_SHARE);
  }

  /** When `due` wants to be asked though nothing came. */
  get next(): number {
    const graceEnds = this.closedAt + this.graceMs;
    return Math.min(Math.max(this.large ? 0 : this.deadline, graceEnds), this.gathered);
  }

  /** At the end of every turn in which nothing is under way; `commitMs` is what the last commit
   *  took. */
  note(now: number, commitMs: number): void {
    const { alive, bytes, promised, queued } = this.pending;
    if (alive === 0 && !this.owesSync) this.deadline = NEVER;
    else if (this.deadline === NEVER) this.deadline = this.deadlineFrom(now, now);
    this.large = bytes >= this.size(now) && !this.retrying;
    if (promised === 0 || this.retrying) this.gathered = NEVER;
    else if (this.gathered === NEVER) {
      // Nothing but deliveries, and their messages, ever cancels out.
      const worth = queued > 0 && this.ungathered === 0;
      const gatherMs = worth ? Math.floor(Math.min(GATHER_MS_MAX, commitMs)) : 0;
      this.gathers = gatherMs > 0;
      this.gathered = now + gatherMs;
    }
  }

  /** For what was noted from `since` on: it has its grace and is on the disk in time. */
  private deadlineFrom(since: number, now: number): number {
    return since + this.budget.batchMs(this.batchMs - this.graceMs, now);
  }

  private isLate(now: number): boolean {
    return now >= this.deadline;
  }

  /** Whether the pending operations go now. */
  due(now: number): boolean {
    const { pending } = this;
    const late = this.isLate(now);
    if (this.retrying) return late;
    if (pending.promised > 0) return late || now >= this.gathered;
    if (pending.bytes >= this.size(now) * YOUNG_BATCHES_MAX) return true;
    if (now < this.closedAt + this.graceMs) return false;
    const settled = pending.settledBytes;
    if (settled >= this.size(now) || (late && (settled > 0 || this.owesSync))) return true;
    // What was to go has cancelled out, and what is young comes next.
    if (late) this.deadline = this.deadlineFrom(this.closedAt, now);
    this.close(now);
    return false;
  }

  /** They go now; gives whether they have to be synced. */
  hand(now: number): boolean {
    const { alive, cancelled, promised, strict } = this.pending;
    if (promised > 0) {
      if (this.ungathered > 0) this.ungathered--;
      else if (this.gathers && cancelled < alive / 4) this.ungathered = UNGATHERED_COMMITS;
    }
    // What goes only because the class `written` waits for it, or a window, may stay in the
    // operating system's hands; what else is in the batch may do so until its deadline.
    const sync = strict > 0 || this.isLate(now) || this.isFull(now);
    if (!sync && alive > promised) this.owesSync = true;
    if (sync || !this.owesSync) this.deadline = NEVER;
    this.gathered = NEVER;
    return sync;
  }

  private close(now: number): void {
    this.pending.close();
    this.closedAt = now;
  }

  committed(synced: boolean): void {
    if (synced) this.owesSync = false;
    this.retrying = false;
  }

  failed(): void {
    this.retrying = true;
    this.deadline = NEVER;
    this.gathered = NEVER;
  }

  private isFull(now: number): boolean {
    const { bytes, settledBytes } = this.pending;
    const size = this.size(now);
    return settledBytes >= size || bytes >= size * YOUNG_BATCHES_MAX;
  }

  private size(now: number): number {
    return this.budget.batchBytes(this.batchBytes, now);
  }
}
