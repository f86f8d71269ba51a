// What the broker owes, from what it acknowledged: messages per session, subscriptions, sessions
// and retained messages. It judges each thing as it comes and knows what is still missing. A
// message's first level names its durability class; the oracle demands of `strict` and `written`
// what they promise about a killed process, and of the others nothing but sense.

import type { PublishWire } from '../wire.ts';
import type { ModelClient, Publication } from './model-client.ts';

export interface Post extends Publication {
  readonly publisher: string;
  /** Rises with each post of its publisher. */
  readonly serial: number;
  /** When it went out first and last, in transmissions of all clients. */
  firstSentAt: number;
  lastSentAt: number;
  acknowledged: boolean;
  /** Sessions that were surely subscribed, or surely not, when it went out first. */
  readonly subscribed: Map<Interest, number>;
  readonly unsubscribed: Map<Interest, number>;
}

/** One filter of one session; each filter matches one topic. */
interface Interest {
  readonly account: Account;
  readonly qos: number;
  state: 'on' | 'off' | 'unknown';
  /** Changes with each SUBSCRIBE and UNSUBSCRIBE that goes out, and with each answer. */
  generation: number;
  /** Of those, how many the current connection has not been answered. */
  unanswered: number;
}

/** What is known about one client's session. */
class Account {
  readonly id: string;
  readonly persistent: boolean;
  exists: 'yes' | 'no' | 'unknown' = 'no';
  readonly interests = new Map<string, Interest>();
  /** Acknowledged and not seen by this session yet. */
  readonly owed = new Set<Post>();
  readonly seen = new Set<Post>();
  /** The last post by publisher, topic and QoS. */
  readonly latest = new Map<string, number>();

  constructor(id: string, persistent: boolean) {
    this.id = id;
    this.persistent = persistent;
  }

  /** The session is gone, surely. */
  forget(state: Interest['state']): void {
    this.owed.clear();
    this.seen.clear();
    this.latest.clear();
    for (const interest of this.interests.values()) {
      interest.state = state;
      interest.generation++;
    }
  }
}

type Client = ModelClient<Post>;

/** Whether its class promises that it outlives the process. */
export function kept(topic: string): boolean {
  return topic.startsWith('strict/') || topic.startsWith('written/');
}

export class Oracle {
  readonly counts = { sent: 0, acknowledged: 0, received: 0, redeemed: 0, twice: 0, wills: 0 };
  /** What the broker did wrong, in words. */
  readonly faults: string[] = [];
  readonly #accounts = new Map<string, Account>();
  readonly #posts = new Map<string, Post>();
  readonly #serials = new Map<string, number>();
  readonly #interests = new Map<string, Interest[]>();
  readonly #retained = new Map<string, Post[]>();
  #transmissions = 0;

  /** Names a client, and the QoS it asks for by topic; each topic has one filter of it. */
  open(id: string, persistent: boolean, wishes: ReadonlyMap<string, number>): void {
    const account = new Account(id, persistent);
    this.#accounts.set(id, account);
    for (const [topic, qos] of wishes) {
      const interest: Interest = { account, qos, state: 'off', generation: 0, unanswered: 0 };
      account.interests.set(topic, interest);
      const list = this.#interests.get(topic);
      if (list === undefined) this.#interests.set(topic, [interest]);
      else list.push(interest);
    }
  }

  post(publisher: string, topic: string, qos: number, retain = false, empty = false): Post {
    const serial = (this.#serials.get(publisher) ?? 0) + 1;
    this.#serials.set(publisher, serial);
    const payload = empty ? '' : `${publisher} ${serial}`;
    const post: Post = {
      publisher,
      serial,
      topic,
      payload,
      qos,
      retain,
      firstSentAt: 0,
      lastSentAt: 0,
      acknowledged: false,
      subscribed: new Map(),
      unsubscribed: new Map(),
    };
    if (!empty) this.#posts.set(payload, post);
    return post;
  }

  // ---- Sessions
  // ---------------------------------------------------------------------------------

  connecting(client: Client, clean: boolean): void {
    const account = this.#account(client);
    // Whether the broker got to read it is not known before it answers.
    if (account.exists !== 'yes' || (clean && account.persistent)) account.exists = 'unknown';
    for (const interest of account.interests.values()) interest.unanswered = 0;
    if (clean) account.forget('unknown');
  }

  connected(client: Client, sessionPresent: boolean, clean: boolean): void {
    const account = this.#account(client);
    const { exists } = account;
    if (sessionPresent ? clean || exists === 'no' : exists === 'yes' && account.persistent) {
      const told = sessionPresent ? 'present' : 'gone';
      this.#fault(`${account.id}: its session is said to be ${told}`);
    }
    if (!sessionPresent) account.forget('off');
    account.exists = 'yes';
  }

  changing(client: Client, topic: string): void {
    const interest = this.#interest(client, topic);
    interest.state = 'unknown';
    interest.generation++;
    interest.unanswered++;
  }

  changed(client: Client, topic: string, on: boolean): void {
    const interest = this.#interest(client, topic);
    interest.unanswered--;
    // While the next request is on its way nobody knows whether it has been heard.
    if (interest.unanswered === 0) interest.state = on ? 'on' : 'off';
    interest.generation++;
  }

  isOn(client: Client, topic: string): boolean {
    return this.#interest(client, topic).state === 'on';
  }

  // ---- Messages
  // ---------------------------------------------------------------------------------

  sent(post: Post): void {
    const at = ++this.#transmissions;
    post.lastSentAt = at;
    if (post.firstSentAt > 0) return;
    post.firstSentAt = at;
    this.counts.sent++;
    if (post.retain && !post.topic.endsWith('/will')) this.#keep(post);
    for (const interest of this.#interests.get(post.topic) ?? []) {
      const { state, generation } = interest;
      if (state === 'on') post.subscribed.set(interest, generation);
      if (state === 'off') post.unsubscribed.set(interest, generation);
    }
  }

  acknowledged(post: Post, reason = 0): void {
    if (reason >= 0x80) {
      this.#fault(`«${post.payload}» to ${post.topic} was refused with ${reason}`);
      return;
    }
    post.acknowledged = true;
    this.counts.acknowledged++;
    for (const [interest, generation] of post.unsubscribed) {
      // From here on the subscription may change without having been asked about this one.
      if (interest.generation !== generation) post.unsubscribed.delete(interest);
    }
    if (!kept(post.topic)) return;
    for (const [interest, generation] of post.subscribed) {
      const { account } = interest;
      if (Math.min(post.qos, interest.qos) === 0 || interest.generation !== generation) continue;
      if (account.persistent && !account.seen.has(post)) account.owed.add(post);
    }
  }

  received(client: Client, { topic, payload, qos }: PublishWire): void {
    this.counts.received++;
    const text = new TextDecoder().decode(payload);
    const account = this.#account(client);
    const post = this.#posts.get(text);
    if (post === undefined || post.topic !== topic) {
      this.#fault(`${account.id}: received «${text}» at ${topic}, which nobody sent`);
      return;
    }
    const interest = account.interests.get(topic);
    if (interest === undefined) {
      this.#fault(`${account.id}: received «${text}» at ${topic}, for which it never asked`);
      return;
    }
    const { state, generation } = interest;
    const off = post.unsubscribed.get(interest);
    if (off !== undefined && (post.acknowledged || off === generation)) {
      this.#fault(`${account.id}: received «${text}» at ${topic}, to which it is not subscribed`);
    }
    const again = account.seen.has(post);
    if (again) this.counts.twice++;
    else if (state === 'on') this.#judgeOrder(account, interest, post, qos);
    if (again && qos === 2 && kept(topic)) {
      this.#fault(`${account.id}: received «${text}» at ${topic} twice with QoS 2`);
    }
    account.seen.add(post);
    if (account.owed.delete(post)) this.counts.redeemed++;
  }

  #judgeOrder(account: Account, interest: Interest, post: Post, qos: number): void {
    // What went out while the subscription was not sure may have been routed at the second try.
    if (qos === 0 || post.subscribed.get(interest) !== interest.generation) return;
    const key = `${post.publisher} ${post.topic} ${post.qos}`;
    const last = account.latest.get(key) ?? 0;
    if (last > post.serial) {
      this.#fault(`${account.id}: received «${post.payload}» at ${post.topic} behind ${last}`);
    }
    account.latest.set(key, Math.max(last, post.serial));
  }

  /** What `id` still has to be sent. */
  owedTo(id: string): ReadonlySet<Post> {
    return this.#accounts.get(id)!.owed;
  }

  /** The will of a client that was connected when the broker died: it has to come now. */
  willDue(will: Post): void {
    this.counts.wills++;
    this.acknowledged(will);
  }

  // ---- Retained messages
  // ------------------------------------------------------------------------

  #keep(post: Post): void {
    const history = this.#retained.get(post.topic);
    if (history === undefined) this.#retained.set(post.topic, [post]);
    else history.push(post);
  }

  /** Judges what a new subscriber was sent: all retained messages, by topic. */
  judgeRetained(found: ReadonlyMap<string, string>): void {
    for (const topic of found.keys()) {
      if (!this.#retained.has(topic)) this.#fault(`${topic}: a retained message out of nowhere`);
    }
    for (const [topic, history] of this.#retained) {
      const sure = history.filter(post => post.acknowledged && kept(topic)).at(-1);
      // Only what went out after the last acknowledged one may stand in its place.
      const possible = history.filter(
        post => sure === undefined || post === sure || post.lastSentAt > sure.firstSentAt,
      );
      this.#retained.set(topic, possible);
      const payloads = possible.map(post => post.payload);
      if (sure === undefined) payloads.push('');
      const payload = found.get(topic) ?? '';
      if (payloads.includes(payload)) continue;
      const expected = payloads.map(one => `«${one}»`).join(' or ');
      this.#fault(`${topic}: «${payload}» is retained, expected ${expected}`);
    }
  }

  #fault(what: string): void {
    this.faults.push(what);
  }

  #account(client: Client): Account {
    return this.#accounts.get(client.id)!;
  }

  #interest(client: Client, topic: string): Interest {
    const interest = this.#account(client).interests.get(topic);
    if (interest === undefined) throw new Error(`${client.id} never asked for ${topic}`);
    return interest;
  }
}
