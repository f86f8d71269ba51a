// [io]: how bytes are moved. What drivers understand of it is src/io/options.ts.

import { defaultIoOptions as d } from '../../io/options.ts';
import { KB, MB } from '../../limits.ts';
import { ioModes } from '../../platform/table.ts';
import {
  bytes,
  choice,
  count,
  DAY_MS,
  flag,
  MANY,
  milliseconds,
  seconds,
  section,
} from '../option.ts';

export const ioSection = section('How bytes are moved between clients and the broker.', {
  mode: choice({
    of: ['auto', ...ioModes],
    default: 'auto',
    description:
      "`async`: the runtime's event-driven sockets. `sync`: a pool of workers in blocking system " +
      'calls. `auto`: what was measured to be better on this runtime and class of machine; where ' +
      'that cannot work, the other. The flag is `--io`.',
  }),
  poolSize: count({
    default: 1,
    min: 1,
    max: 64,
    description:
      'Threads in all. With one, the core moves the bytes itself and none crosses from thread to ' +
      'thread; with more, one has the core and the others the sockets.',
  }),
  readBufferBytes: bytes({
    default: 64 * KB,
    min: 4 * KB,
    max: 16 * MB,
    description: 'What a worker of the `sync` mode reads at once, for all its connections.',
  }),
  ringBytes: bytes({
    default: 256 * KB,
    min: 16 * KB,
    max: 64 * MB,
    description:
      'What may be on its way between two threads, each way; when it is full, reading pauses. ' +
      'Four times as much between the core of the `sync` mode and listeners with TLS, WebSocket ' +
      'and the like.',
  }),
  smallHeap: flag({
    default: false,
    description:
      'Whether the thread of the `sync` mode keeps its heap small on Node: ten megabytes less, ' +
      'and twice the processor time per message at full load, not at what routers carry.',
  }),
  backlog: count({
    default: d.backlog,
    min: 1,
    max: 65_535,
    description:
      'Connections that the system completes before they are let in; it may cap them ' +
      '(net.core.somaxconn). Further clients try again after 1, 3, 7 seconds.',
  }),
  acceptsPerSecond: count({
    default: d.acceptsPerSecond,
    min: 1,
    max: MANY,
    description:
      'Connections let in per second, so that a crowd that comes back at once does not starve ' +
      'those who are in already.',
  }),
  reusePort: flag({
    default: d.reusePort,
    description: 'Let several processes listen on one port; the system shares clients out.',
  }),
  noDelay: flag({
    default: d.noDelay,
    description: 'Send small packets at once (TCP_NODELAY).',
  }),
  keepAliveSeconds: seconds({
    default: d.keepAliveSeconds,
    min: 0,
    max: 32_767,
    description:
      'Silence after which the system asks whether the other end is still there; 0 is never.',
  }),
  userTimeoutMs: milliseconds({
    default: d.userTimeoutMs,
    min: 0,
    max: DAY_MS,
    description:
      'Longest time what was sent may stay unacknowledged by the other end, or not be taken at ' +
      'all; 0 leaves it to the system, which waits for many minutes. On Linux only.',
  }),
});
