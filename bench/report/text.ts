// The report as text: what was compared under which conditions, and a table per kind of row.

import { conditionLines, type Report } from './report.ts';
import {
  connectsColumns,
  idleColumns,
  retainedColumns,
  startColumns,
  storeColumns,
  textTable,
  trafficColumns,
} from './tables.ts';

export function reportText(report: Report): string {
  const { passing, storing, connects, idle, retained, starts } = report;
  const lines = conditionLines(report);
  if (passing.length > 0) lines.push('', textTable(trafficColumns, passing));
  if (storing.length > 0) lines.push('', textTable(storeColumns, storing));
  if (connects.length > 0) lines.push('', textTable(connectsColumns, connects));
  if (idle.length > 0) lines.push('', textTable(idleColumns, idle));
  if (retained.length > 0) lines.push('', textTable(retainedColumns, retained));
  if (starts.length > 0) lines.push('', textTable(startColumns, starts));
  return lines.join('\n');
}
