// An MQTT 3.1.1 client for the recorded runs: it acknowledges what it gets and resolves what it
// asked for when the answer is there, or when the connection is gone: then it is given up.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import mqttPacket, { type IConnectPacket, type Packet } from 'mqtt-packet';

const OPTIONS = { protocolVersion: 4 } as const;

export class Client {
  onMessage: (topic: string, payload: Buffer) => void = () => {};
  private readonly socket: Socket;
  private readonly parser = mqttPacket.parser(OPTIONS);
  /** By "command packet-id". */
  private readonly waiting = new Map<string, () => void>();
  /** Of the last exchange that was begun; the next one takes the next. */
  lastId = 0;
  closed = false;

  /** Resolves when CONNACK has come, or never will. */
  static async connect(
    port: number,
    clientId: string,
    clean: boolean,
    will?: IConnectPacket['will'],
  ): Promise<Client> {
    const socket = connect(port, '127.0.0.1').setNoDelay(true);
    await once(socket, 'connect');
    const client = new Client(socket);
    const accepted = client.wait('connack');
    const ask = { cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, keepalive: 0 } as const;
    client.send({ ...ask, clientId, clean, ...(will && { will }) });
    await accepted;
    return client;
  }

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', chunk => this.parser.parse(chunk as Buffer));
    socket.on('error', () => {}); // "close" follows
    socket.on('close', () => {
      this.closed = true;
      for (const resolve of this.waiting.values()) resolve();
      this.waiting.clear();
    });
    this.parser.on('packet', packet => this.take(packet));
  }

  private send(packet: Packet): void {
    this.socket.write(mqttPacket.generate(packet, OPTIONS));
  }

  private wait(command: string, id = 0): Promise<void> {
    if (this.closed) return Promise.resolve();
    return new Promise(resolve => this.waiting.set(`${command} ${id}`, resolve));
  }

  private take(packet: Packet): void {
    const id = packet.messageId ?? 0;
    switch (packet.cmd) {
      case 'publish':
        this.onMessage(packet.topic, packet.payload as Buffer);
        if (packet.qos === 1) this.send({ cmd: 'puback', messageId: id });
        else if (packet.qos === 2) this.send({ cmd: 'pubrec', messageId: id });
        return;
      case 'pubrel':
        this.send({ cmd: 'pubcomp', messageId: id });
        return;
      case 'pubrec':
        this.send({ cmd: 'pubrel', messageId: id });
        return;
    }
    const key = `${packet.cmd} ${id}`;
    this.waiting.get(key)?.();
    this.waiting.delete(key);
  }

  private nextId(): number {
    this.lastId = (this.lastId % 65_535) + 1;
    return this.lastId;
  }

  /** Resolves when the exchange has ended: PUBACK or PUBCOMP. */
  async publish(
    topic: string,
    payload: string | Buffer,
    qos: 0 | 1 | 2,
    retain = false,
  ): Promise<void> {
    const messageId = qos === 0 ? 0 : this.nextId();
    const ended = qos === 0 ? null : this.wait(qos === 1 ? 'puback' : 'pubcomp', messageId);
    this.send({ cmd: 'publish', topic, payload, qos, retain, dup: false, messageId });
    await ended;
  }

  async subscribe(topic: string, qos: 0 | 1 | 2): Promise<void> {
    const messageId = this.nextId();
    const ended = this.wait('suback', messageId);
    this.send({ cmd: 'subscribe', messageId, subscriptions: [{ topic, qos }] });
    await ended;
  }

  async unsubscribe(topic: string): Promise<void> {
    const messageId = this.nextId();
    const ended = this.wait('unsuback', messageId);
    this.send({ cmd: 'unsubscribe', messageId, unsubscriptions: [topic] });
    await ended;
  }

  /** Says goodbye; resolves when the connection is closed. */
  async disconnect(): Promise<void> {
    if (this.closed) return;
    const closed = once(this.socket, 'close');
    this.send({ cmd: 'disconnect' });
    this.socket.end();
    await closed;
  }

  /** As if the cable were pulled. */
  drop(): void {
    this.socket.destroy();
  }
}
