// What is asked of a running broker from outside of its thread, and how it answers: by the control
// socket, and whatever else looks at it. Plain data both ways, so that the broker may live on
// another thread.

import type { AccessSpec } from '../auth/create.ts';
import type { Config } from '../config/config.ts';
import type { GuestInfo, SessionDetail, SessionInfo } from '../core/report/control.ts';
import type { UpkeepRequest, UpkeepResult } from '../store/upkeep/upkeep.ts';

export type Question =
  /** The next rows of a list; `list` is a number that the asker chose for it. */
  | { readonly about: 'clients'; readonly list: number }
  | { readonly about: 'client'; readonly id: string }
  | { readonly about: 'kick'; readonly id: string }
  | { readonly about: 'drop-session'; readonly id: string }
  | { readonly about: 'delete-retained'; readonly filter: string }
  | { readonly about: 'stats' }
  | { readonly about: 'store'; readonly request: UpkeepRequest }
  /** What of a new configuration can be taken over is taken over. */
  | {
      readonly about: 'reconfigure';
      readonly config: Config;
      readonly access: AccessSpec | null;
    }
  /** The next of those who are connected; `list` as above. */
  | { readonly about: 'guests'; readonly list: number }
  /** These may not be here any more. */
  | { readonly about: 'expel'; readonly ids: readonly string[] };

/** A part of a list. */
export interface Page<Row> {
  readonly rows: readonly Row[];
  readonly more: boolean;
}

export interface Results {
  clients: Page<SessionInfo>;
  client: SessionDetail | null;
  /** False: there is no such connection, no such session. */
  kick: boolean;
  'drop-session': boolean;
  /** How many that were. */
  'delete-retained': number;
  stats: Record<string, number | string>;
  store: UpkeepResult;
  reconfigure: true;
  guests: Page<GuestInfo>;
  expel: true;
}

export type Answer =
  | { readonly ok: true; readonly result: Results[keyof Results] }
  /** What the asker is to be told; `code` is a StoreError's, or 'stopped'. */
  | { readonly ok: false; readonly code: string; readonly message: string };
