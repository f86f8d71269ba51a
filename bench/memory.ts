// What a burst leaves behind: the broker's resident memory with 50 pairs of clients that say
// nothing, after 1 GB of messages between them, and then second by second while they are silent
// again. `bun bench/memory.ts [--peer NAME] [--quiet SECONDS] [--megabytes N] [--kind NAME]`.

import { parseArgs } from 'node:util';
import { connectFrame, publishTemplate, subscribeFrame } from '../src/bench/wire.ts';
import type { QoS } from '../src/mqtt/packet.ts';
import { peerFor } from './peers.ts';
import { allowedCpus, memoryOf } from './proc.ts';
import { type RunningPeer, startPeer } from './starting.ts';

const PAIRS = 50;
const SETTLE_MS = 3_000;
const MB = 2 ** 20;

interface Kind {
  readonly qos: QoS;
  readonly payloadBytes: number;
  /** Messages on their way from one publisher. */
  readonly window: number;
}

const kinds: Readonly<Record<string, Kind>> = {
  'qos0-16kB': { qos: 0, payloadBytes: 16_384, window: 20 },
  'qos1-1kB': { qos: 1, payloadBytes: 1_024, window: 100 },
  'qos1-64B': { qos: 1, payloadBytes: 64, window: 200 },
};

/** A connection that counts what comes and says when as much is there as was waited for. */
class Peer {
  received = 0;
  private socket!: Awaited<ReturnType<typeof Bun.connect>>;
  private unsent: Uint8Array[] = [];
  private wanted = 0;
  private reached: () => void = () => {};

  static async open(port: number): Promise<Peer> {
    const peer = new Peer();
    peer.socket = await Bun.connect({
      hostname: '127.0.0.1',
      port,
      socket: {
        data: (_, chunk) => {
          peer.received += chunk.length;
          if (peer.received >= peer.wanted) peer.reached();
        },
        drain: () => peer.flush(),
      },
    });
    return peer;
  }

  send(bytes: Uint8Array): void {
    this.unsent.push(bytes);
    if (this.unsent.length === 1) this.flush();
  }

  private flush(): void {
    while (this.unsent.length > 0) {
      const [bytes] = this.unsent;
      const sent = this.socket.write(bytes!);
      if (sent < bytes!.length) {
        this.unsent[0] = bytes!.subarray(Math.max(sent, 0));
        return;
      }
      this.unsent.shift();
    }
  }

  until(received: number): Promise<void> {
    if (this.received >= received) return Promise.resolve();
    this.wanted = received;
    return new Promise(resolve => {
      this.reached = resolve;
    });
  }

  close(): void {
    this.socket.end();
  }
}

async function open(port: number, name: string, filter: string | null, qos: QoS): Promise<Peer> {
  const peer = await Peer.open(port);
  const CONNACK_BYTES = 4;
  const SUBACK_BYTES = 5;
  peer.send(connectFrame(4, name));
  await peer.until(CONNACK_BYTES);
  if (filter !== null) {
    peer.send(subscribeFrame(4, [filter], qos));
    await peer.until(CONNACK_BYTES + SUBACK_BYTES);
  }
  peer.received = 0;
  return peer;
}

/** Sends `count` messages from one to the other, a window at a time. Deliveries go out at QoS 0, so
 *  that nobody has to acknowledge them. */
async function talk(from: Peer, to: Peer, n: number, kind: Kind, count: number): Promise<void> {
  const { qos, payloadBytes, window } = kind;
  const { bytes, packetIdAt } = publishTemplate(`burst/${n}`, { version: 4, qos, payloadBytes });
  const batch = new Uint8Array(bytes.length * window);
  for (let i = 0; i < window; i++) {
    batch.set(bytes, i * bytes.length);
    if (packetIdAt > 0) batch[i * bytes.length + packetIdAt + 1] = i + 1;
  }
  const PUBACK_BYTES = 4;
  const delivered = bytes.length - (qos > 0 ? 2 : 0);
  for (let sent = 0; sent < count; sent += window) {
    from.send(batch);
    await to.until((sent + window) * delivered);
    if (qos > 0) await from.until((sent + window) * PUBACK_BYTES);
  }
}

function rss(broker: RunningPeer): number {
  return memoryOf(broker.pid).rssBytes / MB;
}

/** The part that is not pages of the program's own file. */
function own(broker: RunningPeer): number {
  return memoryOf(broker.pid).privateBytes / MB;
}

async function measure(broker: RunningPeer, kind: Kind, megabytes: number, quietSeconds: number) {
  const pairs = await Promise.all(
    Array.from({ length: PAIRS }, async (_, n) => ({
      from: await open(broker.port, `from-${n}`, null, 0),
      to: await open(broker.port, `to-${n}`, `burst/${n}`, 0),
    })),
  );
  await Bun.sleep(SETTLE_MS);
  const idle = rss(broker);
  const ownIdle = own(broker);
  const count = Math.ceil((megabytes * MB) / kind.payloadBytes / PAIRS);
  await Promise.all(pairs.map(({ from, to }, n) => talk(from, to, n, kind, count)));
  const busy = rss(broker);
  const after: number[] = [];
  for (let second = 0; second < quietSeconds; second++) {
    await Bun.sleep(1_000);
    after.push(rss(broker));
  }
  for (const { from, to } of pairs) {
    from.close();
    to.close();
  }
  return { idle, ownIdle, busy, after, ownAfter: own(broker) };
}

const { values } = parseArgs({
  options: {
    peer: { type: 'string', multiple: true, default: ['minnow-async', 'minnow-sync', 'mosquitto'] },
    kind: { type: 'string', multiple: true, default: Object.keys(kinds) },
    quiet: { type: 'string', default: '20' },
    megabytes: { type: 'string', default: '1024' },
  },
});
const cpu = allowedCpus()[0] ?? null;
for (const name of values.peer) {
  for (const kindName of values.kind) {
    const broker = await startPeer(peerFor(name), cpu, false);
    try {
      const kind = kinds[kindName]!;
      const found = await measure(broker, kind, Number(values.megabytes), Number(values.quiet));
      const { idle, ownIdle, busy, after, ownAfter } = found;
      const peak = memoryOf(broker.pid).peakBytes / MB;
      const points = [1, 2, 5, 10, 20, 40, 60].filter(second => second <= after.length);
      const course = points.map(second => {
        const mb = after[second - 1]!;
        return `${second} s ${mb.toFixed(1)} (${((100 * mb) / idle).toFixed(0)} %)`;
      });
      const shown = [
        `idle ${idle.toFixed(1)} MB`,
        `peak ${peak.toFixed(1)}`,
        `end ${busy.toFixed(1)}`,
      ];
      const kept = `own ${ownIdle.toFixed(1)}, then ${ownAfter.toFixed(1)}`;
      const line = [...shown, ...course, kept].join(', ');
      process.stdout.write(`${name} ${kindName}: ${line}\n`);
    } finally {
      await broker.stop();
    }
  }
}
process.exit(0);
