// Every listener that is more than TCP: TLS, unix sockets, the PROXY protocol, sockets of systemd.
// They live on a thread with an event loop; what comes through them is handed to the hallway as
// links like any other.

import type { DoorConfig } from '../../config/sections/doors.ts';
import type { Origin } from '../../core/access.ts';
import type { Tell } from '../driver.ts';
import { createProcessRoom, Room, type RoomShare } from '../room.ts';
import { Admission } from './admission.ts';
import { Door, type DoorOptions } from './door.ts';
import { type Inherited, inheritedSockets } from './listening.ts';
import type { DoorSide } from './side.ts';
import { TlsFileError } from './steps/tls-files.ts';

/** Missing on this machine: an optional address of that kind is no fault. */
const MISSING: readonly string[] = ['EADDRNOTAVAIL', 'EAFNOSUPPORT'];

/** Whether somebody is in who came with a certificate that does not hold any more. */
export type IsUntrusted = (origin: Origin | null | undefined) => boolean;

export class Doors {
  private readonly side: DoorSide;
  private readonly options: DoorOptions;
  private readonly tell: Tell;
  private readonly room: Room;
  private readonly admission: Admission;
  private readonly doors: Door[] = [];
  private readonly found: string[] = [];

  /** `room`: what there is for the sockets of the whole process. */
  constructor(
    side: DoorSide,
    options: DoorOptions,
    tell: Tell,
    room: RoomShare = createProcessRoom(),
  ) {
    this.side = side;
    this.options = options;
    this.tell = tell;
    this.room = new Room(room, tell);
    this.admission = new Admission(options.acceptsPerSecond);
    side.onHold = held => {
      for (const door of this.doors) door.hold(held);
    };
  }

  /** Opens all of them. Rejects as Driver.listen does, or with a TlsFileError; then none is left
   *  open. */
  async open(
    configs: readonly DoorConfig[],
    env: Readonly<Record<string, string | undefined>>,
    pid: number,
  ): Promise<void> {
    const inherited = inheritedSockets(env, pid);
    try {
      let lastPort = 0;
      for (const config of configs) {
        const found = await this.openOne(config, lastPort, inherited);
        this.found.push(...found);
        // The IPv6 sibling of a listener whose port the system chose takes the same port.
        lastPort = Number(/:(\d+)(\/.*)?$/.exec(found[0] ?? '')?.[1] ?? 0);
      }
    } catch (error) {
      this.stop();
      throw error;
    }
  }

  /** Where clients reach them, e.g. "mqtts://127.0.0.1:8883". */
  get addresses(): readonly string[] {
    return this.found;
  }

  private async openOne(
    config: DoorConfig,
    lastPort: number,
    inherited: Inherited,
  ): Promise<string[]> {
    const { place } = config;
    const make = async () => {
      const { side, options, room, admission, tell } = this;
      const door = await Door.create(config, side, options, { room, admission }, tell);
      this.doors.push(door);
      return door;
    };
    if (place.kind === 'systemd') {
      const sockets = inherited.get(place.name) ?? [];
      if (sockets.length === 0) throw nothingInherited(place.name, inherited);
      const addresses: string[] = [];
      for (const fd of sockets) addresses.push(await (await make()).listen({ kind: 'fd', fd }));
      return addresses;
    }
    try {
      const samePort = place.kind === 'tcp' && config.optional && place.port === 0;
      return [await (await make()).listen(samePort ? { ...place, port: lastPort } : place)];
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      if (!config.optional || error instanceof TlsFileError) throw error;
      this.doors.pop();
      const address = place.kind === 'tcp' ? place.host : '';
      const level = MISSING.includes(code) ? 'info' : 'warn';
      this.tell(level, 'not listening', { address, code });
      return [];
    }
  }

  /** Reads certificates, authorities and revocations anew; throws a TlsFileError. What is returned
   *  puts them in force: who comes next meets the new ones, and connections go on but for those
   *  whose certificates are revoked now, or of authorities that are gone. */
  prepareReload(): () => Promise<IsUntrusted> {
    const renewals = this.doors.map(door => door.prepareReload());
    return async () => {
      const lists = await Promise.all(renewals.map(renew => renew()));
      // All at once: who is turned out has little time to be told.
      const origins = lists.flat().flatMap(turnOut => turnOut() ?? []);
      const untrusted = new Set(origins.map(keyOf));
      return origin => origin != null && untrusted.has(keyOf(origin));
    };
  }

  stopListening(): void {
    for (const door of this.doors) door.stopListening();
  }

  /** Ends everything that is still open. */
  stop(): void {
    for (const door of this.doors) door.stop();
    this.admission.stop();
  }
}

/** By certificate, and by listener: each has lists of its own. */
function keyOf({ listener, certificate }: Origin): string {
  return `${certificate?.fingerprint} ${listener}`;
}

function nothingInherited(name: string, inherited: Inherited): Error {
  const given = [...inherited.keys()].join(', ') || 'none';
  const why = `systemd has handed over no socket of this name (but ${given})`;
  return Object.assign(new Error(why), { code: 'ENOENT', address: name });
}
