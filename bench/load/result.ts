// What goes into a load process and what comes out of it: JSON both ways.

import type { TransportSettings } from '../../src/bench/transport/transport.ts';
import type { Credentials } from '../../src/bench/wire.ts';
import type { MemoryUse } from '../proc.ts';
import type { Scenario } from '../scenarios.ts';

export interface Job {
  readonly scenario: Scenario;
  /** On 127.0.0.1, the way there and as whom. */
  readonly port: number;
  readonly transport: TransportSettings;
  readonly credentials: Credentials | null;
  readonly brokerPid: number;
  /** Where the broker's syncs are noted, if they are. */
  readonly syncLog: string;
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** Whether to count the broker's system calls as well, once the measurement is over. */
  readonly countCalls: boolean;
}

export interface Latencies {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export interface TrafficResult extends MemoryUse {
  readonly kind: 'traffic';
  /** What an open loop is to reach; null in a closed one. */
  readonly wantedPerSecond: number | null;
  /** Messages received by all subscribers per second, or acknowledged where they are away. */
  readonly perSecond: number;
  readonly latencyUs: Latencies;
  /** How late the generator itself was, in an open loop: of 100 messages 99 left no later than that
   *  after they were due. Part of their latencies; null in a closed loop. */
  readonly lateP99Us: number | null;
  /** The broker's processor time, all threads, per such message. */
  readonly cpuUsPerMessage: number;
  /** How often a thread of the broker went to sleep, per such message. */
  readonly switchesPerMessage: number;
  /** System calls of the broker per such message; null where they were not to be counted. */
  readonly callsPerMessage: number | null;
  readonly brokerCpuShare: number;
  readonly loadCpuShare: number;
  /** Processor time that neither the broker nor the generator used, in processors. */
  readonly foreignCpuShare: number;
  readonly sent: number;
  readonly lost: number;
  readonly repeated: number;
  readonly reordered: number;
  /** What reached the disk, where the scenario asks for it. */
  readonly disk: DiskUse | null;
}

export interface DiskUse {
  readonly bytesPerMessage: number;
  /** fsync and fdatasync by the broker; null where they cannot be counted. */
  readonly syncsPerSecond: number | null;
  /** Messages per second received by subscribers who come back; null when nobody was away. */
  readonly drainedPerSecond: number | null;
}

export interface IdleResult extends MemoryUse {
  readonly kind: 'idle';
  /** Resident memory before the first connection. */
  readonly emptyBytes: number;
  readonly emptyPrivateBytes: number;
  readonly bytesPerConnection: number;
  /** NaN where nobody subscribes. */
  readonly bytesPerSubscription: number;
  readonly connectsPerSecond: number;
  /** From the start of a connection, or when it was due, to its CONNACK. */
  readonly latencyUs: Latencies;
}

export interface RetainedResult extends MemoryUse {
  readonly kind: 'retained';
  readonly storedPerSecond: number;
  readonly collectedPerSecond: number;
  readonly bytesPerMessage: number;
  /** Of a pair that talks on while somebody else gets everything retained. */
  readonly latencyUs: Latencies;
}

export interface ConnectsResult {
  readonly kind: 'connects';
  /** Clients per second that came, got their CONNACK and left again. */
  readonly perSecond: number;
  /** From the start of a connection to its CONNACK. */
  readonly latencyUs: Latencies;
  /** The broker's processor time, all threads, per such client. */
  readonly cpuUsPerConnect: number;
  /** TLS handshakes that resumed a session, of all; NaN without TLS. */
  readonly resumedShare: number;
  readonly brokerCpuShare: number;
  readonly loadCpuShare: number;
  readonly foreignCpuShare: number;
}

export interface StartResult {
  readonly kind: 'start';
  /** From starting the program to its first CONNACK. */
  readonly connackMs: number;
  /** Of a broker that has just started, and has one client. */
  readonly rssBytes: number;
  readonly privateBytes: number;
}

export type Result = TrafficResult | IdleResult | RetainedResult | ConnectsResult | StartResult;
