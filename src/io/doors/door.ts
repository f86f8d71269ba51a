// One listener and the way in through it: PROXY header, account, TLS, WebSocket, as far as it asks
// for them, all within one deadline. Whoever is through becomes a link.

import { setImmediate as breath } from 'node:timers/promises';
import type { DoorConfig } from '../../config/sections/doors.ts';
import type { Origin } from '../../core/access.ts';
import { limits } from '../../limits.ts';
import type { Tell } from '../driver.ts';
import { Entrance } from '../entrance.ts';
import type { IoOptions } from '../options.ts';
import type { Room } from '../room.ts';
import type { Admission } from './admission.ts';
import { type DoorLink, StreamLink } from './door-link.ts';
import { type DoorListener, type ListenPlace, NodeListener } from './listening.ts';
import type { DoorSide } from './side.ts';
import type { DoorSocket } from './socket.ts';
import { Arrival, addressOf, type Step } from './steps/arrival.ts';
import { nameFrom } from './steps/identity.ts';
import { proxyStep } from './steps/proxy-step.ts';
import { readTlsFiles } from './steps/tls-files.ts';
import { TlsStep } from './steps/tls-step.ts';
import type { WebSocketStep } from './steps/web-socket-step.ts';

export interface DoorOptions extends IoOptions {
  /** From accepted to the end of all handshakes. */
  readonly handshakeTimeoutMs: number;
}

/** A client whose certificate does not hold any more has so long to be told. */
const UNTRUSTED_FAREWELL_MS = 500;
/** Certificates that are judged without a break: a signature takes part of a millisecond. */
const JUDGED_AT_ONCE = 8;

/** What all doors share: how many may be in, and how fast they come. */
interface Ways {
  readonly room: Room;
  readonly admission: Admission;
}

/** Somebody is heard no more and soon gone, whoever tells them why; returns where they came from,
 *  or null when they were not in yet. */
export type TurnOut = () => Origin | null;

type Fields = Readonly<Record<string, string | number>>;

export class Door {
  /** How it is called in logs and by access rules, e.g. "mqtts://127.0.0.1:8883". */
  private name = '';
  private entrance!: Entrance;
  private isUnix = false;
  private readonly config: DoorConfig;
  private readonly side: DoorSide;
  private readonly options: DoorOptions;
  private readonly ways: Ways;
  private readonly tell: Tell;
  private listener!: DoorListener;
  private readonly steps: Step[] = [];
  private tls: TlsStep | null = null;
  private webSocket: WebSocketStep | null = null;
  /** Everybody who is in, on the way in, or waits for that. */
  private readonly present = new Set<Arrival>();
  /** Those in the middle of their handshakes, the longest first. */
  private readonly arriving = new Set<Arrival>();
  private readonly links = new Map<Arrival, DoorLink>();
  private held = false;

  /** Throws a TlsFileError. */
  static async create(
    config: DoorConfig,
    side: DoorSide,
    options: DoorOptions,
    ways: Ways,
    tell: Tell,
  ): Promise<Door> {
    const door = new Door(config, side, options, ways, tell);
    await door.layOut();
    return door;
  }

  private constructor(
    config: DoorConfig,
    side: DoorSide,
    options: DoorOptions,
    ways: Ways,
    tell: Tell,
  ) {
    this.ways = ways;
    this.config = config;
    this.side = side;
    this.options = options;
    this.tell = tell;
  }

  /** Which steps there are; what is not asked for is not loaded. */
  private async layOut(): Promise<void> {
    const { proxies, place, tls, protocol, webSocket } = this.config;
    if (place.kind !== 'tcp')
      this.steps.push(await (await import('./steps/account-step.ts')).accountStep());
    if (proxies !== null) this.steps.push(proxyStep(proxies));
    if (tls !== null) {
      const files = readTlsFiles(tls, Date.now());
      this.warn(files.warnings);
      this.tls = new TlsStep(tls, protocol, files);
      this.steps.push(this.tls.step);
    }
    if (webSocket !== null) {
      const { WebSocketStep } = await import('./steps/web-socket-step.ts');
      this.webSocket = new WebSocketStep(webSocket);
      this.steps.push(this.webSocket.step);
    }
    this.listener = await this.makeListener();
  }

  private async makeListener(): Promise<DoorListener> {
    const { options, tell, config } = this;
    const accepted = (socket: DoorSocket) => this.accepted(socket);
    if (config.place.kind !== 'tcp' || !('Bun' in globalThis)) {
      return new NodeListener(options, tell, accepted);
    }
    const isRead = config.proxies !== null || config.tls === null;
    return new (await import('./bun-listener.ts')).BunListener(options, tell, accepted, isRead);
  }

  /** Resolves with its name; rejects as Driver.listen does. */
  async listen(place: ListenPlace): Promise<string> {
    const { tls, webSocket } = this.config;
    const address = await this.listener.listen(place);
    this.isUnix = address.startsWith('unix:');
    const plain = webSocket === null ? 'mqtt' : 'ws';
    this.name = `${plain}${tls === null ? '' : 's'}://${address}${webSocket?.path ?? ''}`;
    this.entrance = new Entrance(this.name, this.config, this.side, this.ways.room, this.tell);
    return this.name;
  }

  /** Reads its files; what is returned puts them in force at once, and gives what turns out those
   *  whose certificates do not hold any more. */
  prepareReload(): () => Promise<readonly TurnOut[]> {
    const { tls } = this;
    if (tls === null) return async () => [];
    const files = tls.readFiles();
    return async () => {
      this.warn(files.warnings);
      const judge = tls.renew(files);
      const untrusted: TurnOut[] = [];
      const shown = [...this.present].filter(({ secured }) => secured !== null);
      for (const [index, arrival] of shown.entries()) {
        if (index > 0 && index % JUDGED_AT_ONCE === 0) await breath();
        const why = arrival.isGone ? null : judge(arrival);
        if (why !== null) untrusted.push(() => this.turnOut(arrival, why));
      }
      return untrusted;
    };
  }

  private turnOut(arrival: Arrival, why: string): Origin | null {
    const link = this.links.get(arrival);
    this.tell('warn', why, { peer: arrival.peer, listener: this.name });
    if (link === undefined) arrival.end();
    else link.condemn(UNTRUSTED_FAREWELL_MS);
    return link?.origin ?? null;
  }

  /** Nothing is read from anybody for a while. */
  hold(held: boolean): void {
    this.held = held;
    for (const link of this.links.values()) link.hold(held);
  }

  stopListening(): void {
    this.listener.close();
    for (const arrival of this.present) if (!arrival.isIn) arrival.end();
  }

  stop(): void {
    this.stopListening();
    for (const arrival of this.present) arrival.end();
  }

  private accepted(raw: DoorSocket): void {
    const { present, arriving, entrance } = this;
    const host = addressOf(raw);
    const hasReset = host === undefined && !this.isUnix;
    if (hasReset || !entrance.enter()) {
      raw.destroy();
      return;
    }
    const arrival = new Arrival(raw, host, () => {
      present.delete(arrival);
      arriving.delete(arrival);
      entrance.leave();
      left();
    });
    present.add(arrival);
    const left = this.ways.admission.admit(this.tls !== null, () => this.receive(arrival));
  }

  /** Its turn has come: it has one deadline for all steps. */
  private receive(arrival: Arrival): void {
    const { arriving } = this;
    // Under an attack of silent ones the newcomer is the likelier to be a client.
    const [oldest] = arriving.size < limits.arrivalsMax ? [] : arriving;
    oldest?.end();
    arriving.add(arrival);
    arrival.deadline = setTimeout(() => {
      this.refused(arrival, 'no handshake in time', {});
      arrival.end();
    }, this.options.handshakeTimeoutMs);
    this.walk(arrival, 0, () => {
      clearTimeout(arrival.deadline);
      arriving.delete(arrival);
      this.letIn(arrival);
    });
  }

  /** Takes the steps from `index` on. */
  private walk(arrival: Arrival, index: number, arrived: () => void): void {
    if (arrival.isGone) return;
    if (index === this.steps.length) {
      arrived();
      return;
    }
    this.steps[index](
      arrival,
      () => this.walk(arrival, index + 1, arrived),
      (why, fields = {}) => {
        this.refused(arrival, why, fields);
        arrival.stream.destroySoon(); // what was said to it may leave
      },
    );
  }

  private refused({ peer }: Arrival, why: string, fields: Fields): void {
    this.tell('info', 'refused at the door', { peer, listener: this.name, reason: why, ...fields });
  }

  private letIn(arrival: Arrival): void {
    const { config, entrance } = this;
    const { certificate, account, peer, raw, stream } = arrival;
    arrival.isIn = true;
    const username = nameFrom(config.identity, certificate, account);
    const proved = certificate !== null || username !== null;
    const nobody = entrance.origin;
    const origin = proved ? { ...nobody, username, certificate } : nobody;
    const passage = { raw, stream, peer, origin };
    const { side, webSocket } = this;
    const link = webSocket === null ? new StreamLink(passage, side) : webSocket.link(passage, side);
    this.links.set(arrival, link);
    stream.once('close', () => this.links.delete(arrival));
    if (this.held) link.hold(true);
    link.open();
  }

  private warn(warnings: readonly string[]): void {
    if (this.config.optional) return; // its sibling says it
    for (const why of warnings) this.tell('warn', 'a certificate needs attention', { why });
  }
}
