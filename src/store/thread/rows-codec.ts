// The rows of windows ↔ bytes, for the way from the store thread.

import type { WindowRow } from '../store.ts';
import { type ByteReader, ByteWriter } from './byte-writer.ts';
import {
  readIdentifiers,
  readNullableString,
  writeIdentifiers,
  writeNullableString,
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
