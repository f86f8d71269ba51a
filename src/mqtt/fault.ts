// The peer's fault as a value: what a strict decoder hands back instead of a packet. It is never
// thrown; whoever receives it answers with `reason` where the protocol allows that, and closes.

import type { ProtocolVersion } from './packet.ts';

export class Fault {
  /** The MQTT 5 reason code that describes it, 0x80 or above [MQTT 5.0 2.4]. */
  readonly reason: number;
  /** What was wrong, for logs and for the reason string of MQTT 5. */
  readonly why: string;
  /** CONNECT only: whose CONNACK to answer with; 0 is to close without a word. */
  readonly version: ProtocolVersion | 0;

  constructor(reason: number, why: string, version: ProtocolVersion | 0 = 0) {
    this.reason = reason;
    this.why = why;
    this.version = version;
  }
}
