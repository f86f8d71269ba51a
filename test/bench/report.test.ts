// Rows say what is wrong with them: a figure that proves nothing must not look like one that does.

import assert from 'node:assert/strict';
import type { TrafficResult } from '../../bench/load/generator.ts';
import { countSyncs } from '../../bench/load/sync-count.ts';
import { type Series, storeTable, trafficRow, trafficTable } from '../../bench/report.ts';
import { describe, test } from '../harness.ts';

const clean: TrafficResult = {
  kind: 'traffic',
  closedLoop: true,
  perSecond: 1_000_000,
  latencyUs: { p50: 1_500, p90: 2_000, p99: 2_500, p999: 3_000, max: 12_000 },
  cpuUsPerMessage: 1,
  switchesPerMessage: 0,
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
  return { scenario: 'p2p', peer, runs };
}

describe('report', () => {
  test('a clean series has medians and ratios of its runs, and no remarks', () => {
    const slow = { ...clean, perSecond: 250_000, cpuUsPerMessage: 4 };
    const row = trafficRow(series('fast', clean, clean), series('slow', slow, slow));
    assert.equal(row.perSecond, 1_000_000);
    assert.equal(row.perSecondRatio, 4);
    assert.equal(row.cpuRatio, 0.25);
    assert.deepEqual(row.remarks, []);
    assert.match(trafficTable([row]), /p2p +fast +1,000,000 +0 % +4\.00 +1\.50 +2\.50 /);
  });

  test('every doubt about a figure is a remark', () => {
    const doubts: readonly [Partial<TrafficResult>, RegExp][] = [
      [{ loadCpuShare: 0.81 }, /^void: load-bound$/],
      [{ foreignCpuShare: 0.5 }, /^disturbed$/],
      [{ brokerCpuShare: 0.5 }, /^broker had time left$/],
      [{ lost: 3 }, /^3 lost$/],
      [{ repeated: 2 }, /^2 repeated$/],
      [{ reordered: 1 }, /^1 out of order$/],
    ];
    for (const [change, remark] of doubts) {
      const row = trafficRow(series('one', { ...clean, ...change }), undefined);
      assert.match(row.remarks.join('; '), remark);
    }
    const paced = { ...clean, brokerCpuShare: 0.02, closedLoop: false };
    assert.deepEqual(trafficRow(series('one', paced), undefined).remarks, []);
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
    assert.match(trafficTable([failed]), /p2p +one +– .*failed: refused/);
  });

  test('what reached the disk is shown; what could not be told is a dash', () => {
    const disk = { bytesPerMessage: 123.44, syncsPerSecond: 900, drainedPerSecond: null };
    const row = trafficRow(series('one', { ...clean, disk }), undefined);
    assert.match(storeTable([row]), / 900 +123\.4 +– +60\.0 /);
    assert.match(storeTable([trafficRow(series('one', clean), undefined)]), / – +– +– +60\.0 /);
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
