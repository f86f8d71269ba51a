// How fast newcomers come through the doors. Those who have a TLS handshake to do are paced apart:
// it is what costs most, and those already in are not to wait for it.

import { Gate } from '../async/gate.ts';

/** A TLS handshake costs about a millisecond of this thread, several times what another does. */
const TLS_WEIGHT = 4;

export class Admission {
  private readonly gates: readonly [plain: Gate, tls: Gate];
  private timer: ReturnType<typeof setTimeout> | undefined;
  private planned = false;
  private stopped = false;

  constructor(acceptsPerSecond: number) {
    this.gates = [new Gate(acceptsPerSecond), new Gate(acceptsPerSecond / TLS_WEIGHT)];
  }

  /** Calls `letIn` now or later. Returns what is to be called when the newcomer is gone, in or
   *  not. */
  admit(tls: boolean, letIn: () => void): () => void {
    const gate = this.gates[tls ? 1 : 0];
    const guest = { hold() {}, letIn };
    gate.arrived(guest);
    this.plan();
    return () => gate.left(guest);
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  /** Lets in who was held, once everything that is ready has been looked at. */
  private plan(): void {
    if (this.planned || this.stopped) return;
    this.planned = true;
    setImmediate(() => {
      this.planned = false;
      const delay = Math.min(...this.gates.map(gate => gate.letIn()));
      clearTimeout(this.timer);
      if (delay === Number.POSITIVE_INFINITY || this.stopped) return;
      this.timer = setTimeout(() => this.plan(), Math.ceil(delay));
    });
  }
}
