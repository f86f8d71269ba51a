// What the fuzzer does to a broker: clients that mean well, mostly, and send spoiled bytes.

import type { Prng } from '../prng.ts';
import { encodePacket, join, type Version, type WireInput, type WirePacket } from '../wire.ts';
import { drawSequence, spoil } from './inputs.ts';
import type { Victim, Wire } from './victim.ts';

/** A client that means well, mostly, and whose bytes are spoiled at some rate. */
class Attacker {
  readonly wire: Wire;
  readonly #prng: Prng;
  readonly #rate: number;
  readonly #version: Version;
  #bytes: Uint8Array;

  constructor(victim: Victim, prng: Prng) {
    const { version, packets } = drawSequence(prng);
    this.#prng = prng;
    this.#rate = prng.pick([0, 0.02, 0.2]);
    this.#version = version;
    this.#bytes = join(packets.map(packet => this.#spoilt(packet)));
    this.wire = victim.open(version);
  }

  #spoilt(packet: Uint8Array): Uint8Array {
    return this.#prng.chance(this.#rate) ? spoil(this.#prng, packet, this.#version) : packet;
  }

  get done(): boolean {
    return this.#bytes.length === 0 || this.wire.gone || this.wire.closing;
  }

  /** The next bytes, of any number. */
  next(): Uint8Array {
    this.#answer();
    const most = this.#prng.oneIn(3) ? 20 : this.#prng.pick([100, 10_000]);
    const size = this.#prng.between(1, most);
    const piece = this.#bytes.subarray(0, size);
    this.#bytes = this.#bytes.subarray(size);
    return piece;
  }

  /** What it has received is acknowledged, most of the time, behind what it sends anyway. */
  #answer(): void {
    for (const packet of this.wire.inbox.splice(0)) {
      const answer = answerTo(packet);
      if (answer === null || this.#prng.oneIn(8)) continue;
      const bytes = this.#spoilt(encodePacket(answer, this.#version));
      this.#bytes = join([this.#bytes, bytes]);
    }
  }
}

function answerTo(packet: WirePacket): WireInput | null {
  switch (packet.type) {
    case 'publish': {
      const { packetId, qos } = packet;
      return qos === 0 ? null : { type: qos === 1 ? 'puback' : 'pubrec', packetId };
    }
    case 'pubrec':
      return packet.reason >= 0x80 ? null : { type: 'pubrel', packetId: packet.packetId };
    case 'pubrel':
      return { type: 'pubcomp', packetId: packet.packetId };
    case 'auth':
      return { type: 'auth', reason: 0x18, properties: { authenticationMethod: 'known' } };
    default:
      return null;
  }
}

/** A few clients at once, their bytes interleaved, with cuts and jumps in time between them. */
export function attack(victim: Victim, prng: Prng): void {
  const attackers = Array.from({ length: prng.between(1, 6) }, () => new Attacker(victim, prng));
  for (let turns = 0; turns < 500 && attackers.some(each => !each.done); turns++) {
    const attacker = prng.pick(attackers);
    if (!attacker.done && !attacker.wire.connection.paused) {
      victim.feed(attacker.wire, attacker.next());
    }
    if (prng.oneIn(80)) victim.lose(attacker.wire);
    if (prng.oneIn(30)) victim.pass(prng.pick([1, 100, 3_000]));
    if (prng.oneIn(60)) attackers.push(new Attacker(victim, prng));
  }
  victim.checkRefused();
  victim.checkForgotten();
}
