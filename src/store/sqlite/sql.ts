// All SQL of the store: the schema as a list of migrations, the settings, and every statement.
// Times are NULL for never. A message lives as long as deliveries name it: one that a single
// delivery names goes with it; for others message_refs counts what is left, in a row of its own, so
// that counting down does not write the message anew.

import type { Database } from './driver.ts';

/** One entry per version of the schema, from version 1 on; never changed, only added to. The
 *  column state.version stays in all versions to come: it is how they know one another. */
export const migrations: readonly string[] = [
  `CREATE TABLE state (
     id INTEGER PRIMARY KEY CHECK (id = 1),
     version INTEGER NOT NULL,
     starts INTEGER NOT NULL,
     clock REAL,
     wall REAL,
     max_sid INTEGER NOT NULL,
     max_mid INTEGER NOT NULL
   );
   INSERT INTO state VALUES (1, 1, 0, NULL, NULL, 0, 0);
   CREATE TABLE sessions (
     sid INTEGER PRIMARY KEY,
     client_id TEXT NOT NULL,
     username TEXT,
     peer TEXT NOT NULL,
     expiry_seconds INTEGER NOT NULL,
     ends_at REAL,
     will_due_at REAL,
     connected INTEGER NOT NULL,
     will_topic TEXT,
     will_payload BLOB,
     will_qos INTEGER,
     will_retain INTEGER,
     will_delay_seconds INTEGER,
     will_expiry_seconds INTEGER,
     will_properties BLOB
   );
   CREATE TABLE subscriptions (
     sid INTEGER NOT NULL,
     filter TEXT NOT NULL,
     qos INTEGER NOT NULL,
     no_local INTEGER NOT NULL,
     retain_as_published INTEGER NOT NULL,
     identifier INTEGER NOT NULL,
     PRIMARY KEY (sid, filter)
   ) WITHOUT ROWID;
   CREATE TABLE retained (
     topic TEXT PRIMARY KEY,
     qos INTEGER NOT NULL,
     payload_start INTEGER NOT NULL,
     expires_at REAL,
     source BLOB NOT NULL
   ) WITHOUT ROWID;
   CREATE TABLE messages (
     mid INTEGER PRIMARY KEY,
     refs INTEGER NOT NULL,
     qos INTEGER NOT NULL,
     retain INTEGER NOT NULL,
     payload_start INTEGER NOT NULL,
     expires_at REAL,
     topic TEXT NOT NULL,
     source BLOB NOT NULL
   );
   CREATE TABLE message_refs (
     mid INTEGER PRIMARY KEY,
     remaining INTEGER NOT NULL
   );
   CREATE TABLE queue (
     sid INTEGER NOT NULL,
     rank INTEGER NOT NULL,
     mid INTEGER NOT NULL,
     qos INTEGER NOT NULL,
     retain INTEGER NOT NULL,
     state INTEGER NOT NULL,
     packet_id INTEGER NOT NULL,
     size INTEGER NOT NULL,
     identifiers TEXT,
     share TEXT,
     PRIMARY KEY (sid, rank)
   ) WITHOUT ROWID;
   CREATE TABLE received (
     sid INTEGER NOT NULL,
     packet_id INTEGER NOT NULL,
     PRIMARY KEY (sid, packet_id)
   ) WITHOUT ROWID;`,
  `ALTER TABLE sessions ADD COLUMN origin TEXT;
   ALTER TABLE sessions ADD COLUMN grants TEXT;`,
  'ALTER TABLE received ADD COLUMN topic_hash INTEGER;',
];

export const schemaVersion = migrations.length;

/** In the header of every minnow database: "minw". */
export const applicationId = 0x6d69_6e77;

/** Before anything is read: the lock is kept, and WAL then needs no shared memory. */
export function firstSettings(cacheBytes: number): string {
  return `PRAGMA locking_mode = EXCLUSIVE;
    PRAGMA temp_store = MEMORY;
    PRAGMA mmap_size = 0;
    PRAGMA cache_size = -${Math.ceil(cacheBytes / 1024)};`;
}

/** Of a new database, once and for all. It is made with its journal, empty as it is: without, a
 *  power cut meanwhile leaves a file that is taken for a damaged database. */
export function newSettings(pageBytes: number): string {
  return `PRAGMA page_size = ${pageBytes}; PRAGMA auto_vacuum = INCREMENTAL;`;
}

/** The store itself says when the log is synced and when it is written back. */
export const walSettings = `PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0;`;

/** The limit makes the journal's length that of the transaction, which is how it is accounted. */
export const deleteSettings = `PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 0;`;

export const setJournalMode = {
  wal: 'PRAGMA journal_mode = WAL',
  delete: 'PRAGMA journal_mode = DELETE',
} as const;

export const readHeader = {
  version: 'PRAGMA user_version',
  application: 'PRAGMA application_id',
  tables: "SELECT count(*) AS count FROM sqlite_schema WHERE type = 'table'",
  state: 'SELECT version FROM state',
  pages: 'PRAGMA page_count',
  pageSize: 'PRAGMA page_size',
} as const;

export function writeHeader(version: number): string {
  return `PRAGMA user_version = ${version}; PRAGMA application_id = ${applicationId};`;
}

/** A write that changes something each time: whether the disk takes writes shows at the first. */
export const probe = 'UPDATE state SET starts = starts + 1';

export const setVersion = `UPDATE state SET version = ${schemaVersion}`;

/** Stops at the first fault. */
export const quickCheck = 'PRAGMA quick_check(1)';

export const transaction = {
  begin: 'BEGIN IMMEDIATE',
  commit: 'COMMIT',
  rollback: 'ROLLBACK',
} as const;

/** Pages that are given up at once. */
export const trimPages = 128;

export const trim = `PRAGMA incremental_vacuum(${trimPages})`;

const queueColumns = `q.rank, q.mid, q.qos, q.retain, q.state, q.packet_id, q.identifiers, q.share,
  m.refs, m.qos AS message_qos, m.retain AS message_retain, m.payload_start, m.expires_at,
  m.topic, m.source`;

/** What a running store prepares once. Parameters are plain: better-sqlite3 takes numbered ones
 *  for names. */
const texts = {
  begin: transaction.begin,
  commit: transaction.commit,
  putClock: 'UPDATE state SET clock = ?, wall = ?, max_sid = ?, max_mid = ?',
  putSession: `INSERT OR REPLACE INTO sessions VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`,
  dropSession: 'DELETE FROM sessions WHERE sid = ?',
  putSubscription: `INSERT OR REPLACE INTO subscriptions VALUES (?,?,?,?,?,?)`,
  dropSubscription: 'DELETE FROM subscriptions WHERE sid = ? AND filter = ?',
  dropSubscriptions: 'DELETE FROM subscriptions WHERE sid = ?',
  putRetained: `INSERT OR REPLACE INTO retained VALUES (?,?,?,?,?)`,
  dropRetained: 'DELETE FROM retained WHERE topic = ?',
  putMessage: 'INSERT OR REPLACE INTO messages VALUES (?,?,?,?,?,?,?,?)',
  dropMessage: 'DELETE FROM messages WHERE mid = ?',
  messageSize: `SELECT length(CAST(topic AS BLOB)) + length(source) AS size
    FROM messages WHERE mid = ?`,
  putRefs: 'INSERT OR REPLACE INTO message_refs VALUES (?,?)',
  takeRefs: `UPDATE message_refs SET remaining = remaining - ? WHERE mid = ?
    RETURNING remaining`,
  dropRefs: 'DELETE FROM message_refs WHERE mid = ?',
  putQueue: 'INSERT OR REPLACE INTO queue VALUES (?,?,?,?,?,?,?,?,?,?)',
  setQueueState: 'UPDATE queue SET state = ?, packet_id = ? WHERE sid = ? AND rank = ?',
  releaseQueue: `UPDATE queue SET state = ?, packet_id = ?, mid = 0
    WHERE sid = ? AND rank = ?`,
  referenceOf: `SELECT q.mid, m.refs FROM queue q LEFT JOIN messages m ON m.mid = q.mid
    WHERE q.sid = ? AND q.rank = ?`,
  dropQueue: 'DELETE FROM queue WHERE sid = ? AND rank = ?',
  referencesOf: `SELECT q.rank, q.mid, m.refs FROM queue q LEFT JOIN messages m ON m.mid = q.mid
    WHERE q.sid = ? ORDER BY q.rank LIMIT ?`,
  dropQueueThrough: 'DELETE FROM queue WHERE sid = ? AND rank <= ?',
  putReceived: 'INSERT OR REPLACE INTO received VALUES (?,?,?)',
  dropReceived: 'DELETE FROM received WHERE sid = ? AND packet_id = ?',
  dropAllReceived: 'DELETE FROM received WHERE sid = ?',
  window: `SELECT ${queueColumns} FROM queue q JOIN messages m ON m.mid = q.mid
    WHERE q.sid = ? AND q.rank > ? AND q.state = 0 ORDER BY q.rank`,
  checkpoint: 'PRAGMA wal_checkpoint(PASSIVE)',
  pageCount: 'PRAGMA page_count',
  freePages: 'PRAGMA freelist_count',
} as const;

export type Statements = {
  readonly [Name in keyof typeof texts]: ReturnType<Database['prepare']>;
};

export function prepareStatements(database: Database): Statements {
  const prepared = Object.entries(texts).map(([name, sql]) => [name, database.prepare(sql)]);
  return Object.fromEntries(prepared) as Statements;
}

/** Read once, at the start. */
export const load = {
  state: 'SELECT clock, wall, max_sid, max_mid FROM state',
  maxMid: 'SELECT max(mid) AS max FROM messages',
  sessions: 'SELECT * FROM sessions ORDER BY sid',
  subscriptions: 'SELECT * FROM subscriptions ORDER BY sid, filter',
  retained: 'SELECT * FROM retained ORDER BY topic',
  received: 'SELECT * FROM received ORDER BY sid, packet_id',
  queues: `SELECT sid, total(state = 0) AS queued, total(iif(state = 0, size, 0)) AS bytes,
    max(rank) AS last_rank FROM queue GROUP BY sid ORDER BY sid`,
  inflight: `SELECT q.sid, ${queueColumns} FROM queue q LEFT JOIN messages m ON m.mid = q.mid
    WHERE q.state > 0 ORDER BY q.sid, q.rank`,
  orphans: 'SELECT DISTINCT sid FROM queue EXCEPT SELECT sid FROM sessions',
} as const;

/** For those who look after the store. */
export const upkeep = {
  count: `SELECT
    (SELECT count(*) FROM sessions) AS sessions,
    (SELECT count(*) FROM subscriptions) AS subscriptions,
    (SELECT count(*) FROM retained) AS retained,
    (SELECT total(length(source)) FROM retained) AS retainedBytes,
    (SELECT count(*) FROM messages) AS messages,
    (SELECT total(length(source)) FROM messages) AS messageBytes,
    (SELECT count(*) FROM queue WHERE state = 0) AS queued,
    (SELECT count(*) FROM queue WHERE state > 0) AS inflight,
    (SELECT count(*) FROM received) AS received`,
  /** Stops after a hundred faults. */
  integrity: 'PRAGMA integrity_check(100)',
  deliveriesWithoutMessage: `SELECT count(*) AS count FROM queue q
    WHERE mid <> 0 AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.mid = q.mid)`,
  messagesWithoutDelivery: `SELECT count(*) AS count FROM messages
    WHERE mid NOT IN (SELECT mid FROM queue)`,
  wrongReferences: `SELECT count(*) AS count
    FROM (SELECT mid, count(*) AS named FROM queue WHERE mid <> 0 GROUP BY mid) q
    JOIN messages m ON m.mid = q.mid LEFT JOIN message_refs r ON r.mid = q.mid
    WHERE q.named <> coalesce(r.remaining, m.refs)`,
  compact: 'VACUUM',
  emptyWal: 'PRAGMA wal_checkpoint(TRUNCATE)',
  backup: 'VACUUM INTO ?',
  messages: `SELECT m.mid, coalesce(r.remaining, m.refs) AS refs, m.qos, m.retain,
    m.payload_start, m.expires_at, m.topic, m.source
    FROM messages m LEFT JOIN message_refs r ON r.mid = m.mid ORDER BY m.mid`,
  deliveries: 'SELECT * FROM queue ORDER BY sid, rank',
} as const;

/** For removing what nothing leads to any more; what is read comes in slices. */
export const sweep = {
  lastMessage: 'SELECT max(mid) AS last FROM messages',
  nextMessage: 'SELECT min(mid) AS first FROM messages WHERE mid >= ?',
  messages: 'SELECT mid FROM messages WHERE mid > ? ORDER BY mid LIMIT ?',
  dropMessage: texts.dropMessage,
  deliveries: `SELECT q.sid, q.rank, q.mid, q.mid <> 0 AND m.mid IS NULL AS lost
    FROM queue q LEFT JOIN messages m ON m.mid = q.mid
    WHERE (q.sid, q.rank) > (?, ?) ORDER BY q.sid, q.rank LIMIT ?`,
  dropDelivery: texts.dropQueue,
  references: `SELECT r.mid, m.mid IS NULL AS lost
    FROM message_refs r LEFT JOIN messages m ON m.mid = r.mid
    WHERE r.mid > ? ORDER BY r.mid LIMIT ?`,
  dropReference: texts.dropRefs,
} as const;
