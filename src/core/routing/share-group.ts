// One shared subscription: `$share/name/filter` and its members. Each message goes to one of them
// [MQTT 5.0 4.8.2]: in turn, to those that are connected and keep up while there are any.

import { type Access, mayReceive } from '../access.ts';
import type { Session } from '../session/session.ts';
import { removeIndexed, type Subscription } from './subscription.ts';

export class ShareGroup {
  readonly name: string;
  /** The filter behind the share name. */
  readonly filter: string;
  readonly members: Subscription[] = [];
  private next = 0;

  constructor(name: string, filter: string) {
    this.name = name;
    this.filter = filter;
  }

  add(member: Subscription): void {
    member.index = this.members.length;
    this.members.push(member);
  }

  remove(member: Subscription): void {
    removeIndexed(this.members, member);
  }

  /**
   * The member whose turn it is: a connected one with room before a connected one without, before
   * one whose session waits for its client; `except` is not considered, nor who may not receive
   * messages to `topic`. Null when there is nobody.
   */
  pick(except: Session | null, access: Access, topic: string): Subscription | null {
    const members = this.members;
    let connected: Subscription | null = null;
    let offline: Subscription | null = null;
    for (let i = 0; i < members.length; i++) {
      const at = (this.next + i) % members.length;
      const member = members[at];
      const session = member.session;
      if (session === except || !mayReceive(access, session, topic)) continue;
      if (session.connection === null) {
        offline ??= member;
      } else if (session.congested) {
        connected ??= member;
      } else {
        this.next = at + 1;
        return member;
      }
    }
    const chosen = connected ?? offline;
    if (chosen !== null) this.next = chosen.index + 1;
    return chosen;
  }
}
