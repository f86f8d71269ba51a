// What the doors see of the broker. Where the core is on the same thread that is the hallway
// itself; where it is on another, a stand-in that hands everything over.

import type { Link, Reception } from '../driver.ts';

export interface DoorSide extends Reception {
  /** The peer of `link` has ended its own side. `link` is closed by this side once what came has
   *  been handled and answered. */
  ended(link: Link): void;
  /** Called when nothing more may come in for a while (true), and when it may again. */
  onHold: (held: boolean) => void;
  /** Something was said: a turn is wanted when all that is ready has been read. */
  wake(): void;
}

/** The hallway on this thread. Its driver, when it is woken, plans a turn by setImmediate: what is
 *  planned behind that comes after it. */
export function nearSide(hallway: Reception, wake: () => void): DoorSide {
  return {
    opened: link => hallway.opened(link),
    bytes: (link, chunk) => hallway.bytes(link, chunk),
    drained: link => hallway.drained(link),
    closed: link => hallway.closed(link),
    ended(link) {
      wake();
      setImmediate(() => link.close());
    },
    onHold() {}, // it takes everything
    wake,
  };
}
