// What the client says to a person about packets and failures. Words only, no decisions.

import type { Address } from './socket.ts';
import type { Packet } from './wire.ts';

/** "PUBLISH (d0, q1, r0, m7, 'a/b', ... (12 bytes))": a packet as --debug shows it. */
export function describePacket(packet: Packet): string {
  const name = packet.cmd.toUpperCase();
  switch (packet.cmd) {
    case 'publish': {
      const id = packet.messageId ?? 0;
      const flags = `d${+packet.dup}, q${packet.qos}, r${+packet.retain}, m${id}`;
      return `${name} (${flags}, '${packet.topic}', ... (${packet.payload.length} bytes))`;
    }
    case 'connack':
      return `${name} (${packet.reasonCode ?? packet.returnCode ?? 0})`;
    case 'subscribe':
      return `${name} (Mid: ${packet.messageId}, ${packet.subscriptions
        .map(({ topic, qos }) => `Topic: ${topic}, QoS: ${qos}`)
        .join('; ')})`;
    case 'suback':
      return `${name} (Mid: ${packet.messageId}, ${packet.granted.join(', ')})`;
    case 'connect':
    case 'pingreq':
    case 'pingresp':
      return name;
    case 'disconnect':
      return `${name} (${packet.reasonCode ?? 0})`;
    default:
      return `${name} (Mid: ${packet.messageId})`;
  }
}

export function explained(reasonString: string | undefined): string {
  return reasonString === undefined ? '' : ` (${reasonString})`;
}

/** What MQTT 3.x CONNACK return codes mean [MQTT 3.1.1 table 3.1]. */
export function returnCodeText(code: number): string {
  const names = [
    'accepted',
    'unacceptable protocol version',
    'client id rejected',
    'server unavailable',
    'bad user name or password',
    'not authorized',
  ];
  return `${names[code] ?? 'unknown reason'} (return code ${code})`;
}

export function describeFailure(error: NodeJS.ErrnoException, address: Address): string {
  const where = 'path' in address ? address.path : `${address.host}:${address.port}`;
  switch (error.code) {
    case 'ECONNREFUSED':
      return `cannot connect to ${where}: nobody listens there`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `cannot connect to ${where}: the host name is not known`;
    case 'ENOENT':
      return `cannot connect to ${where}: there is no such socket`;
    case 'EACCES':
      return `cannot connect to ${where}: permission denied`;
    case 'ECONNRESET':
    case 'EPIPE':
      return `the connection to ${where} was lost`;
    default:
      return `connection to ${where}: ${error.message}`;
  }
}
