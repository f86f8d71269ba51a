// What a store gives back ↔ bytes, for the way from the store thread: windows, and what is read at
// the start, record by record so that neither side holds it twice.

import { LoadedKind, type LoadedRecord } from '../loading.ts';
import { OpKind, type QueueStateValue } from '../ops.ts';
import type { InflightRow, QueueSummary, WindowRow } from '../store.ts';
import { type ByteReader, ByteWriter } from './byte-writer.ts';
import {
  readIdentifiers,
  readNullableString,
  readOp,
  writeIdentifiers,
  writeNullableString,
  writeOp,
} from './ops-codec.ts';

export function encodeWindow(rows: readonly WindowRow[]): ArrayBuffer {
  const writer = new ByteWriter();
  for (const row of rows) writeRow(writer, row);
  return writer.take();
}

export function decodeWindow(reader: ByteReader): WindowRow[] {
  const rows: WindowRow[] = [];
  while (!reader.done) rows.push(readRow(reader));
  return rows;
}

function writeRow(writer: ByteWriter, row: WindowRow): void {
  writer.count(row.rank);
  writer.count(row.mid);
  writer.count(row.refs);
  writer.byte(row.qos);
  writer.flag(row.retain);
  writeIdentifiers(writer, row.identifiers);
  writeNullableString(writer, row.group);
  writer.string(row.topic);
  writer.data(row.source);
  writer.count(row.payloadStart);
  writer.byte(row.messageQos);
  writer.flag(row.messageRetain);
  writer.number(row.expiresAt);
}

function readRow(reader: ByteReader): WindowRow {
  return {
    rank: reader.count(),
    mid: reader.count(),
    refs: reader.count(),
    qos: reader.byte(),
    retain: reader.flag(),
    identifiers: readIdentifiers(reader),
    group: readNullableString(reader),
    topic: reader.string(),
    source: reader.data(),
    payloadStart: reader.count(),
    messageQos: reader.byte(),
    messageRetain: reader.flag(),
    expiresAt: reader.number(),
  };
}

export function writeLoaded(writer: ByteWriter, record: LoadedRecord): void {
  if (record.kind === LoadedKind.Queue) {
    writer.byte(record.kind);
    writeSummary(writer, record.queue);
  } else if (record.kind === LoadedKind.Inflight) {
    writer.byte(record.kind);
    writeInflight(writer, record.inflight);
  } else {
    writeOp(writer, record);
  }
}

export function readLoaded(reader: ByteReader): LoadedRecord {
  const kind = reader.peek();
  if (kind === LoadedKind.Queue || kind === LoadedKind.Inflight) {
    reader.byte();
    return kind === LoadedKind.Queue
      ? { kind, queue: readSummary(reader) }
      : { kind, inflight: readInflight(reader) };
  }
  const op = readOp(reader);
  switch (op.kind) {
    case OpKind.SessionPut:
    case OpKind.SubscriptionPut:
    case OpKind.RetainedPut:
    case OpKind.ReceivedPut:
      return op;
    default:
      throw new Error(`an operation of kind ${op.kind} is not part of what is loaded`);
  }
}

function writeSummary(writer: ByteWriter, summary: QueueSummary): void {
  writer.count(summary.sid);
  writer.count(summary.queued);
  writer.count(summary.bytes);
  writer.count(summary.lastRank);
}

function readSummary(reader: ByteReader): QueueSummary {
  return {
    sid: reader.count(),
    queued: reader.count(),
    bytes: reader.count(),
    lastRank: reader.count(),
  };
}

function writeInflight(writer: ByteWriter, row: InflightRow): void {
  writer.count(row.sid);
  writer.byte(row.state);
  writer.count(row.packetId);
  writeRow(writer, row);
}

function readInflight(reader: ByteReader): InflightRow {
  const sid = reader.count();
  const state = reader.byte() as QueueStateValue;
  const packetId = reader.count();
  return { ...readRow(reader), sid, state, packetId };
}
