// A door's TCP listener on Bun: the runtime's own, for sockets of ours.

import type { Socket, TCPSocketListener } from 'bun';
import { formatAddress } from '../../config/address.ts';
import { tuneListener } from '../async/tune.ts';
import type { Tell } from '../driver.ts';
import type { IoOptions } from '../options.ts';
import { BunSocket, plainHandlers } from './bun-socket.ts';
import type { DoorListener, TcpPlace } from './listening.ts';

export class BunListener implements DoorListener {
  private readonly options: IoOptions;
  private readonly tell: Tell;
  private readonly accepted: (socket: BunSocket) => void;
  private readonly isRead: boolean;
  private listener: TCPSocketListener<BunSocket> | null = null;

  /** `isRead`: something is read from what is accepted before it becomes TLS. */
  constructor(
    options: IoOptions,
    tell: Tell,
    accepted: (socket: BunSocket) => void,
    isRead: boolean,
  ) {
    this.options = options;
    this.tell = tell;
    this.accepted = accepted;
    this.isRead = isRead;
  }

  async listen({ host, port }: TcpPlace): Promise<string> {
    const { options, tell } = this;
    const { reusePort } = options;
    const open = (socket: Socket<BunSocket>) => this.opened(socket);
    // Bun's types lack `ipv6Only` and `reusePort`; it knows both.
    const wanted = { exclusive: !reusePort, reusePort, ipv6Only: true, allowHalfOpen: true };
    try {
      const listener = Bun.listen<BunSocket>({
        ...wanted,
        hostname: host,
        port,
        socket: { open, ...plainHandlers(this.isRead) },
      });
      this.listener = listener;
      await tuneListener((listener as unknown as { fd: number }).fd, options, tell);
      return formatAddress(host, listener.port);
    } catch (error) {
      throw Object.assign(error as Error, { address: host, port });
    }
  }

  close(): void {
    this.listener?.stop();
    this.listener = null;
  }

  private opened(socket: Socket<BunSocket>): void {
    const { noDelay, keepAliveSeconds } = this.options;
    socket.setNoDelay(noDelay);
    if (keepAliveSeconds > 0) socket.setKeepAlive(true, keepAliveSeconds * 1000);
    const own = new BunSocket(socket);
    socket.data = own;
    this.accepted(own);
    own.wait();
  }
}
