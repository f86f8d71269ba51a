// Runs hashes a few at a time, in order, and refuses more than it can work off: somebody who sends
// passwords all day costs bounded memory and leaves room for others.

/** Enough for every core but one, few enough that a router does not run out of memory. */
export interface QueueBounds {
  /** Hashes computed at once. */
  readonly runningMax: number;
  /** Hashes waiting, in all and per network. */
  readonly waitingMax: number;
  readonly waitingPerNetworkMax: number;
}

interface Task {
  readonly network: string;
  start(): void;
}

export class HashQueue {
  private readonly bounds: QueueBounds;
  private running = 0;
  private readonly waiting: Task[] = [];
  private readonly perNetwork = new Map<string, number>();

  constructor(bounds: QueueBounds) {
    this.bounds = bounds;
  }

  /** Null when there is no room for it. */
  run<Result>(network: string, compute: () => Promise<Result>): Promise<Result> | null {
    if (this.running < this.bounds.runningMax) return this.compute(compute);
    const waiting = this.perNetwork.get(network) ?? 0;
    const full = this.waiting.length >= this.bounds.waitingMax;
    if (full || waiting >= this.bounds.waitingPerNetworkMax) return null;
    this.perNetwork.set(network, waiting + 1);
    return new Promise((resolve, reject) => {
      const start = () => this.compute(compute).then(resolve, reject);
      this.waiting.push({ network, start });
    });
  }

  private compute<Result>(compute: () => Promise<Result>): Promise<Result> {
    this.running++;
    return compute().finally(() => {
      this.running--;
      this.startNext();
    });
  }

  private startNext(): void {
    const task = this.waiting.shift();
    if (task === undefined) return;
    const left = (this.perNetwork.get(task.network) ?? 1) - 1;
    if (left > 0) this.perNetwork.set(task.network, left);
    else this.perNetwork.delete(task.network);
    task.start();
  }
}
