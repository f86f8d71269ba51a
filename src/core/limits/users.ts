// What the clients of one user hold together: sessions, connections, and the pace at which they may
// publish. A user is known as long as there is a session of theirs. Clients without a user name
// have nobody to share with and are not counted.

import type { Session } from '../session/session.ts';
import { Allowance } from './pace.ts';

export class Account {
  sessions = 0;
  connections = 0;
  readonly allowance = new Allowance();
}

export class Users {
  private readonly accounts = new Map<string, Account>();

  get size(): number {
    return this.accounts.size;
  }

  find(username: string | null): Account | null {
    return (username === null ? undefined : this.accounts.get(username)) ?? null;
  }

  /** `session` belongs to its user from here on, with the connection it may have. */
  add(session: Session): void {
    const { username, connection } = session;
    if (username === null) return;
    let account = this.accounts.get(username);
    if (account === undefined) {
      account = new Account();
      this.accounts.set(username, account);
    }
    account.sessions++;
    if (connection !== null) account.connections++;
  }

  connected({ username }: Session): void {
    const account = this.find(username);
    if (account !== null) account.connections++;
  }

  disconnected({ username }: Session): void {
    const account = this.find(username);
    if (account !== null) account.connections--;
  }

  /** It does so no longer. */
  remove(session: Session): void {
    const { username, connection } = session;
    const account = this.find(username);
    if (account === null) return;
    account.sessions--;
    if (connection !== null) account.connections--;
    if (account.sessions === 0) this.accounts.delete(username!);
  }
}
