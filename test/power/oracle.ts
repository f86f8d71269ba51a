// Holds what a database says after a power cut against what the history says was promised before
// it. A promise of the class `strict` counts from the moment in front of which its acknowledgement
// was sent; what was received but not acknowledged may be there or not.

import assert from 'node:assert/strict';
import type { Loaded, Store, WindowRow } from '../../src/store/store.ts';
import { type History, markerOf, type Published, type Subscribed } from './history.ts';

interface Row {
  readonly marker: string;
  /** 0 queued, 1 awaits PUBACK, 2 PUBREC, 3 PUBCOMP. */
  readonly state: number;
  readonly packetId: number;
}

export class Oracle {
  private readonly history: History;
  private readonly queued: readonly Published[];
  private readonly retained: ReadonlyMap<string, Published[]>;
  private readonly subscriptions: ReadonlyMap<string, Subscribed[]>;
  /** Promises that were looked at. */
  checks = 0;

  constructor(history: History) {
    this.history = history;
    this.queued = history.published.filter(({ topic }) => topic.startsWith('q/'));
    const retained = history.published.filter(({ retain }) => retain);
    this.retained = groupBy(retained, ({ topic }) => topic);
    const key = ({ clientId, filter }: Subscribed) => `${clientId} ${filter}`;
    this.subscriptions = groupBy(history.subscribed, key);
  }

  /** `store` was loaded; the power was cut behind the moment `at`. */
  check(at: number, store: Store, loaded: Loaded): void {
    assert.equal(store.description.movedAside, null, 'the database was taken for damaged');
    assert.equal(loaded.skippedRows, 0, 'rows make no sense');
    const sessions = new Map(loaded.sessions.map(s => [s.clientId, s]));
    const rows = (clientId: string) => {
      const session = sessions.get(clientId);
      return session === undefined ? [] : rowsOf(session.sid, store, loaded);
    };
    this.checkSessions(at, loaded);
    this.checkSubscriptions(at, loaded);
    this.checkRetained(at, loaded);
    this.checkAway(at, rows('away'));
    this.checkHere(at, rows('here'));
    this.checkReceived(at, loaded);
  }

  private checkSessions(at: number, loaded: Loaded): void {
    const names = loaded.sessions.map(({ clientId }) => clientId);
    assert.equal(new Set(names).size, names.length, `sessions twice: ${names}`);
    const last = new Map<string, { clean: boolean; certain: boolean; will: boolean }>();
    for (const c of this.history.connected) {
      if (c.received > at) continue;
      const will = c.will && c.acknowledged < at && at < c.last;
      last.set(c.clientId, { clean: c.clean, certain: c.acknowledged < at, will });
    }
    for (const [clientId, { clean, certain, will }] of last) {
      if (!certain) continue;
      this.checks++;
      assert.equal(names.includes(clientId), !clean, `session ${clientId}, clean ${clean}`);
      if (!will) continue;
      const session = loaded.sessions.find(s => s.clientId === clientId)!;
      assert.equal(session.will?.topic, 'q/strict/will', `the will of ${clientId}`);
    }
  }

  private checkSubscriptions(at: number, loaded: Loaded): void {
    const names = new Map(loaded.sessions.map(({ sid, clientId }) => [sid, clientId]));
    const found = new Map(
      loaded.subscriptions.map(s => [`${names.get(s.sid)} ${s.filter}`, s.qos as number]),
    );
    for (const [key, steps] of this.subscriptions) {
      if (key.startsWith('gone ')) continue; // it ended; checkSessions looks at that
      this.checkVersion(at, key, steps, ({ qos }) => qos, found.get(key) ?? null, true);
    }
  }

  private checkRetained(at: number, loaded: Loaded): void {
    const found = new Map(
      loaded.retained.map(r => [r.topic, markerOf(r.source.subarray(r.payloadStart))]),
    );
    for (const [topic, steps] of this.retained) {
      const { durability } = steps[0]!;
      const there = found.get(topic) ?? null;
      if (durability === 'none') assert.equal(there, null, `${topic} is of the class none`);
      const value = ({ marker }: Published) => (marker === '' ? null : marker);
      this.checkVersion(at, topic, steps, value, there, durability === 'strict');
    }
  }

  /** What is there has to be the last value that was acknowledged, or one received since. */
  private checkVersion<S extends { received: number; acknowledged: number }, V>(
    at: number,
    what: string,
    steps: readonly S[],
    value: (step: S) => V | null,
    there: V | null,
    strict: boolean,
  ): void {
    const promised = strict ? steps.findLastIndex(({ acknowledged }) => acknowledged < at) : -1;
    const possible = steps.slice(promised < 0 ? 0 : promised).filter(s => s.received < at);
    const values = possible.map(value);
    if (promised < 0) values.push(null);
    else this.checks++;
    assert.ok(values.includes(there), `${what}: ${there}, expected one of ${values.join(', ')}`);
  }

  /** It took nothing: it has the first part of all that was to be stored, in order, but for what
   *  a broker whose disk failed did not take and never acknowledged. */
  private checkAway(at: number, rows: readonly Row[]): void {
    const there = rows.map(({ marker }) => marker).filter(marker => marker !== 'will');
    const since = this.since('away');
    let next = 0;
    for (const m of this.queued) {
      if (m.durability === 'none' || m.received < since || m.received > at) continue;
      const promised = m.durability === 'strict' && m.acknowledged < at;
      if (promised) this.checks++;
      if (m.marker === there[next]) next++;
      else if (m.acknowledged !== Number.POSITIVE_INFINITY) {
        const what = promised ? 'was acknowledged and is not there' : 'is not there';
        assert.ok(!promised && next === there.length, `${nameOf(m)} ${what}`);
      }
    }
    assert.equal(next, there.length, `${there[next]} is there too early, or twice`);
  }

  /** What was not delivered is there, and what is under way is where both sides think it is. */
  private checkHere(at: number, rows: readonly Row[]): void {
    const there = new Map(rows.map(row => [row.marker, row]));
    const byId = new Map(rows.map(row => [row.packetId, row]));
    const underWay = this.history.delivered.filter(d => d.clientId === 'here' && d.sent < at);
    const got = new Set(underWay.filter(d => d.acknowledged < at).map(({ marker }) => marker));
    for (const m of this.queued) {
      const strict = m.durability === 'strict' && m.acknowledged < at;
      if (!strict || m.received < this.since('here') || got.has(m.marker)) continue;
      this.checks++;
      assert.ok(there.has(m.marker), `${nameOf(m)} is neither there nor delivered`);
    }
    for (const d of underWay) {
      if (d.durability !== 'strict' || d.qos !== 2 || d.completed < at) continue;
      const what = `${d.marker} under way to here as ${d.id}`;
      if (d.acknowledged > at) {
        this.checks++;
        const row = there.get(d.marker);
        assert.deepEqual([row?.state, row?.packetId], [2, d.id], `${what}, PUBLISH was sent`);
      } else if (d.released < at) {
        this.checks++;
        assert.equal(byId.get(d.id)?.state, 3, `${what}, PUBREL was sent`);
      }
    }
  }

  /** QoS 2 identifiers are known from PUBREC to PUBREL, and not after PUBCOMP. */
  private checkReceived(at: number, loaded: Loaded): void {
    const names = new Map(loaded.sessions.map(({ sid, clientId }) => [sid, clientId]));
    const known = new Set(loaded.received.map(r => `${names.get(r.sid)} ${r.packetId}`));
    const last = new Map<string, Published>();
    for (const m of this.history.published) {
      if (m.qos === 2 && m.received < at) last.set(`${m.clientId} ${m.id}`, m);
    }
    for (const [key, m] of last) {
      if (m.durability !== 'strict') continue;
      if (m.acknowledged < at && m.released > at) {
        this.checks++;
        assert.ok(known.has(key), `${nameOf(m)}: PUBREC was sent, the identifier is not known`);
      } else if (m.completed < at) {
        this.checks++;
        assert.ok(!known.has(key), `${nameOf(m)}: PUBCOMP was sent, the identifier is still known`);
      }
    }
  }

  private since(clientId: string): number {
    return this.history.subscribed.find(s => s.clientId === clientId)!.received;
  }
}

function rowsOf(sid: number, store: Store, loaded: Loaded): Row[] {
  const inflight = loaded.inflight.filter(row => row.sid === sid);
  const rows = inflight.map(row => ({ ...rowOf(row), state: row.state, packetId: row.packetId }));
  store.onWindow = (_sid, window, complete) => {
    assert.ok(complete);
    for (const row of window) rows.push({ ...rowOf(row), state: 0, packetId: 0 });
  };
  store.onWindowFailed = (_sid, error) => {
    throw error;
  };
  store.requestWindow(sid, 0, 1_000_000, 1 << 30);
  return rows;
}

function rowOf(row: WindowRow): { readonly marker: string } {
  return { marker: markerOf(row.source.subarray(row.payloadStart)) };
}

function nameOf({ marker, topic, qos, id }: Published): string {
  return `${marker} on ${topic} (QoS ${qos}, identifier ${id})`;
}

function groupBy<Item>(items: readonly Item[], key: (item: Item) => string): Map<string, Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group === undefined) groups.set(key(item), [item]);
    else group.push(item);
  }
  return groups;
}
