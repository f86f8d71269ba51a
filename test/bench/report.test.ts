// Rows say what is wrong with them: a figure that proves nothing must not look like one that does.

import assert from 'node:assert/strict';
import { totalCalls } from '../../bench/load/call-count.ts';
import type { ConnectsResult, TrafficResult } from '../../bench/load/result.ts';
import { countSyncs } from '../../bench/load/sync-count.ts';
import {
  connectsRow,
  idleRow,
  type Series,
  startRow,
  trafficRow,
} from '../../bench/report/rows.ts';
import {
  connectsColumns,
  idleColumns,
  startColumns,
  storeColumns,
  textTable,
  trafficColumns,
} from '../../bench/report/tables.ts';
import { describe, test } from '../harness.ts';

const clean: TrafficResult = {
  kind: 'traffic',
  wantedPerSecond: null,
  perSecond: 1_000_000,
  latencyUs: { p50: 1_500, p90: 2_000, p99: 2_500, p999: 3_000, max: 12_000 },
  lateP99Us: null,
  cpuUsPerMessage: 1,
  switchesPerMessage: 0,
  callsPerMessage: null,
  brokerCpuShare: 1,
  loadCpuShare: 0.4,
  foreignCpuShare: 0,
  sent: 1_000_000,
  lost: 0,
  repeated: 0,
  reordered: 0,
  rssBytes: 50 * 2 ** 20,
  privateBytes: 20 * 2 ** 20,
  peakBytes: 60 * 2 ** 20,
  disk: null,
};

function series(peer: string, ...runs: Series['runs']): Series {
  return { scenario: 'p2p', peer, store: 'strict', io: 'sync', runs };
}

describe('report', () => {
  test('a clean series has medians and ratios of its runs, and no remarks', () => {
    const slow = { ...clean, perSecond: 250_000, cpuUsPerMessage: 4 };
    const row = trafficRow(series('fast', clean, clean), series('slow', slow, slow));
    assert.equal(row.perSecond, 1_000_000);
    assert.equal(row.perSecondRatio, 4);
    assert.equal(row.cpuRatio, 0.25);
    assert.deepEqual(row.remarks, []);
    assert.match(
      textTable(trafficColumns, [row]),
      /p2p +fast +strict +sync +1,000,000 +0 % +4\.00 +1\.50 +2\.00 +2\.50 /,
    );
  });

  test('clients that come and go have ratios, doubts and the share that resumed', () => {
    const run: ConnectsResult = {
      ...{ kind: 'connects', latencyUs: clean.latencyUs, perSecond: 800, cpuUsPerConnect: 1_000 },
      ...{ resumedShare: 0.5, brokerCpuShare: 1, loadCpuShare: 0.4, foreignCpuShare: 0 },
    };
    const slow = { ...run, perSecond: 200, cpuUsPerConnect: 4_000 };
    const row = connectsRow(series('fast', run), series('slow', slow));
    assert.deepEqual([row.perSecondRatio, row.cpuRatio, row.remarks], [4, 0.25, []]);
    const told = textTable(connectsColumns, [row]);
    assert.match(told, /resumed .*\n.* 800 +0 % +4\.00 .* 1000\.00 +0\.25 +50 % /);
    for (const [change, remark] of [
      [{ loadCpuShare: 0.81 }, 'void: load-bound'],
      [{ foreignCpuShare: 0.5 }, 'disturbed'],
      [{ brokerCpuShare: 0.5 }, 'broker had time left'],
    ] as const) {
      assert.deepEqual(connectsRow(series('fast', { ...run, ...change }), undefined).remarks, [
        remark,
      ]);
    }
  });

  test('every doubt about a figure is a remark', () => {
    const doubts: readonly [Partial<TrafficResult>, RegExp][] = [
      [{ loadCpuShare: 0.81 }, /^void: load-bound$/],
      [{ foreignCpuShare: 0.5 }, /^disturbed$/],
      [{ brokerCpuShare: 0.5 }, /^broker had time left$/],
      [{ wantedPerSecond: 1_100_000 }, /^fell behind the rate$/],
      [{ perSecond: 0 }, /^nothing came$/],
      [{ lateP99Us: 1_300 }, /^latency void: the generator was late$/],
      [{ lost: 3 }, /^3 lost$/],
      [{ repeated: 2 }, /^2 repeated$/],
      [{ reordered: 1 }, /^1 out of order$/],
    ];
    for (const [change, remark] of doubts) {
      const row = trafficRow(series('one', { ...clean, ...change }), undefined);
      assert.match(row.remarks.join('; '), remark);
    }
    const paced = { ...clean, brokerCpuShare: 0.02, wantedPerSecond: 1_000_000 };
    for (const lateP99Us of [900, 1_200]) {
      const row = trafficRow(series('one', { ...paced, lateP99Us }), undefined);
      assert.deepEqual(row.remarks, []);
      assert.match(textTable(trafficColumns, [row]), /late p99 .*\n.* 3\.00 +(0\.90|1\.20) /);
    }
  });

  test('a failed run is told and kept out of the medians', () => {
    const row = trafficRow(
      series('one', clean, { error: 'refused' }),
      series('base', clean, clean),
    );
    assert.equal(row.perSecond, 1_000_000);
    assert.equal(row.perSecondRatio, 1);
    assert.deepEqual(row.remarks, ['failed: refused']);
    const failed = trafficRow(series('one', { error: 'refused' }), undefined);
    assert.match(
      textTable(trafficColumns, [failed]),
      /p2p +one +strict +sync +– .*failed: refused/,
    );
  });

  test('what reached the disk is shown; what could not be told is a dash', () => {
    const disk = { bytesPerMessage: 123.44, syncsPerSecond: 900, drainedPerSecond: null };
    const row = trafficRow(series('one', { ...clean, disk }), undefined);
    const bare = trafficRow(series('one', clean), undefined);
    assert.match(textTable(storeColumns, [row]), / 900 +123\.4 +– +50\.0 +60\.0 /);
    assert.match(textTable(storeColumns, [bare]), / – +– +– +50\.0 +60\.0 /);
  });

  test('what was skipped says why, once', () => {
    const row = trafficRow(
      series('one', { skipped: 'not here' }, { skipped: 'not here' }),
      undefined,
    );
    assert.deepEqual(row.remarks, ['skipped: not here']);
    assert.ok(Number.isNaN(row.perSecond) && Number.isNaN(row.perSecondRatio));
  });

  test('what a load process could not tell came as null, and is a dash', () => {
    const latencyUs = { p50: null, p90: null, p99: null, p999: null, max: null };
    const parsed = { ...clean, latencyUs } as unknown as TrafficResult;
    const row = trafficRow(series('one', parsed), undefined);
    assert.ok(Number.isNaN(row.latencyUs.p99));
    assert.match(textTable(trafficColumns, [row]), / – +– +– +– +1\.00 /);
  });

  test('connections and cold starts have rows of their own', () => {
    const memory = { rssBytes: 20 * 2 ** 20, privateBytes: 0, peakBytes: 0 };
    const idle = {
      ...memory,
      kind: 'idle',
      ...{ emptyBytes: 2 ** 20, emptyPrivateBytes: 0 },
      ...{ bytesPerConnection: 1_234, bytesPerSubscription: Number.NaN, connectsPerSecond: 9_000 },
      latencyUs: clean.latencyUs,
    } as const;
    const table = textTable(idleColumns, [idleRow(series('one', idle))]);
    assert.match(table, / 1\.0 +0\.0 +20\.0 +1,234 +– +9,000 +1\.50 /);
    const [fast, slow] = [10, 30].map(
      connackMs => ({ kind: 'start', connackMs, ...memory }) as const,
    );
    const row = startRow(series('one', fast!, slow!));
    assert.deepEqual([row.connackMs, row.spread], [20, 1]);
    assert.match(textTable(startColumns, [row]), / 20\.0 +100 % +20\.0 +0\.0$/m);
  });

  test('system calls are summed over the rows of a table, with errors or without', () => {
    const table = `strace: Process 7 attached with 2 threads
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.00    0.000600           3       200           sendto
 40.00    0.000400           2       150        50 recvfrom
------ ----------- ----------- --------- --------- ----------------
100.00    0.001000           2       350        50 total
`;
    assert.equal(totalCalls(table), 350);
    assert.equal(totalCalls('strace: attach: Operation not permitted'), null);
  });

  test('syncs are counted where they began, and only within the measurement', () => {
    const noted = `7 99.999999 fdatasync(12) = 0
7 100.000000 fdatasync(12 <unfinished ...>
8  100.500000 fsync(13)                 = 0
7 100.600000 <... fdatasync resumed>)   = 0
7 200.000000 fdatasync(12) = 0
`;
    assert.equal(countSyncs(noted, 100_000, 200_000), 2);
    assert.equal(countSyncs('', 100_000, 200_000), 0);
  });
});
