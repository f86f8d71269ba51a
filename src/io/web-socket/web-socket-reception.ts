// MQTT in WebSocket frames on a driver's own sockets: stands between the driver and the hallway for
// those who come by one listener. The hallway knows a link from the moment it is accepted, so its
// bound on the time to CONNECT holds for the upgrade as well.

import type { WebSocketTerms } from '../../config/address.ts';
import { limits } from '../../limits.ts';
import type { Hallway, Link, Reception, Tell } from '../driver.ts';
import { FramedLink } from './framed-link.ts';
import { SENT_HEAD_BYTES_MAX } from './frames.ts';

export class WebSocketReception implements Reception {
  readonly hallway: Hallway;
  readonly terms: WebSocketTerms;
  readonly tell: Tell;
  /** What is about to be written stands here, for all links. Its bytes stay where they are, as some
   *  drivers want it. */
  readonly stage: Uint8Array = new Uint8Array(
    new ArrayBuffer(SENT_HEAD_BYTES_MAX + limits.doorWindowBytes),
  );
  private readonly links = new Map<Link, FramedLink>();

  constructor(hallway: Hallway, terms: WebSocketTerms, tell: Tell) {
    this.hallway = hallway;
    this.terms = terms;
    this.tell = tell;
  }

  opened(raw: Link): boolean {
    const link = new FramedLink(this, raw);
    this.links.set(raw, link);
    return this.hallway.opened(link);
  }

  bytes(raw: Link, chunk: Uint8Array): void {
    this.links.get(raw)?.received(chunk);
  }

  drained(raw: Link): void {
    this.links.get(raw)?.drained();
  }

  closed(raw: Link): void {
    const link = this.links.get(raw);
    if (link === undefined) return;
    this.links.delete(raw);
    this.hallway.closed(link);
  }
}
