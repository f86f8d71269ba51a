// Copies with QoS 0 that one connection is owed: sent at once, in the order they were routed, or
// lost with the connection.

import type { PublishWire } from '../../wire.ts';
import { demand } from '../oracle/message.ts';
import type { Publication } from './session.ts';

interface Copy {
  readonly publication: Publication;
  /** Sent because of a new subscription. */
  readonly retained: boolean;
}

export class Passing {
  readonly #owed: Copy[] = [];

  owe(publication: Publication, retained: boolean): void {
    this.#owed.push({ publication, retained });
  }

  /** The broker sends one; false when it is not owed here. */
  sent({ topic, retain }: PublishWire, text: string): boolean {
    const at = this.#owed.findIndex(({ publication: p, retained }) => {
      return p.topic === topic && p.text === text && retained === retain;
    });
    const copy = this.#owed[at];
    if (copy === undefined) return false;
    const { publisher } = copy.publication;
    const overtaken = this.#owed.slice(0, at).some(({ publication: p, retained }) => {
      return !retained && !retain && p.publisher === publisher && p.topic === topic;
    });
    demand(!overtaken, () => `${topic} «${text}» QoS 0 overtakes another of ${publisher}`);
    this.#owed.splice(at, 1);
    return true;
  }

  /** What has not come yet, in words. */
  unpaid(): string[] {
    return this.#owed.map(({ publication: { topic, text } }) => `${topic} «${text}» QoS 0`);
  }
}
