// A small MQTT client over one socket: what `minnow pub` and `minnow sub` need and no more. It owns
// the handshakes of QoS 1 and 2 in both directions, the send window, topic aliases towards us and
// the keep alive. It does not reconnect, and it remembers nothing between connections.
//
// A QoS 2 message is handed on when it first arrives, not at PUBREL: the process may end in
// between, and the session's next process would see the PUBREL only.

import type { Socket } from 'node:net';
import {
  PACKET_SIZE_LIMIT,
  type ProtocolVersion,
  type QoS,
  type UserProperty,
} from '../../mqtt/packet.ts';
import { Reason, reasonText } from '../../mqtt/reason.ts';
import type { Properties } from './properties.ts';
import { type Address, openSocket, type TlsOptions } from './socket.ts';
import { describeFailure, describePacket, explained, returnCodeText } from './texts.ts';
import { type IConnackPacket, type IPublishPacket, type Packet, Wire } from './wire.ts';

const CONNECT_TIMEOUT_MS = 30_000;
/** How long a clean end waits for acknowledgements, and for the broker to close. */
const DRAIN_TIMEOUT_MS = 5_000;

export interface Will {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly properties: Properties;
}

export interface ClientOptions {
  readonly address: Address;
  readonly tls: TlsOptions | null;
  readonly version: ProtocolVersion;
  readonly clientId: string;
  readonly clean: boolean;
  readonly keepAliveSeconds: number;
  readonly username?: string;
  readonly password?: string;
  readonly will: Will | null;
  readonly connectProperties: Properties;
  readonly disconnectProperties: Properties;
  /** QoS 1 and 2 messages on their way at once; the broker may allow fewer. */
  readonly inflightMax: number;
}

export interface OutgoingMessage {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly properties?: Properties;
}

export interface IncomingMessage extends OutgoingMessage {
  readonly messageId: number;
  readonly properties: Properties;
  readonly userProperties: readonly UserProperty[];
  readonly receivedAt: Date;
}

export interface SubscribeRequest {
  readonly filters: readonly string[];
  readonly qos: QoS;
  readonly retainAsPublished: boolean;
  readonly properties: Properties;
}

export interface ClientEvents {
  message(message: IncomingMessage): void;
  /** One line per packet, for --debug. */
  trace(line: string): void;
}

/** The connection failed or was refused; `exitCode` is the broker's code where there is one. */
export class ConnectionError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

interface Outgoing {
  readonly message: OutgoingMessage;
  readonly resolve: (reason: number) => void;
  readonly reject: (error: Error) => void;
}

interface Acknowledgement {
  readonly resolve: (packet: Acknowledged) => void;
  readonly reject: (error: Error) => void;
}

interface Acknowledged {
  readonly reasonCode?: number;
  readonly granted?: readonly unknown[];
}

export class MqttClient {
  /** Settles when the connection is over: null when we ended it, otherwise why it ended. */
  readonly closed: Promise<ConnectionError | null>;
  /** The broker kept a session for us. */
  sessionPresent = false;

  readonly #options: ClientOptions;
  readonly #events: ClientEvents;
  readonly #socket: Socket;
  readonly #wire: Wire;
  #clientId: string;
  #window: number;
  /** What the broker said about itself in CONNACK. */
  #capabilities: NonNullable<IConnackPacket['properties']> = {};
  #packetId = 0;
  #inflight = 0;
  /** Messages that wait for the window, in order. */
  readonly #queue: Outgoing[] = [];
  /** By packet id: PUBLISH, SUBSCRIBE and UNSUBSCRIBE that wait for their acknowledgement. */
  readonly #pending = new Map<number, Acknowledgement>();
  /** QoS 2 messages we have taken and whose PUBREL is outstanding. */
  readonly #received = new Set<number>();
  readonly #aliases = new Map<number, string>();
  #roomWaiters: (() => void)[] = [];
  #idleWaiters: (() => void)[] = [];
  #pingTimer: ReturnType<typeof setInterval> | null = null;
  #pingOutstanding = false;
  #connected: { resolve: () => void; reject: (error: Error) => void } | null = null;
  #ending = false;
  /** DISCONNECT is sent: how the broker closes its side no longer matters. */
  #goodbye = false;
  #failure: ConnectionError | null = null;

  /** Opens the connection and completes the CONNECT handshake; rejects with ConnectionError. */
  static async connect(
    options: ClientOptions,
    events: ClientEvents,
    signal?: AbortSignal,
  ): Promise<MqttClient> {
    const client = new MqttClient(options, events);
    const abort = () => client.#fail('interrupted');
    signal?.addEventListener('abort', abort);
    const timer = setTimeout(() => {
      client.#fail(`no answer from the broker within ${CONNECT_TIMEOUT_MS / 1000} seconds`);
    }, CONNECT_TIMEOUT_MS);
    try {
      await new Promise<void>((resolve, reject) => {
        client.#connected = { resolve, reject };
      });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    }
    return client;
  }

  private constructor(options: ClientOptions, events: ClientEvents) {
    this.#options = options;
    this.#events = events;
    this.#clientId = options.clientId;
    this.#window = options.inflightMax;
    this.#wire = new Wire(options.version, {
      packet: (packet, userProperties) => this.#onPacket(packet, userProperties),
      fault: error => this.#fail(`the broker sent something that is not MQTT: ${error.message}`),
    });
    this.#socket = openSocket(options.address, options.tls, () => this.#sendConnect());
    this.#socket.on('data', chunk => this.#wire.push(chunk as Buffer));
    this.#socket.on('drain', () => this.#pump());
    this.#socket.on('error', error => {
      if (!this.#goodbye) this.#fail(describeFailure(error, options.address));
    });
    this.#socket.on('end', () => this.#socket.end());
    this.closed = new Promise(resolve => {
      this.#socket.on('close', () => resolve(this.#onClose()));
    });
  }

  /** Resolves with the reason code once the message is acknowledged as its QoS asks. */
  publish(message: OutgoingMessage): Promise<number> {
    const refusal = this.#refusal(message);
    if (refusal !== null) return Promise.reject(refusal);
    return new Promise((resolve, reject) => {
      this.#queue.push({ message, resolve, reject });
      this.#pump();
    });
  }

  /** Why the broker would disconnect us over this message, going by what its CONNACK said. */
  #refusal(message: OutgoingMessage): ConnectionError | null {
    const { maximumQoS = 2, retainAvailable = true, topicAliasMaximum = 0 } = this.#capabilities;
    const alias = (message.properties?.topicAlias ?? 0) as number;
    if (message.qos > maximumQoS) {
      return new ConnectionError(
        `the broker takes QoS ${maximumQoS} at most`,
        Reason.QoSNotSupported,
      );
    }
    if (message.retain && !retainAvailable) {
      return new ConnectionError(
        'the broker keeps no retained messages',
        Reason.RetainNotSupported,
      );
    }
    if (alias > topicAliasMaximum) {
      const text = `topic alias ${alias} is too high: the broker takes ${topicAliasMaximum}`;
      return new ConnectionError(text, Reason.TopicAliasInvalid);
    }
    return null;
  }

  /** Resolves when another message would be sent at once rather than pile up here. */
  async writable(): Promise<void> {
    while (!this.#socket.destroyed && (this.#queue.length > 0 || this.#socket.writableNeedDrain)) {
      await new Promise<void>(resolve => this.#roomWaiters.push(resolve));
    }
  }

  /** Resolves with one reason code per filter. */
  async subscribe(request: SubscribeRequest): Promise<number[]> {
    const messageId = this.#nextPacketId();
    const subscriptions = request.filters.map(topic => ({
      topic,
      qos: request.qos,
      nl: false,
      rap: request.retainAsPublished,
      rh: 0,
    }));
    const { properties } = request;
    this.#send({ cmd: 'subscribe', messageId, subscriptions, properties });
    const { granted } = await this.#acknowledged(messageId);
    return (granted ?? []) as number[];
  }

  /** Resolves with one reason code per filter; MQTT 3.x answers with none. */
  async unsubscribe(filters: readonly string[], properties: Properties): Promise<number[]> {
    const messageId = this.#nextPacketId();
    this.#send({ cmd: 'unsubscribe', messageId, unsubscriptions: [...filters], properties });
    const { granted } = await this.#acknowledged(messageId);
    return (granted ?? []) as number[];
  }

  /** Takes no further message, lets open handshakes finish, says DISCONNECT and closes. Bounded.
   *  Resolves as `closed` does. */
  async end(): Promise<ConnectionError | null> {
    if (this.#ending) return this.closed;
    this.#ending = true;
    this.#socket.resume();
    const timer = setTimeout(() => this.#socket.destroy(), DRAIN_TIMEOUT_MS);
    while (!this.#idle() && !this.#socket.destroyed) {
      await new Promise<void>(resolve => this.#idleWaiters.push(resolve));
    }
    if (!this.#socket.destroyed) {
      const properties = this.#options.disconnectProperties;
      this.#send({ cmd: 'disconnect', reasonCode: Reason.NormalDisconnection, properties });
      this.#goodbye = true;
      this.#socket.end();
    }
    const failure = await this.closed;
    clearTimeout(timer);
    return failure;
  }

  /** Stops and resumes reading: the way to slow a broker down that is faster than our output. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  #idle(): boolean {
    return this.#queue.length === 0 && this.#pending.size === 0 && this.#received.size === 0;
  }

  #sendConnect(): void {
    const { version, clean, keepAliveSeconds, username, password, will } = this.#options;
    this.#send({
      cmd: 'connect',
      protocolId: version === 3 ? 'MQIsdp' : 'MQTT',
      protocolVersion: version,
      clientId: this.#clientId,
      clean,
      keepalive: keepAliveSeconds,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password: Buffer.from(password) }),
      ...(will === null ? {} : { will }),
      properties: this.#options.connectProperties,
    });
  }

  #onPacket(packet: Packet, userProperties: readonly UserProperty[]): void {
    this.#trace('received', packet);
    const messageId = packet.messageId ?? 0;
    switch (packet.cmd) {
      case 'connack':
        this.#onConnack(packet);
        break;
      case 'publish':
        this.#onPublish(packet, userProperties);
        break;
      case 'pubrel':
        this.#received.delete(messageId);
        this.#send({ cmd: 'pubcomp', messageId, reasonCode: 0 });
        this.#checkIdle();
        break;
      case 'pubrec':
        if ((packet.reasonCode ?? 0) >= Reason.UnspecifiedError) this.#settle(messageId, packet);
        else this.#send({ cmd: 'pubrel', messageId, reasonCode: 0 });
        break;
      case 'puback':
      case 'pubcomp':
      case 'suback':
      case 'unsuback':
        this.#settle(messageId, packet);
        break;
      case 'pingresp':
        this.#pingOutstanding = false;
        break;
      case 'disconnect':
        this.#onDisconnect(packet);
        break;
      default:
        this.#fail(`the broker sent ${packet.cmd}, which only a client may send`);
    }
  }

  #onDisconnect({ reasonCode = 0, properties }: Packet & { cmd: 'disconnect' }): void {
    const why = `${reasonText(reasonCode)}${explained(properties?.reasonString)}`;
    this.#fail(`disconnected by the broker: ${why}`, reasonCode);
  }

  #onConnack(packet: Packet & { cmd: 'connack' }): void {
    const code = packet.reasonCode ?? packet.returnCode ?? 0;
    const { properties } = packet;
    if (code !== 0) {
      const name = this.#options.version === 5 ? reasonText(code) : returnCodeText(code);
      const why = `${name}${explained(properties?.reasonString)}`;
      this.#fail(`the broker refused the connection: ${why}`, code);
      return;
    }
    this.sessionPresent = packet.sessionPresent;
    this.#clientId = properties?.assignedClientIdentifier ?? this.#clientId;
    this.#window = Math.min(this.#window, properties?.receiveMaximum ?? this.#window);
    this.#capabilities = properties ?? {};
    this.#keepAlive(properties?.serverKeepAlive ?? this.#options.keepAliveSeconds);
    this.#connected?.resolve();
    this.#connected = null;
  }

  #onPublish(packet: IPublishPacket, userProperties: readonly UserProperty[]): void {
    const messageId = packet.messageId ?? 0;
    if (this.#ending) return; // unacknowledged, it stays with the broker's session
    const properties = (packet.properties ?? {}) as Properties;
    const topic = this.#aliased(packet.topic, properties.topicAlias as number | undefined);
    if (topic === null) {
      this.#fail('the broker used a topic alias it never defined');
      return;
    }
    const fresh = packet.qos < 2 || !this.#received.has(messageId);
    if (packet.qos === 2) this.#received.add(messageId);
    if (packet.qos === 1) this.#send({ cmd: 'puback', messageId, reasonCode: 0 });
    if (packet.qos === 2) this.#send({ cmd: 'pubrec', messageId, reasonCode: 0 });
    if (!fresh) return;
    this.#events.message({
      topic,
      payload: Buffer.from(packet.payload),
      qos: packet.qos,
      retain: packet.retain,
      messageId,
      properties,
      userProperties,
      receivedAt: new Date(),
    });
  }

  /** The topic a PUBLISH means [MQTT-3.3.2-12], or null when its alias is unknown. */
  #aliased(topic: string, alias: number | undefined): string | null {
    if (topic === '') return alias === undefined ? null : (this.#aliases.get(alias) ?? null);
    if (alias !== undefined) this.#aliases.set(alias, topic);
    return topic;
  }

  #settle(messageId: number, packet: Acknowledged): void {
    const waiting = this.#pending.get(messageId);
    this.#pending.delete(messageId);
    waiting?.resolve(packet);
  }

  #acknowledged(messageId: number): Promise<Acknowledged> {
    return new Promise<Acknowledged>((resolve, reject) => {
      this.#pending.set(messageId, { resolve, reject });
    }).finally(() => this.#checkIdle());
  }

  /** Sends what the window and the socket take, in order. */
  #pump(): void {
    while (this.#queue.length > 0 && !this.#socket.writableNeedDrain) {
      const { message, resolve, reject } = this.#queue[0];
      if (message.qos > 0 && this.#inflight >= this.#window) break;
      this.#queue.shift();
      const messageId = message.qos > 0 ? this.#nextPacketId() : 0;
      const packet = { cmd: 'publish', dup: false, ...message } as const;
      if (!this.#send(messageId === 0 ? packet : { ...packet, messageId })) {
        const text = `message too large: the broker takes packets of ${this.#packetSizeMax} bytes`;
        reject(new ConnectionError(text, Reason.PacketTooLarge));
        continue;
      }
      if (messageId === 0) {
        resolve(Reason.Success);
        continue;
      }
      this.#inflight++;
      const done = this.#acknowledged(messageId).finally(() => {
        this.#inflight--;
        this.#pump();
      });
      done.then(({ reasonCode }) => resolve(reasonCode ?? Reason.Success), reject);
    }
    if (this.#queue.length === 0 && !this.#socket.writableNeedDrain) this.#release('room');
    this.#checkIdle();
  }

  #nextPacketId(): number {
    do this.#packetId = (this.#packetId % 0xffff) + 1;
    while (this.#pending.has(this.#packetId));
    return this.#packetId;
  }

  #keepAlive(seconds: number): void {
    if (seconds === 0) return;
    this.#pingTimer = setInterval(() => {
      const silent = this.#pingOutstanding && !this.#socket.isPaused();
      if (silent) {
        this.#fail('the broker does not answer pings any more');
        return;
      }
      this.#pingOutstanding = true;
      this.#send({ cmd: 'pingreq' });
    }, seconds * 1000);
  }

  /** False, and nothing is sent, when the packet is larger than the broker takes. */
  #send(packet: Packet): boolean {
    const bytes = this.#wire.encode(packet);
    if (bytes.length > this.#packetSizeMax) return false;
    if (this.#socket.destroyed) return true;
    this.#trace('sending', packet);
    this.#socket.write(bytes);
    return true;
  }

  get #packetSizeMax(): number {
    return this.#capabilities.maximumPacketSize ?? PACKET_SIZE_LIMIT;
  }

  #fail(message: string, exitCode = 1): void {
    this.#failure ??= new ConnectionError(message, exitCode);
    this.#socket.destroy();
  }

  /** Everything that waits learns that the connection is gone. */
  #onClose(): ConnectionError | null {
    if (this.#pingTimer) clearInterval(this.#pingTimer);
    const silent = this.#connected && 'the broker closed the connection without an answer';
    const failure = this.#failure ?? new ConnectionError(silent || 'the connection was lost');
    this.#connected?.reject(failure);
    for (const waiting of this.#pending.values()) waiting.reject(failure);
    for (const waiting of this.#queue.splice(0)) waiting.reject(failure);
    this.#pending.clear();
    this.#release('room');
    this.#release('idle');
    return this.#ending && !this.#failure ? null : failure;
  }

  #checkIdle(): void {
    if (this.#idle()) this.#release('idle');
  }

  #release(which: 'room' | 'idle'): void {
    const waiters = which === 'room' ? this.#roomWaiters : this.#idleWaiters;
    if (which === 'room') this.#roomWaiters = [];
    else this.#idleWaiters = [];
    for (const resume of waiters) resume();
  }

  #trace(direction: 'sending' | 'received', packet: Packet): void {
    const who = this.#clientId || '(unnamed)';
    this.#events.trace(`Client ${who} ${direction} ${describePacket(packet)}`);
  }
}
