// The broker's face: inputs come in as handle*, what it wants done goes out in `effects`. It owns
// the dispatch of packets and the fate of connections; everything a packet means stands in its own
// room. Synchronous and deterministic: time and randomness are arguments.

import { limits } from '../limits.ts';
import { plain } from '../mqtt/bytes.ts';
import { decodeAck } from '../mqtt/decode/ack.ts';
import { decodeDisconnect } from '../mqtt/decode/session.ts';
import { Fault } from '../mqtt/fault.ts';
import {
  firstByteValid,
  headerLength,
  MALFORMED,
  NEED_MORE,
  packetLength,
} from '../mqtt/framer.ts';
import { PacketType } from '../mqtt/packet.ts';
import { Reason } from '../mqtt/reason.ts';
import type { Access, AuthResult, Origin } from './access.ts';
import { progress, takeWindow } from './deliver.ts';
import type { Effects } from './effects.ts';
import {
  dropLongestAway,
  endConnection,
  leaveSession,
  onConnectionTimer,
  onDisconnect,
  onSessionTimer,
} from './ending.ts';
import { settleEstate } from './estate.ts';
import { type Journal, noJournal } from './journal.ts';
import type { BrokerOptions } from './options.ts';
import { onPuback, onPubcomp, onPubrec } from './packets/acknowledge.ts';
import { onAuth, onAuthResult, onConnect } from './packets/connect.ts';
import { clearRetained, onPublish, onPubrel } from './packets/publish.ts';
import { goOnWalking, onSubscribe, onUnsubscribe } from './packets/subscribe.ts';
import { SysReport } from './report/sys.ts';
import {
  type KeptDelivery,
  type KeptMessage,
  type KeptSession,
  keptDelivery,
  restoreRetained,
  restoreSession,
} from './restore.ts';
import type { Retained } from './routing/retained.ts';
import { onPauseEnd } from './session/congestion.ts';
import { Connection, ConnectionState, Reading } from './session/connection.ts';
import { noteProgress } from './session/keep-alive.ts';
import { dropPartial, keep, takePartial } from './session/partial.ts';
import type { Session } from './session/session.ts';
import { State } from './state.ts';
import { type Timer, TimerKind } from './timers.ts';
import { logEvent, sendPacket, startClosing } from './transport.ts';

const PINGRESP = new Uint8Array([PacketType.PINGRESP << 4, 0]);

export class Broker {
  readonly state: State;
  readonly effects: Effects;
  private readonly sys: SysReport;

  /** `random` is uniform in [0, 1); `now` is monotonic milliseconds, here as everywhere. */
  constructor(
    options: BrokerOptions,
    access: Access,
    random: () => number,
    now: number,
    journal: Journal = noJournal,
  ) {
    this.state = new State(options, access, journal, random, now);
    this.effects = this.state.effects;
    this.sys = new SysReport(this.state, now);
  }

  /** A transport was opened by `peer`. Null when there are too many: refuse it. */
  handleOpen(peer: string, now: number, origin: Origin | null = null): Connection | null {
    const b = this.state;
    if (b.stopping || b.connectionCount >= b.options.connectionsMax) {
      b.counters.connectsRefused++;
      return null;
    }
    const slot = b.freeSlots.pop() ?? b.connections.length;
    const c = new Connection(slot, peer, origin, b.pool, b.counters);
    if (origin !== null) c.mount = b.mounts.of(origin.mountPoint);
    b.connections[slot] = c;
    b.connectionCount++;
    b.counters.connectionsOpened++;
    b.timers.arm(c.timer, now + b.options.connectTimeoutMs);
    return c;
  }

  /** Bytes came for `c`. The chunk is borrowed until this returns. */
  handleBytes(c: Connection, chunk: Uint8Array, now: number): void {
    if (c.state === ConnectionState.Closing) return;
    this.state.counters.bytesReceived += chunk.length;
    this.takeBytes(c, plain(chunk), now);
  }

  private takeBytes(c: Connection, chunk: Uint8Array, now: number): void {
    if (mustWait(c)) {
      keep(this.state, c, chunk, 0, chunk.length);
      return;
    }
    c.publisher?.freeReceives();
    let pos = 0;
    while (c.partialEnd > 0 && pos < chunk.length) {
      pos = this.completePartial(c, chunk, pos, now);
      if (c.state === ConnectionState.Closing) return;
      if (mustWait(c)) {
        keep(this.state, c, chunk, pos, chunk.length);
        return;
      }
    }
    pos = this.takePackets(c, chunk, pos, chunk.length, now);
    if (pos < 0 || pos === chunk.length) return;
    const whole = packetLength(chunk, pos, chunk.length);
    keep(this.state, c, chunk, pos, chunk.length, whole);
    noteProgress(c, 0, now);
  }

  /** Adds to the packet begun earlier just what it lacks, and handles it once it is whole. */
  private completePartial(c: Connection, chunk: Uint8Array, at: number, now: number): number {
    let pos = at;
    let length = packetLength(c.partial, 0, c.partialEnd);
    while (length === NEED_MORE && pos < chunk.length) {
      keep(this.state, c, chunk, pos, pos + 1);
      pos++;
      length = packetLength(c.partial, 0, c.partialEnd);
    }
    if (length === NEED_MORE) return pos;
    if (length === MALFORMED || this.refused(c, c.partial[0], length)) {
      this.fail(c, ...this.frameFault(c, c.partial[0], length), now);
      return pos;
    }
    const before = c.partialEnd;
    const take = Math.min(length - before, chunk.length - pos);
    keep(this.state, c, chunk, pos, pos + take, length);
    pos += take;
    if (c.partialEnd < length) {
      noteProgress(c, before, now);
      return pos;
    }
    const packet = takePartial(c);
    this.onPacket(c, packet, 0, length, now);
    this.state.pool.give(packet);
    return pos;
  }

  /** Handles the whole packets in buf[from, end); returns where the first that is not begins. */
  private takePackets(
    c: Connection,
    buf: Uint8Array,
    from: number,
    end: number,
    now: number,
  ): number {
    let pos = from;
    while (pos < end) {
      const length = packetLength(buf, pos, end);
      if (length === NEED_MORE) {
        // Even a lone first byte can be wrong already.
        if (firstByteValid(buf[pos], c.version)) return pos;
        this.fail(c, ...this.frameFault(c, buf[pos], length), now);
        return -1;
      }
      if (length === MALFORMED || this.refused(c, buf[pos], length)) {
        this.fail(c, ...this.frameFault(c, buf[pos], length), now);
        return -1;
      }
      if (pos + length > end) return pos;
      this.onPacket(c, buf, pos, length, now);
      if (c.state === ConnectionState.Closing) return -1;
      pos += length;
      if (mustWait(c)) return pos;
    }
    return pos;
  }

  /** Whether a packet is refused by its fixed header alone. */
  private refused(c: Connection, byte0: number, length: number): boolean {
    if (!firstByteValid(byte0, c.version)) return true;
    if (c.state === ConnectionState.Connected) return length > this.state.options.packetSizeMax;
    // Before CONNECT is answered only CONNECT and AUTH may come, and not of any size.
    return length > limits.connectSizeMax || !mayComeBefore(c, byte0 >> 4);
  }

  /** What is wrong with a packet that `refused` turned down. */
  private frameFault(c: Connection, byte0: number, length: number): [number, string] {
    if (length === MALFORMED) return [Reason.MalformedPacket, 'bad remaining length'];
    if (!firstByteValid(byte0, c.version)) return [Reason.MalformedPacket, 'bad fixed header'];
    if (c.state !== ConnectionState.Connected && !mayComeBefore(c, byte0 >> 4)) {
      return [Reason.ProtocolError, 'a packet before CONNECT']; // [MQTT-3.1.0-1]
    }
    return [Reason.PacketTooLarge, `a packet of ${length} bytes`]; // [MQTT-3.2.2-15]
  }

  private onPacket(c: Connection, buf: Uint8Array, pos: number, length: number, now: number): void {
    const b = this.state;
    b.counters.packetsReceived++;
    c.aliveAt = now;
    const byte0 = buf[pos];
    const start = pos + headerLength(length);
    const end = pos + length;
    switch (byte0 >> 4) {
      case PacketType.PUBLISH: {
        const reason = onPublish(b, c, buf, byte0, start, end, now);
        if (reason !== 0) this.fail(c, reason, 'in PUBLISH', now);
        return;
      }
      case PacketType.PUBACK:
      case PacketType.PUBREC:
      case PacketType.PUBREL:
      case PacketType.PUBCOMP: {
        const reason = this.onAck(c, buf, byte0 >> 4, start, end, now);
        if (reason !== 0) this.fail(c, reason, 'in an acknowledgement', now);
        return;
      }
      case PacketType.PINGREQ:
        if (start !== end) this.fail(c, Reason.MalformedPacket, 'PINGREQ with a body', now);
        else sendPacket(b, c, PINGRESP); // [MQTT-3.12.4-1]
        return;
      case PacketType.SUBSCRIBE:
        this.settle(c, onSubscribe(b, c, buf, start, end, now), now);
        return;
      case PacketType.UNSUBSCRIBE:
        this.settle(c, onUnsubscribe(b, c, buf, start, end), now);
        return;
      case PacketType.DISCONNECT:
        this.onDisconnect(c, buf, start, end, now);
        return;
      case PacketType.AUTH:
        this.settle(c, onAuth(b, c, buf, start, end), now);
        return;
      case PacketType.CONNECT:
        if (c.state === ConnectionState.AwaitConnect) onConnect(b, c, buf, start, end, now);
        else this.fail(c, Reason.ProtocolError, 'a second CONNECT', now); // [MQTT-3.1.0-2]
        return;
      default: // CONNACK, SUBACK, UNSUBACK, PINGRESP: only a server sends these
        this.fail(c, Reason.ProtocolError, 'a packet that only servers send', now);
    }
  }

  private onAck(
    c: Connection,
    buf: Uint8Array,
    type: number,
    start: number,
    end: number,
    now: number,
  ): number {
    const b = this.state;
    const view = b.ackView;
    const malformed = decodeAck(view, buf, type, start, end, c.version);
    if (malformed !== 0) return malformed;
    switch (type) {
      case PacketType.PUBACK:
        return onPuback(b, c, view.packetId, view.reason, now);
      case PacketType.PUBREC:
        return onPubrec(b, c, view.packetId, view.reason, now);
      case PacketType.PUBREL:
        onPubrel(b, c, view.packetId);
        return 0;
      default:
        return onPubcomp(b, c, view.packetId, now);
    }
  }

  private onDisconnect(
    c: Connection,
    buf: Uint8Array,
    start: number,
    end: number,
    now: number,
  ): void {
    const packet = decodeDisconnect(buf, start, end, c.version);
    if (packet instanceof Fault) {
      this.settle(c, packet, now);
      return;
    }
    const { reason, sessionExpirySeconds } = packet;
    if (c.state !== ConnectionState.Connected) {
      endConnection(this.state, c, reason, 'the client gave up', now);
      return;
    }
    const fault = onDisconnect(this.state, c, reason, sessionExpirySeconds, now);
    if (fault !== null) this.fail(c, Reason.ProtocolError, fault, now);
  }

  private settle(c: Connection, fault: Fault | null, now: number): void {
    if (fault !== null) this.fail(c, fault.reason, fault.why, now);
  }

  /** The peer broke the protocol: it is told why, if its version has words for it, and closed. */
  private fail(c: Connection, reason: number, why: string, now: number): void {
    if (reason !== Reason.MessageRateTooHigh) this.state.counters.protocolErrors++;
    endConnection(this.state, c, reason, why, now); // [MQTT-4.13.1-1]
  }

  /** The driver wrote so much of `c.out` that little or nothing waits there any more. */
  handleDrained(c: Connection, now: number): void {
    if (c.session !== null) progress(this.state, c.session, now);
  }

  /**
   * The store has got to `written`, and to `synced` past any power cut: what waited for that may
   * go.
   */
  handleDurable(written: number, synced: number): void {
    const b = this.state;
    b.written = written;
    b.synced = synced;
    let kept = 0;
    for (const c of b.holding) {
      c.out.release(written, synced);
      if (c.out.length > 0) b.effects.markDirty(c);
      if (c.out.holding) b.holding[kept++] = c;
    }
    b.holding.length = kept;
  }

  /** The store is over its bound: makes room. False when there is nothing left to give up. */
  handleStoreFull(now: number): boolean {
    return dropLongestAway(this.state, now);
  }

  /** What of a session's backlog waited on disk, from the oldest on [Journal.wantWindow]. */
  handleWindow(session: Session, kept: readonly KeptDelivery[], now: number): void {
    const b = this.state;
    const deliveries = kept.map(delivery => keptDelivery(b, delivery));
    if (session.away?.estate) settleEstate(b, session, deliveries, now);
    else if (b.sessions.get(session.clientId) === session) takeWindow(b, session, deliveries, now);
  }

  /** Before anything else: what the store kept. All sessions first, in any order. */
  restore(
    sessions: Iterable<KeptSession>,
    retained: Iterable<KeptMessage>,
    lastSessionId: number,
    now: number,
  ): void {
    this.state.lastSessionId = lastSessionId;
    for (const message of retained) restoreRetained(this.state, message);
    for (const session of sessions) restoreSession(this.state, session, now);
    // Wills that are due are not taken back by a client that is faster than the first turn.
    this.handleTime(now);
  }

  /** The peer has ended what is around MQTT (`why`): its part ends as with the transport, and what
   *  waits for it is still written. */
  handleParted(c: Connection, why: string, now: number): void {
    this.takeLeftBehind(c, now);
    this.endFromAfar(c, why, now);
    startClosing(this.state, c, now);
  }

  /** The transport is gone: closed by the peer, reset, or closed by the driver as it was asked. */
  handleClosed(c: Connection, now: number): void {
    const b = this.state;
    if (b.connections[c.slot] !== c) return;
    this.takeLeftBehind(c, now);
    this.endFromAfar(c, 'connection closed', now);
    c.state = ConnectionState.Closing;
    c.session = null;
    dropPartial(b, c);
    c.out.drop();
    b.timers.cancel(c.timer);
    if (c.pauseTimer !== null) b.timers.cancel(c.pauseTimer);
    if (c.stayTimer !== null) b.timers.cancel(c.stayTimer);
    b.connections[c.slot] = undefined;
    b.freeSlots.push(c.slot);
    b.connectionCount--;
  }

  /** Without the client's DISCONNECT or one of ours. */
  private endFromAfar(c: Connection, why: string, now: number): void {
    const b = this.state;
    if (c.state === ConnectionState.Connected) {
      logEvent(b, 'info', 'disconnect', c, { reason: why, by: 'network' });
      leaveSession(b, c, now); // the will, if any, is due [MQTT-3.1.2-8]
    } else if (c.state !== ConnectionState.Closing) {
      b.counters.connectsRefused++;
      logEvent(b, 'debug', 'refused', c, { reason: `${why} before CONNECT` });
    }
  }

  /** What came before the end while `c` was paused, its goodbye perhaps: nobody is left to slow. */
  private takeLeftBehind(c: Connection, now: number): void {
    if (c.publisher !== null) c.publisher.pacer = null;
    while (c.state === ConnectionState.Connected && mustWait(c) && c.partialEnd > 0) {
      c.reading = Reading.On;
      this.takeKept(c, now);
    }
  }

  handleAuthResult(c: Connection, result: AuthResult, now: number): void {
    if (c.state === ConnectionState.Closing || c.credentials === null) return;
    onAuthResult(this.state, c, result, now);
  }

  /** Runs what is due and what was put off to the next turn. */
  handleTime(now: number): void {
    const b = this.state;
    for (let timer = b.timers.takeDue(now); timer !== null; timer = b.timers.takeDue(now)) {
      this.onTimer(timer, now);
    }
    for (const c of b.resumed.splice(0)) this.goOn(c, now);
    goOnWalking(b, now);
  }

  /** When `handleTime` wants to be called; -Infinity: as soon as this turn has been flushed. */
  nextDeadline(): number {
    const b = this.state;
    if (b.resumed.length > 0 || b.walking.size > 0) return Number.NEGATIVE_INFINITY;
    return b.timers.next();
  }

  private onTimer(timer: Timer<unknown>, now: number): void {
    const b = this.state;
    switch (timer.kind) {
      case TimerKind.Connection:
        onConnectionTimer(b, timer.subject as Connection, now);
        return;
      case TimerKind.PauseEnd:
        onPauseEnd(b, timer.subject as Connection, now);
        return;
      case TimerKind.Session:
        onSessionTimer(b, timer.subject as Session, now);
        return;
      case TimerKind.RetainedExpiry:
        clearRetained(b, timer.subject as Retained);
        return;
      case TimerKind.StayEnd: {
        const why = 'what it was let in by has expired';
        endConnection(b, timer.subject as Connection, Reason.MaximumConnectTime, why, now);
        return;
      }
      default:
        this.sys.publish(now);
    }
  }

  /** Handles what was kept while `c` was paused or being authenticated. */
  private goOn(c: Connection, now: number): void {
    if (c.reading === Reading.Resuming) c.reading = Reading.On;
    if (c.state === ConnectionState.Closing || mustWait(c)) return;
    c.aliveAt = now;
    if (c.partialEnd > 0) this.takeKept(c, now);
  }

  private takeKept(c: Connection, now: number): void {
    const end = c.partialEnd;
    const kept = takePartial(c);
    this.takeBytes(c, kept.subarray(0, end), now);
    this.state.pool.give(kept);
  }

  /** From here on these hold. What clients were told at their CONNACK must not differ (maximum
   *  packet size, receive maximum, topic aliases, capabilities); what is over a bound now stays. */
  handleOptions(options: BrokerOptions): void {
    const { state } = this;
    state.options = options;
    state.retained.countMax = options.retainedMessagesMax;
    state.retained.bytesMax = options.retainedBytesMax;
    state.guard.configure(state);
  }

  /** From here on `access` decides; recipients are worked out anew. */
  handleAccess(access: Access): void {
    this.state.access = access;
    this.state.router.changed();
  }

  /** MQTT 5 clients are told, everybody is closed [MQTT 5.0 4.13]; nobody new is let in. */
  handleShutdown(now: number): void {
    const b = this.state;
    b.stopping = true;
    for (const c of b.connections) {
      if (c !== undefined) endConnection(b, c, Reason.ServerShuttingDown, null, now);
    }
  }
}

/** Whether bytes of `c` must be kept for later: it is paused, or earlier ones are still kept. */
function mustWait(c: Connection): boolean {
  return c.reading !== Reading.On;
}

/** Which packets may come before a connection is let in [MQTT-3.1.0-1, MQTT-3.1.2-30]. */
function mayComeBefore(c: Connection, type: number): boolean {
  if (type === PacketType.CONNECT) return true;
  const answers = type === PacketType.AUTH || type === PacketType.DISCONNECT;
  return answers && c.state === ConnectionState.AwaitAuth;
}
