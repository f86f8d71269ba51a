// The step from HTTP to WebSocket: reads one request, answers it, and leaves what came behind it to
// the link. The deadline is the arrival's.

import type { WebSocketTerms } from '../../../config/address.ts';
import {
  acceptance,
  judge,
  NEED_MORE,
  type Refusal,
  readUpgrade,
  refusalText,
  shown,
  type UpgradeRequest,
} from '../../web-socket/upgrade.ts';
import type { Passage } from '../door-link.ts';
import type { DoorSide } from '../side.ts';
import { WebSocketLink } from '../web-socket-link.ts';
import type { Step } from './arrival.ts';

const nothing: Buffer = Buffer.alloc(0);

export class WebSocketStep {
  private readonly terms: WebSocketTerms;

  constructor(terms: WebSocketTerms) {
    this.terms = terms;
  }

  readonly step: Step = ({ stream }, next, refuse) => {
    let seen = nothing;
    const left = () => done({ status: 400, why: 'it ended' });
    const read = (chunk: Buffer) => {
      const checked = seen.length;
      seen = checked === 0 ? chunk : Buffer.concat([seen, chunk]);
      const request = readUpgrade(seen, checked);
      if (request !== NEED_MORE) done(request);
    };
    const done = (request: UpgradeRequest | Refusal) => {
      stream.off('data', read);
      stream.off('end', left);
      stream.pause();
      if ('status' in request) {
        stream.write(Buffer.from(refusalText(request)));
        refuse('no HTTP request', { why: request.why });
        return;
      }
      const refusal = judge(request, this.terms);
      if (refusal !== null) {
        stream.write(Buffer.from(refusalText(refusal)));
        refuse(refusal.why, shown(request));
        return;
      }
      stream.write(Buffer.from(acceptance(request)));
      if (seen.length > request.length) stream.unshift(seen.subarray(request.length));
      next();
    };
    stream.on('data', read);
    stream.on('end', left);
    stream.resume(); // it was accepted paused
  };

  /** For an arrival that has taken this step. */
  link(passage: Passage, side: DoorSide): WebSocketLink {
    return new WebSocketLink(this.terms.messageBytesMax, passage, side);
  }
}
