// The broker as the doors see it when its core is on another thread, blocked in system calls: what
// comes in goes to it through a ring, and what it says comes back through another. The core's end
// is RemoteLinks.

import type { Link } from '../driver.ts';
import { Forwarder } from '../sync/pool/forwarder.ts';
import type { RingMemory } from '../sync/ring.ts';
import type { DoorSide } from './side.ts';

export class FarSide implements DoorSide {
  /** Holds back whatever could come in; set by whoever opens the doors. */
  onHold: (held: boolean) => void = () => {};
  private readonly forwarder: Forwarder;
  private planned = false;
  private stopped = false;

  /** `wakeCore` wakes the core's thread; to be told by that, call `wake`. */
  constructor(up: RingMemory, down: RingMemory, wakeCore: () => void) {
    this.forwarder = new Forwarder(up, down, wakeCore);
    this.forwarder.driver = {
      hold: held => this.onHold(held),
      listenOn: () => {},
      stopListening: () => {}, // the doors are told by whoever opened them
    };
  }

  opened(link: Link): boolean {
    return this.forwarder.opened(link);
  }

  bytes(link: Link, chunk: Uint8Array): void {
    this.forwarder.bytes(link, chunk);
  }

  drained(link: Link): void {
    this.forwarder.drained(link);
  }

  ended(link: Link): void {
    this.forwarder.ended(link);
  }

  closed(link: Link): void {
    this.forwarder.closed(link);
  }

  /** The core's thread is gone, and so is its bell. */
  stop(): void {
    this.stopped = true;
  }

  readonly wake = (): void => {
    if (this.planned || this.stopped) return;
    this.planned = true;
    setImmediate(() => {
      this.planned = false;
      if (this.stopped) return;
      this.forwarder.work();
      if (!this.forwarder.settle()) this.wake();
    });
  };
}
