// What the tests of the log have their clients do: leave a session behind, publish, come back.

import assert from 'node:assert/strict';
import type { WirePacket } from '../wire.ts';
import type { Client } from '../world.ts';
import type { KeptWorld } from './kept-world.ts';

export const persistent = {
  cleanStart: false,
  properties: { sessionExpiryInterval: 3600 },
} as const;

export function types(client: Client): string[] {
  return client.take().map(packet => packet.type);
}

export function payloads(packets: readonly WirePacket[]): string[] {
  return packets.flatMap(p => (p.type === 'publish' ? [new TextDecoder().decode(p.payload)] : []));
}

/** A session that is kept, subscribed to everything with QoS 2, its client gone. */
export function away(kept: KeptWorld, clientId = 'away'): void {
  const { world } = kept;
  const client = world.open(5);
  client.send({ type: 'connect', version: 5, clientId, ...persistent });
  kept.settle();
  client.send({ type: 'subscribe', packetId: 1, filters: [{ filter: '#', qos: 2 }] });
  kept.settle();
  assert.deepEqual(types(client), ['connack', 'suback']);
  client.drop();
  kept.settle();
}

export function publish(
  client: Client,
  topic: string,
  payload: string,
  qos: 0 | 1 | 2,
  packetId = 7,
) {
  const id = qos === 0 ? {} : { packetId };
  client.send({ type: 'publish', topic, qos, payload: new TextEncoder().encode(payload), ...id });
}

/** The client of a kept session comes back and takes what waits. */
export function back(
  kept: KeptWorld,
  clientId = 'away',
): { client: Client; packets: WirePacket[] } {
  const client = kept.world.open(5);
  client.send({ type: 'connect', version: 5, clientId, ...persistent });
  kept.settle();
  return { client, packets: client.take() };
}
