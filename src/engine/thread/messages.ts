// What the main thread and an engine on a thread of its own say to each other. It travels as JSON
// (src/io/sync/mailbox.ts), so bytes are written as base64.

import type { AccessSpec } from '../../auth/create.ts';
import type { Config, LogModule } from '../../config/config.ts';
import type { AuthResult, Credentials } from '../../core/access.ts';
import type { RoomShare } from '../../io/room.ts';
import type { MailboxMemory } from '../../io/sync/mailbox.ts';
import type { RingMemory } from '../../io/sync/ring.ts';
import type { LineLevel, LogFields } from '../../log.ts';
import type { WatchdogRequest } from '../../service/watchdog.ts';
import type { Answer, Question } from '../questions.ts';

/** What the thread is started with. */
export interface EngineThreadData {
  readonly minnowEngine: {
    readonly config: Config;
    readonly access: AccessSpec | null;
    readonly mailbox: MailboxMemory;
    /** The Doorbell that is rung for the engine. */
    readonly bell: number;
    /** The rings of doors on the main thread, when there are any. */
    readonly doors: DoorRings | null;
    readonly watchdog: WatchdogRequest | null;
    /** What there is for the sockets of the process. */
    readonly room: RoomShare;
  };
}

export interface DoorRings {
  readonly up: RingMemory;
  readonly down: RingMemory;
}

export type ToEngine =
  | { readonly type: 'ask'; readonly id: number; readonly question: Question }
  | { readonly type: 'verdict'; readonly id: number; readonly result: EncodedResult }
  | { readonly type: 'stop' };

export interface StartFault {
  /** A StoreError, or an error of the system. */
  readonly kind: 'store' | 'system';
  readonly code: string;
  readonly message: string;
  readonly address?: string;
  readonly port?: number;
}

export type FromEngine =
  | { readonly type: 'started'; readonly addresses: readonly string[] }
  | { readonly type: 'refused'; readonly fault: StartFault }
  | { readonly type: 'answer'; readonly id: number; readonly answer: Answer }
  | { readonly type: 'authenticate'; readonly id: number; readonly credentials: EncodedCredentials }
  | {
      readonly type: 'log';
      readonly module: LogModule;
      readonly level: LineLevel;
      readonly message: string;
      readonly fields: LogFields;
    }
  /** The last connection is gone after `stop`. */
  | { readonly type: 'empty' }
  /** Everything is kept, and nothing is open any more. */
  | { readonly type: 'closed' };

export type EncodedCredentials = Omit<Credentials, 'password' | 'authData'> & {
  readonly password: string | null;
  readonly authData: string | null;
};

export type EncodedResult = Omit<AuthResult, 'data'> & { readonly data: string | null };

function encodeBytes(bytes: Uint8Array | null | undefined): string | null {
  return bytes ? Buffer.from(bytes).toString('base64') : null;
}

function decodeBytes(text: string | null): Uint8Array | null {
  return text === null ? null : Buffer.from(text, 'base64');
}

export function encodeCredentials(credentials: Credentials): EncodedCredentials {
  const { password, authData } = credentials;
  return { ...credentials, password: encodeBytes(password), authData: encodeBytes(authData) };
}

export function decodeCredentials(encoded: EncodedCredentials): Credentials {
  const { password, authData } = encoded;
  return { ...encoded, password: decodeBytes(password), authData: decodeBytes(authData) };
}

export function encodeResult(result: AuthResult): EncodedResult {
  return { ...result, data: encodeBytes(result.data) };
}

export function decodeResult(encoded: EncodedResult): AuthResult {
  return { ...encoded, data: decodeBytes(encoded.data) };
}
