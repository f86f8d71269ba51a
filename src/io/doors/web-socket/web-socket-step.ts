// The step from HTTP to WebSocket: reads one request, answers it, and leaves what came behind it to
// the link. The deadline is the arrival's.

import type { WebSocketTable } from '../../../config/sections/listeners.ts';
import { KB } from '../../../limits.ts';
import type { Passage } from '../door-link.ts';
import type { DoorSide } from '../side.ts';
import type { Step } from '../steps/arrival.ts';
import {
  acceptance,
  judge,
  NEED_MORE,
  type Refusal,
  readUpgrade,
  refusalText,
  type UpgradeRequest,
} from './upgrade.ts';
import { WebSocketLink } from './web-socket-link.ts';

/** Packets may be joined in a frame: it may be somewhat larger than the largest packet. */
const FRAME_EXTRA_BYTES = 64 * KB;

/** Of what a stranger says, so much is logged. */
const SHOWN_MAX = 200;

const nothing: Buffer = Buffer.alloc(0);

export class WebSocketStep {
  private readonly settings: WebSocketTable;
  private readonly messageBytesMax: number;

  constructor(settings: WebSocketTable, packetSizeMax: number) {
    this.settings = settings;
    this.messageBytesMax = packetSizeMax + FRAME_EXTRA_BYTES;
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
        stream.write(refusalText(request));
        refuse('no HTTP request', { why: request.why });
        return;
      }
      const refusal = judge(request, this.settings);
      if (refusal !== null) {
        stream.write(refusalText(refusal));
        refuse(refusal.why, shown(request));
        return;
      }
      stream.write(acceptance(request));
      if (seen.length > request.length) stream.unshift(seen.subarray(request.length));
      next();
    };
    stream.on('data', read);
    stream.on('end', left);
    stream.resume(); // it was accepted paused
  };

  /** For an arrival that has taken this step. */
  link(passage: Passage, side: DoorSide): WebSocketLink {
    return new WebSocketLink(this.messageBytesMax, passage, side);
  }
}

function shown({ target, headers }: UpgradeRequest): Record<string, string> {
  const origin = headers.get('origin') ?? '';
  return { path: target.slice(0, SHOWN_MAX), origin: origin.slice(0, SHOWN_MAX) };
}
