// Virtual time: events wait in a binary heap and happen in order of their time, and of their
// scheduling where the times are equal. Nothing here or in the simulation asks the real clock.

interface Event {
  readonly at: number;
  readonly order: number;
  readonly happen: () => void;
}

function before(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

export class Clock {
  now = 0;
  readonly #heap: Event[] = [];
  #scheduled = 0;

  constructor(start: number) {
    this.now = start;
  }

  get pending(): number {
    return this.#heap.length;
  }

  /** When the next event happens; Infinity when there is none. */
  get next(): number {
    return this.#heap.length > 0 ? this.#heap[0]!.at : Infinity;
  }

  after(delay: number, happen: () => void): void {
    const event = { at: this.now + delay, order: this.#scheduled++, happen };
    let index = this.#heap.length;
    this.#heap.push(event);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!before(event, this.#heap[parent]!)) break;
      this.#heap[index] = this.#heap[parent]!;
      index = parent;
    }
    this.#heap[index] = event;
  }

  /** Moves time to the next event and lets it happen. */
  step(): void {
    const first = this.#heap[0]!;
    const last = this.#heap.pop()!;
    if (this.#heap.length > 0) this.#sink(last);
    this.now = Math.max(this.now, first.at);
    first.happen();
  }

  #sink(event: Event): void {
    const heap = this.#heap;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, event)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = event;
  }
}
