// Short conversations with a broker over a bare socket: say this, wait for that.

import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import {
  encodePacket,
  PacketDecoder,
  type Version,
  type WireInput,
  type WirePacket,
} from '../wire.ts';
import { Watch } from './watch.ts';

const WAIT_MS = 15_000;

export class RawClient {
  readonly packets: WirePacket[] = [];
  readonly version: Version;
  closed = false;
  readonly #socket: Socket;
  readonly #decoder: PacketDecoder;
  readonly #watch = new Watch();

  constructor(port: number, version: Version = 5) {
    this.version = version;
    this.#decoder = new PacketDecoder(version);
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('data', (chunk: Buffer) => {
      this.packets.push(...this.#decoder.push(chunk));
      this.#watch.tell();
    });
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => {
      this.closed = true;
      this.#watch.tell();
    });
  }

  send(...packets: WireInput[]): void {
    for (const packet of packets) this.#socket.write(encodePacket(packet, this.version));
  }

  /** Resolves when `holds` does, which is asked again after every read. */
  async until(holds: () => boolean, what: string): Promise<void> {
    assert.ok(await this.#watch.until(holds, WAIT_MS), `no ${what} in time`);
  }

  /** The next packet of this type; it and what came before it are taken out. */
  async next<T extends WirePacket['type']>(type: T): Promise<WirePacket & { type: T }> {
    const at = () => this.packets.findIndex(packet => packet.type === type);
    await this.until(() => at() >= 0 || this.closed, type);
    assert.ok(at() >= 0, `the connection was closed without ${type}`);
    return this.packets.splice(0, at() + 1).at(-1) as WirePacket & { type: T };
  }

  async connect(packet: Partial<WireInput & { type: 'connect' }> = {}): Promise<this> {
    this.send({ type: 'connect', version: this.version, ...packet });
    const { reason } = await this.next('connack');
    assert.equal(reason, 0);
    return this;
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** What is retained, by topic. */
export async function retainedAt(port: number): Promise<Map<string, string>> {
  const client = await new RawClient(port).connect();
  client.send({ type: 'subscribe', filters: [{ filter: '#', qos: 0 }] });
  await client.next('suback');
  client.send({ type: 'pingreq' });
  const found = new Map<string, string>();
  await client.until(() => client.packets.some(({ type }) => type === 'pingresp'), 'PINGRESP');
  client.close();
  for (const packet of client.packets) {
    if (packet.type !== 'publish' || !packet.retain) continue;
    found.set(packet.topic, new TextDecoder().decode(packet.payload));
  }
  return found;
}
