// The charts, the page and the flame graph: well formed, escaped, and true to their figures.

import assert from 'node:assert/strict';
import type { TrafficResult } from '../../bench/load/result.ts';
import { axisSteps, barChart, escapeHtml, lineChart } from '../../bench/report/chart.ts';
import { flameGraph, frameTree, heaviest, type Profile } from '../../bench/report/flame.ts';
import { page } from '../../bench/report/page.ts';
import { reportOf } from '../../bench/report/report.ts';
import type { Outcome, Series } from '../../bench/report/rows.ts';
import { reportText } from '../../bench/report/text.ts';
import { type Scenario, scenarios } from '../../bench/scenarios.ts';
import { describe, test } from '../harness.ts';

/** Every element that is opened is closed, in order. */
function assertBalanced(markup: string): void {
  const open: string[] = [];
  const alone = new Set(['meta', 'br', '!doctype']);
  for (const [, slash, name, end] of markup.matchAll(/<(\/?)([!a-z0-9]+)[^>]*?(\/?)>/gi)) {
    const tag = name!.toLowerCase();
    if (alone.has(tag) || end === '/') continue;
    if (slash === '') open.push(tag);
    else assert.equal(open.pop(), tag, `</${tag}>`);
  }
  assert.deepEqual(open, []);
}

function attribute(markup: string, pattern: RegExp): number[] {
  return [...markup.matchAll(pattern)].map(match => Number(match[1]));
}

describe('charts', () => {
  test('a bar is as long as its value, and one without a value has none', () => {
    const bar = { series: 1, pale: false };
    const chart = barChart('<&>', [
      { ...bar, label: 'a', text: '10', value: 10 },
      { ...bar, label: 'b', text: '5', value: 5, pale: true },
      { ...bar, label: 'c', text: '–', value: Number.NaN },
    ]);
    const [first, second, third] = attribute(chart, / width="([\d.]+)" height/g);
    assert.ok(first! > 0);
    assert.equal(second, first! / 2);
    assert.equal(third, 0);
    assert.match(chart, /class="s1 pale"/);
    assert.match(chart, /aria-label="&lt;&amp;&gt;"/);
    assertBalanced(chart);
  });

  test('an axis has round steps from zero to above the largest', () => {
    assert.deepEqual(axisSteps(10), [0, 2, 4, 6, 8, 10]);
    assert.deepEqual(axisSteps(0.9), [0, 0.2, 0.4, 0.6000000000000001, 0.8, 1]);
    assert.deepEqual(axisSteps(0), [0]);
    assert.deepEqual(axisSteps(Number.NaN), [0]);
  });

  test('a line has its points in order, evenly by powers, without those that are none', () => {
    const points = [
      { x: 1_000, y: 4 },
      { x: 10, y: 2 },
      { x: 100, y: 0 },
      { x: 10_000, y: Number.NaN },
    ];
    const chart = lineChart('growth', [{ series: 0, points }], { x: String, y: String });
    const path = /points="([^"]+)"/
      .exec(chart)![1]!
      .split(' ')
      .map(pair => pair.split(','));
    const xs = path.map(([x]) => Number(x));
    const ys = path.map(([, y]) => Number(y));
    assert.equal(xs.length, 3);
    assert.ok(Math.abs(xs[1]! - xs[0]! - (xs[2]! - xs[1]!)) < 0.2);
    assert.ok(ys[1]! > ys[0]! && ys[0]! > ys[2]!, 'up is more');
    assertBalanced(chart);
  });

  test('no character of a name becomes markup', () => {
    assert.equal(escapeHtml('a<b>"&'), 'a&lt;b&gt;&quot;&amp;');
  });
});

const latencyUs = { p50: 100, p90: 200, p99: 300, p999: 400, max: 500 };
const memory = { rssBytes: 2 ** 20, privateBytes: 0, peakBytes: 2 ** 20 };
const traffic: TrafficResult = {
  ...{ kind: 'traffic', ...memory, latencyUs, lateP99Us: null },
  ...{ wantedPerSecond: null, perSecond: 1_000 },
  ...{ cpuUsPerMessage: 2, switchesPerMessage: 0, callsPerMessage: 0.5, disk: null },
  ...{ brokerCpuShare: 1, loadCpuShare: 0.1, foreignCpuShare: 0 },
  ...{ sent: 1, lost: 0, repeated: 0, reordered: 0 },
};

function outcomeOf({ kind }: Scenario): Outcome {
  switch (kind) {
    case 'traffic':
      return traffic;
    case 'idle':
      return {
        ...{ kind, ...memory, latencyUs, emptyBytes: 1, emptyPrivateBytes: 1 },
        ...{ bytesPerConnection: 1_500, bytesPerSubscription: 200, connectsPerSecond: 9_000 },
      };
    case 'retained':
      return {
        ...{ kind, ...memory, latencyUs },
        ...{ storedPerSecond: 1, collectedPerSecond: 2, bytesPerMessage: 3 },
      };
    case 'connects':
      return {
        ...{ kind, latencyUs, perSecond: 900, cpuUsPerConnect: 400, resumedShare: 0 },
        ...{ brokerCpuShare: 1, loadCpuShare: 0.1, foreignCpuShare: 0 },
      };
    case 'start':
      return { kind, connackMs: 12.34, rssBytes: 50_000_000, privateBytes: 10_000_000 };
  }
}

describe('report page', () => {
  const names = ['minnow<1>', 'other'];
  const series = scenarios.flatMap(scenario =>
    names.map((peer, i): Series => {
      const run: Outcome = i === 0 ? outcomeOf(scenario) : { skipped: 'it is not here' };
      return { scenario: scenario.name, peer, store: 'strict', io: 'sync', runs: [run] };
    }),
  );
  const report = reportOf(
    {
      started: '2026-01-02T03:04:05.000Z',
      machine: { processor: 'a & b', processors: 2, kernel: '6', pinned: false },
      peers: names.map(name => ({ name, version: '' })),
      ...{ runs: 1, measureMs: 1_000, warmUpMs: 500, baseline: 'other' },
    },
    scenarios,
    series,
  );

  test('has every scenario and broker, their store and mode, and why one is left out', () => {
    const text = reportText(report);
    const html = page(report);
    for (const { name } of scenarios) {
      assert.equal(text.split('\n').filter(line => line.startsWith(`${name} `)).length, 2, name);
      assert.ok(html.includes(`>${name}<`), name);
    }
    assert.match(text, /share processors: figures are rough/);
    assert.match(text, /^cold-start +minnow<1> +strict +sync +12\.3 +0 % +47\.7 +9\.5$/m);
    assert.match(text, /^p2p-1-1-qos0 +other .* skipped: it is not here$/m);
  });

  test('is one well-formed file that refers to no other, without scripts, and with charts', () => {
    const html = page(report);
    assertBalanced(html.replace(/<style>[\s\S]*<\/style>/, ''));
    assert.doesNotMatch(html, /<(script|link|img|iframe|object|base)|minnow<1>/i);
    assert.doesNotMatch(html, /https?:|@import|url\(|\s(src|href|srcset|on\w+)=/i);
    assert.ok(html.split('<svg').length > scenarios.length);
    assert.match(html, /minnow&lt;1&gt;/);
  });
});

const frame = (functionName: string, url = '', lineNumber = 0) => ({
  functionName,
  url,
  lineNumber,
});

const profile: Profile = {
  nodes: [
    { id: 1, callFrame: frame('(root)'), children: [2, 3, 6] },
    { id: 2, callFrame: frame('turn', 'file:///somewhere/src/loop.ts', 9), children: [4] },
    { id: 3, callFrame: frame('turn', 'file:///somewhere/src/loop.ts', 9), children: [5] },
    { id: 4, callFrame: frame('<handle>', 'file:///somewhere/src/core/broker.ts', 0) },
    { id: 5, callFrame: frame('write') },
    { id: 6, callFrame: frame('(idle)') },
  ],
  samples: [2, 3, 4, 4, 5, 6],
  timeDeltas: [10, 10, 30, 30, 20, 500],
};

describe('flame graph', () => {
  test('callees of one caller come together, and idle time is nobody’s', () => {
    const tree = frameTree(profile);
    assert.equal(tree.totalUs, 100);
    assert.equal(tree.children.length, 1);
    const [turn] = tree.children;
    assert.deepEqual(
      [turn!.name, turn!.place, turn!.selfUs, turn!.totalUs],
      ['turn', 'src/loop.ts:10', 20, 100],
    );
    assert.deepEqual(
      turn!.children.map(({ name, totalUs }) => [name, totalUs]),
      [
        ['<handle>', 60],
        ['write', 20],
      ],
    );
  });

  test('the heaviest functions are those with most time of their own', () => {
    const names = heaviest(frameTree(profile), 2).map(({ name, selfUs }) => [name, selfUs]);
    assert.deepEqual(names, [
      ['<handle>', 60],
      ['turn', 20],
    ]);
  });

  test('is well-formed, with widths that are shares and titles that say so', () => {
    const svg = flameGraph('a & b', frameTree(profile));
    assertBalanced(svg);
    const widths = attribute(svg, /<g><title>[\s\S]*?width="([\d.]+)"/g);
    assert.deepEqual(widths, [1400, 1400, 840, 280]);
    assert.match(svg, /&lt;handle&gt; src\/core\/broker\.ts:1\n60\.0 %, by itself 60\.0 %/);
  });
});
