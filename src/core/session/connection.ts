// A connection: one transport's life. It has a place to keep bytes of a packet that is not whole
// yet, and an output; everything that outlives it is in its session.

import { type ConnectPacket, PACKET_SIZE_LIMIT, type ProtocolVersion } from '../../mqtt/packet.ts';
import type { Credentials, Origin, Principal } from '../access.ts';
import type { Pacer } from '../limits/publish-rate.ts';
import type { Counters } from '../report/counters.ts';
import { NO_BYTES } from '../routing/message.ts';
import type { MountPoint } from '../routing/mount-point.ts';
import type { Topic } from '../routing/topics.ts';
import { Timer, TimerKind } from '../timers.ts';
import { type BufferPool, Output } from './output.ts';
import type { Session } from './session.ts';

export const ConnectionState = {
  /** Nothing but CONNECT may come. */
  AwaitConnect: 0,
  /** CONNECT came; the authenticator has been asked. */
  Authenticating: 1,
  /** The authenticator asked the client something; nothing but AUTH may come. */
  AwaitAuth: 2,
  Connected: 3,
  /** Its session is somebody else's or gone; what waits is written, then the transport closes. */
  Closing: 4,
} as const;

/** What is known while a client is being let in, and for as long as it stays of one that has an
 *  authentication method. */
export class Login {
  /** The CONNECT to be answered; null once it is. */
  packet: ConnectPacket | null;
  /** Authentication method of CONNECT; null for none. */
  readonly method: string | null;
  /** What the authenticator is asked; null unless it is being asked. */
  credentials: Credentials | null = null;
  /** As AuthResult.exchange: where its authentication stands. */
  exchange: object | null = null;
  reauthenticating = false;

  constructor(packet: ConnectPacket) {
    this.packet = packet;
    this.method = packet.authenticationMethod;
  }
}

/** Whether bytes of a connection are taken. */
export const Reading = {
  On: 0,
  Paused: 1,
  /** No longer paused, but what was kept meanwhile has not been handled yet. */
  Resuming: 2,
} as const;

/** What is known of a client that publishes. */
export class Publisher {
  /** QoS 1 and 2 messages received whose exchange is not over [MQTT-3.3.4-7]. */
  receiveUsed = 0;
  /** Of these, how many are over as soon as what is in the output has left. */
  receiveEnding = 0;
  /** Topic aliases the client defined; [0] is unused. */
  aliases: (Topic | undefined)[] | null = null;
  /** The topic last published to: the next PUBLISH most likely names it too. */
  lastTopic: Topic | null = null;
  /** What its publishing is measured by; null while it may publish as fast as it can. */
  pacer: Pacer | null = null;

  /** Acknowledgements of earlier chunks have left: their places in the receive maximum are free. */
  freeReceives(): void {
    if (this.receiveEnding === 0) return;
    // Exchanges begun on an earlier connection end here without having been counted here.
    this.receiveUsed = Math.max(0, this.receiveUsed - this.receiveEnding);
    this.receiveEnding = 0;
  }
}

/** Topic aliases that we define towards a client. */
export class OutAliases {
  readonly max: number;
  readonly byTopic = new Map<string, number>();

  constructor(max: number) {
    this.max = max;
  }
}

/** There may be a million: 256 bytes as long as there are at most 30 fields. */
export class Connection implements Principal {
  /** A small integer, used again after the transport has closed: drivers index by it. */
  readonly slot: number;
  readonly peer: string;
  readonly origin: Origin | null;
  /** What is in front of the topics that this client names; null for nothing. */
  mount: MountPoint | null = null;
  readonly out: Output;
  /** CONNECT time-out, then keep alive, then forced close. */
  readonly timer: Timer<unknown>;
  state: number = ConnectionState.AwaitConnect;
  version: ProtocolVersion = 4;
  session: Session | null = null;
  clientId = '';
  /** A mosquitto bridge: what it subscribes to does not come back to it, and stays as published. */
  bridge = false;
  username: string | null = null;
  grants: object | null = null;
  /** As AuthResult.standing. */
  standing = '';
  connectedAt = 0;
  /** 0: no keep alive. */
  keepAliveMs = 0;
  /** When its keep alive last began anew: as a rule, when a whole packet came. */
  aliveAt = 0;

  /** Bytes of a packet that is not whole yet, or that must wait: partial[0, partialEnd). */
  partial: Uint8Array = NO_BYTES;
  partialEnd = 0;

  login: Login | null = null;

  /** Largest packet the client takes, bytes. */
  packetSizeMax = PACKET_SIZE_LIMIT;
  /** Messages in flight towards the client at once. */
  inflightMax = 0;
  /** Made at its first PUBLISH. */
  publisher: Publisher | null = null;
  /** Null when the client takes none. */
  outAliases: OutAliases | null = null;

  reading: number = Reading.On;
  /** The session that reading waits for while `paused`; null: it waits for the authenticator, or
   *  has been too fast. */
  pausedFor: Session | null = null;
  pauseTimer: Timer<unknown> | null = null;
  /** Armed while it may stay only for a while. */
  stayTimer: Timer<unknown> | null = null;

  /** On the effects' list of connections with output. */
  dirty = false;
  /** Close at once, whatever waits. */
  aborted = false;

  constructor(
    slot: number,
    peer: string,
    origin: Origin | null,
    pool: BufferPool,
    counters: Counters,
  ) {
    this.slot = slot;
    this.peer = peer;
    this.origin = origin;
    this.out = new Output(pool, counters);
    this.timer = new Timer<unknown>(TimerKind.Connection, this);
  }

  /** Not read from. */
  get paused(): boolean {
    return this.reading === Reading.Paused;
  }

  get v5(): boolean {
    return this.version === 5;
  }

  /** What the authenticator is asked; null unless it is being asked. */
  get credentials(): Credentials | null {
    return this.login === null ? null : this.login.credentials;
  }

  needPublisher(): Publisher {
    this.publisher ??= new Publisher();
    return this.publisher;
  }

  /** The timer that ends a pause, made at the first one. */
  needPauseTimer(): Timer<unknown> {
    this.pauseTimer ??= new Timer<unknown>(TimerKind.PauseEnd, this);
    return this.pauseTimer;
  }

  needStayTimer(): Timer<unknown> {
    this.stayTimer ??= new Timer<unknown>(TimerKind.StayEnd, this);
    return this.stayTimer;
  }
}
