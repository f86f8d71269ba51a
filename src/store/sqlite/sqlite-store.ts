// A store in one SQLite file. Everything happens within the call that asks for it; thread/ puts it
// on a thread of its own. What is committed is, in order:
//
//   transaction → in the log (class `written`) → log synced (class `strict`) → reported
//
// and then, when enough has gathered, written back from the log to the database. What was committed
// but not synced is remembered until the next sync: should that fail, nobody knows any more what of
// it is on the disk, so the log is cut back to the last good sync and all of it is written again.

import { LoadCollector, type LoadedTotals, type LoadSink } from '../loading.ts';
import type { Op } from '../ops.ts';
import {
  type Batch,
  type Loaded,
  type Store,
  type StoreDescription,
  StoreError,
  type StoreUsage,
} from '../store.ts';
import { Backup } from '../upkeep/backup.ts';
import { Compaction } from '../upkeep/compaction.ts';
import { backUp, checkAll, readOps, statOf } from '../upkeep/perform.ts';
import { sweep } from '../upkeep/sweep.ts';
import type { CompactReport, Upkeeper, UpkeepRequest, UpkeepResult } from '../upkeep/upkeep.ts';
import {
  asOpeningError,
  asStoreError,
  type Connection,
  openConnection,
  type SqliteSettings,
} from './connection.ts';
import { type Driver, faultOf } from './driver.ts';
import { markForCheck, moveAside, removePassingCopies } from './files.ts';
import { OpWriter } from './op-writer.ts';
import { type Reading, readAll, readOrphans, readWindow } from './reading.ts';
import type { WalFile } from './wal-file.ts';

/** The clock is written along with a commit when it has moved so far, milliseconds. */
const CLOCK_STEP_MS = 1_000;
/** How long the log may become while a copy is made, in times of what it may be otherwise. */
const COPY_LOGS_MAX = 16;
/** The file shrinks when more than half of it is empty, and this much. */
const TRIM_BYTES_MIN = 4 * 1024 * 1024;

type Done = (outcome: UpkeepResult | StoreError) => void;

/** What a store leaves to the one that goes on with its file. */
export interface Heritage extends Pick<LoadedTotals, 'maxSid' | 'maxMid'> {
  readonly description: StoreDescription;
  readonly usage: StoreUsage;
}

export class SqliteStore implements Store, Upkeeper {
  private readonly settings: SqliteSettings;
  private readonly driver: Driver;
  private readonly heritage: Heritage | null;
  /** Null after an error of the disk, until it can be opened again; an heir opens it when it is
   *  first needed. */
  private connection: Connection | null = null;
  /** There since the first connection. */
  private writer!: OpWriter;
  private movedAside: string | null = null;
  private lastError: StoreError | null = null;
  private committedThrough = 0;
  /** Committed since the last sync, oldest first. */
  private unsynced: Batch[] = [];
  private latest: Pick<Batch, 'clock' | 'wall'> | null = null;
  private clockWritten = Number.NEGATIVE_INFINITY;
  private bytesWritten = 0;
  private trimming = false;
  /** A copy that is being made: until it is complete the log is not written back. */
  private backup: { readonly copy: Backup; readonly done: Done } | null = null;
  private compaction: Compaction | null = null;
  /** Whoever has this store calls `tend` as long as there is something to do: a copy is made by and
   *  by, and so is room given back. Otherwise it is done within the call. */
  stepwise = false;
  description: StoreDescription;
  usage: StoreUsage = { fileBytes: 0, usedBytes: 0, walBytes: 0, commitMs: 0 };
  onCommitted: Store['onCommitted'] = () => {};
  onFailed: Store['onFailed'] = () => {};
  onWindow: Store['onWindow'] = () => {};
  onWindowFailed: Store['onWindowFailed'] = () => {};

  /** Opens or creates the database; a damaged one is moved aside. Throws a StoreError. With a
   *  heritage: opens nothing, and whatever is wrong is an error of the first commit. */
  constructor(settings: SqliteSettings, driver: Driver, heritage: Heritage | null = null) {
    this.settings = settings;
    this.driver = driver;
    this.heritage = heritage;
    if (heritage !== null) {
      this.description = heritage.description;
      this.usage = heritage.usage;
      this.movedAside = heritage.description.movedAside;
      return;
    }
    this.connection = this.openOrMoveAside();
    this.clearUp();
    this.writer = new OpWriter(this.connection.statements, 0, 0, []);
    this.description = this.describe(this.connection);
    this.measure(this.connection);
  }

  /** Leaves the file, which was read and not written to, to an heir. */
  release(): Heritage {
    const { maxSid, maxMid } = this.writer;
    this.connection?.abandon();
    this.connection = null;
    return { maxSid, maxMid, description: this.description, usage: this.usage };
  }

  private describe({ journalMode, fallbackReason }: Connection): StoreDescription {
    return {
      kind: 'sqlite',
      journalMode,
      path: this.settings.path,
      driver: this.driver.name,
      threaded: false,
      movedAside: this.movedAside,
      fallbackReason,
    };
  }

  private openOrMoveAside(): Connection {
    try {
      return openConnection(this.settings, this.driver);
    } catch (error) {
      if (!this.mayStartOver(error)) throw error;
      return this.startOver();
    }
  }

  /** Whoever asked for a copy under the last owner of the file has been sent away, or has it. */
  private clearUp(): void {
    try {
      removePassingCopies(this.settings.path);
    } catch {
      // What is left of one takes room, and is no reason not to start.
    }
  }

  private mayStartOver(error: unknown): boolean {
    const { refuseDamaged = false } = this.settings;
    return error instanceof StoreError && error.code === 'damaged' && !refuseDamaged;
  }

  private startOver(): Connection {
    const { path, badKept } = this.settings;
    this.movedAside = moveAside(path, Date.now(), badKept);
    return openConnection(this.settings, this.driver);
  }

  async load(): Promise<Loaded> {
    const collector = new LoadCollector();
    return collector.finish(this.loadInto(collector));
  }

  loadInto(sink: LoadSink): LoadedTotals {
    const { totals, orphans } = this.readOrStartOver(sink);
    const { statements } = this.connection!;
    this.writer = new OpWriter(statements, totals.maxSid, totals.maxMid, orphans);
    return totals;
  }

  private readOrStartOver(sink: LoadSink): Reading {
    const connection = this.connection!;
    try {
      return readAll(connection.database, sink);
    } catch (error) {
      const reason = asOpeningError(error, this.settings.path);
      if (!this.mayStartOver(reason)) throw reason;
      connection.abandon();
      sink.reset();
      this.connection = this.startOver();
      this.description = this.describe(this.connection);
      return readAll(this.connection.database, sink);
    }
  }

  commit(batch: Batch): void {
    const { after, through } = batch;
    if (after !== this.committedThrough) {
      if (this.lastError === null) throw new Error(`the batch after ${after} came out of order`);
      this.onFailed(through, this.lastError);
      return;
    }
    let synced: boolean;
    const started = performance.now();
    try {
      synced = this.write(this.connect(), batch);
    } catch (error) {
      this.onFailed(through, this.failure(error));
      return;
    }
    this.committedThrough = through;
    this.usage = { ...this.usage, commitMs: performance.now() - started };
    const bytes = this.bytesWritten;
    this.bytesWritten = 0;
    this.onCommitted(through, synced, bytes);
    this.tend();
  }

  /** Gives whether it survives a power cut. */
  private write(connection: Connection, batch: Batch): boolean {
    const { wal } = connection;
    if (batch.ops.length > 0) {
      this.transact(connection, () => {
        this.writer.apply(batch.ops);
        this.latest = batch;
        if (Math.abs(batch.clock - this.clockWritten) >= CLOCK_STEP_MS) this.writeClock(connection);
      });
    }
    if (wal === null) return true;
    if (batch.sync) this.sync(connection, wal);
    else if (batch.ops.length > 0) this.unsynced.push(batch);
    return this.unsynced.length === 0;
  }

  private writeClock({ statements }: Connection): void {
    if (this.latest === null) return;
    const { clock, wall } = this.latest;
    statements.putClock.run(clock, wall, this.writer.maxSid, this.writer.maxMid);
    this.clockWritten = clock;
  }

  private measure(connection: Connection): void {
    this.usage = { ...connection.usage(), commitMs: this.usage.commitMs };
  }

  /** All of `work` is committed or none of it. */
  private transact(connection: Connection, work: () => void): void {
    try {
      connection.statements.begin.run();
      work();
      this.bytesWritten += connection.commit();
    } catch (error) {
      this.writer.discard();
      this.clockWritten = Number.NEGATIVE_INFINITY;
      const fault = faultOf(error);
      const usable = (fault === 'full' || fault === 'damaged') && connection.rollBack();
      if (!usable) this.abandon(connection);
      throw error;
    }
    this.writer.keep();
    this.measure(connection);
  }

  private sync(connection: Connection, wal: WalFile): void {
    if (wal.synced) return;
    try {
      wal.sync();
    } catch (error) {
      this.abandon(connection);
      throw error;
    }
    this.unsynced = [];
  }

  private abandon(connection: Connection): void {
    this.failCompaction(new StoreError('io', 'the disk failed meanwhile; try again'));
    if (this.backup !== null) {
      this.endBackup(new StoreError('io', 'the disk failed while the copy was made; try again'));
    }
    connection.abandon();
    this.connection = null;
  }

  /** The connection, opened again if it was lost; then what was not synced is written again. */
  private connect(): Connection {
    if (this.connection !== null) return this.connection;
    const connection = openConnection(this.settings, this.driver);
    const { maxSid, maxMid } = this.writer ?? this.heritage!;
    try {
      const orphans = readOrphans(connection.database);
      this.writer = new OpWriter(connection.statements, maxSid, maxMid, orphans);
      for (const { ops } of this.unsynced) this.transact(connection, () => this.writer.apply(ops));
      if (connection.wal !== null) this.sync(connection, connection.wal);
    } catch (error) {
      connection.abandon();
      throw error;
    }
    this.unsynced = [];
    this.description = this.describe(connection);
    this.connection = connection;
    return connection;
  }

  /** The error to report; what is no operating error is a bug, and thrown on. */
  private failure(error: unknown): StoreError {
    const reason = asStoreError(error, this.settings.path);
    if (!(reason instanceof StoreError)) throw reason;
    this.lastError = reason;
    if (reason.code === 'damaged') {
      // What does not touch the damage goes on; the rest fails until somebody starts it again.
      markForCheck(this.settings.path);
      const next = 'when minnow starts again it is checked and moved aside';
      this.lastError = new StoreError('damaged', `${reason.message}; ${next}`);
    }
    return this.lastError;
  }

  requestWindow(sid: number, afterRank: number, limit: number, bytesMax: number): void {
    let window: ReturnType<typeof readWindow>;
    try {
      window = readWindow(this.connect().statements, sid, afterRank, limit, bytesMax);
    } catch (error) {
      this.onWindowFailed(sid, this.failure(error));
      return;
    }
    this.onWindow(sid, window.rows, window.complete);
  }

  /** A slice of what keeps the file in order: removing what dropped sessions left, writing the log
   *  back, giving up empty pages. Gives whether there is more to do; commits do a slice each. */
  tend(): boolean {
    if (this.backup !== null) this.stepBackup();
    const { connection } = this;
    if (connection === null) return false;
    try {
      if (this.writer.mustPurge) this.transact(connection, () => this.writer.purge());
      const { wal } = connection;
      const { walBytes } = this.settings;
      if (wal !== null && wal.pendingBytes >= walBytes) {
        if (wal.pendingBytes >= walBytes * COPY_LOGS_MAX) this.finishBackup();
        if (this.backup === null) this.checkpoint(connection, wal);
      }
      if (this.compaction !== null) this.stepCompaction(connection, this.compaction);
      else if (this.shouldTrim()) this.transact(connection, () => connection.trim());
    } catch (error) {
      // Nothing of it was promised to anybody: what matters will show at the next commit.
      this.failCompaction(this.failure(error));
      return false;
    }
    const asked = this.backup !== null || this.compaction !== null;
    return asked || this.writer.mustPurge || this.shouldTrim();
  }

  private checkpoint(connection: Connection, wal: WalFile): void {
    this.sync(connection, wal);
    try {
      this.bytesWritten += connection.checkpoint(wal);
    } catch (error) {
      if (faultOf(error) !== 'full') this.abandon(connection);
      throw error;
    }
    this.measure(connection);
  }

  private shouldTrim(): boolean {
    const { fileBytes, usedBytes } = this.usage;
    const empty = fileBytes - usedBytes;
    if (empty > fileBytes / 2 && empty > TRIM_BYTES_MIN) this.trimming = true;
    else if (empty < fileBytes / 8) this.trimming = false;
    return this.trimming;
  }

  upkeep(request: UpkeepRequest, done: Done): void {
    let outcome: UpkeepResult | StoreError | null;
    try {
      outcome = this.performUpkeep(request, done);
    } catch (error) {
      outcome = this.failure(error);
    }
    if (outcome !== null) done(outcome);
  }

  /** Null: `done` will be called later. */
  private performUpkeep(request: UpkeepRequest, done: Done): UpkeepResult | null {
    const connection = this.connect();
    switch (request.command) {
      case 'stat':
        return statOf(connection, this.description);
      case 'check':
        return checkAll(connection);
      case 'backup':
        this.finishBackup();
        if (connection.wal !== null) this.checkpoint(connection, connection.wal);
        if (connection.wal?.pendingBytes !== 0) return backUp(connection, request.path);
        this.backup = { copy: new Backup(this.settings.path, request.path), done };
        if (!this.stepwise) this.finishBackup();
        return null;
      case 'compact':
        if (!this.stepwise) {
          this.finishBackup();
          return this.compact(connection);
        }
        this.compaction ??= new Compaction(connection);
        this.compaction.join(done);
        return null;
    }
  }

  /** The log is shortened at the end, which a copy that is being made does not allow. */
  private stepCompaction(connection: Connection, compaction: Compaction): void {
    let complete = false;
    this.transact(connection, () => {
      complete = compaction.step();
    });
    if (!complete || this.backup !== null) return;
    this.emptyLog(connection);
    this.endCompaction();
  }

  private endCompaction(): void {
    const { compaction } = this;
    this.compaction = null;
    compaction?.end(this.usage.fileBytes);
  }

  private failCompaction(reason: StoreError): void {
    const { compaction } = this;
    this.compaction = null;
    compaction?.fail(reason);
  }

  private stepBackup(): void {
    const { copy } = this.backup!;
    try {
      const report = copy.step();
      if (report !== null) this.endBackup(report);
    } catch (error) {
      const reason = asStoreError(error, copy.path);
      if (!(reason instanceof StoreError)) throw reason;
      this.endBackup(reason);
    }
  }

  private finishBackup(): void {
    while (this.backup !== null) this.stepBackup();
  }

  private endBackup(outcome: UpkeepResult | StoreError): void {
    const { copy, done } = this.backup!;
    this.backup = null;
    if (outcome instanceof StoreError) copy.abandon();
    done(outcome);
  }

  private compact(connection: Connection): CompactReport {
    const bytesBefore = connection.usage().fileBytes;
    this.transact(connection, () => {
      for (const _ of sweep(connection.database));
    });
    try {
      this.bytesWritten += connection.vacuum();
    } catch (error) {
      if (faultOf(error) !== 'full') this.abandon(connection);
      throw error;
    }
    this.emptyLog(connection);
    return { bytesBefore, bytesAfter: this.usage.fileBytes };
  }

  private emptyLog(connection: Connection): void {
    const { wal } = connection;
    if (wal !== null) {
      this.checkpoint(connection, wal);
      connection.emptyWal(wal);
    }
    this.measure(connection);
  }

  /** Everything that is stored, as operations; nothing may be committed meanwhile. */
  readOps(): Iterable<Op> {
    return readOps(this.connect().database);
  }

  /** Nothing waits: everything is answered within its call. */
  drain(): void {}

  async close(): Promise<void> {
    if (this.backup !== null) {
      // It may be long, and whoever asked for it has been sent away.
      this.endBackup(new StoreError('io', 'the store was closed before the copy was complete'));
    }
    this.endCompaction();
    try {
      const connection = this.connect();
      this.transact(connection, () => this.writeClock(connection));
    } catch (error) {
      this.failure(error); // the log keeps what is in it
    }
    this.connection?.close();
    this.connection = null;
  }
}
