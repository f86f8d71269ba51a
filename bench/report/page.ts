// The report as one page that needs nothing else: styles and charts inside, no script.

import { GROWTH_PREFIX } from '../scenarios.ts';
import { type Bar, barChart, escapeHtml, type Line, lineChart } from './chart.ts';
import { conditionLines, type Report } from './report.ts';
import type { TrafficRow } from './rows.ts';
import {
  type Column,
  connectsColumns,
  count,
  decimal,
  idleColumns,
  milliseconds,
  perMessage,
  retainedColumns,
  startColumns,
  storeColumns,
  trafficColumns,
  WORDS,
} from './tables.ts';

const colours = [
  ...['#0b6e99', '#d9730d', '#4d7c0f', '#9333ea', '#be185d', '#78716c', '#b45309', '#0f766e'],
];

const style = `
:root { color-scheme: light dark; --ink: #1c1917; --faint: #78716c; --line: #d6d3d1; --paper: #fff }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e7e5e4; --faint: #a8a29e; --line: #44403c; --paper: #1c1917 }
}
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1400px;
  padding: 0 1rem; color: var(--ink); background: var(--paper) }
h2 { margin: 2.5rem 0 .5rem } h3 { margin: 1.2rem 0 .3rem; font-size: 1rem }
.conditions, .note { color: var(--faint) }
.charts { display: grid; gap: 0 2.5rem;
  grid-template-columns: repeat(auto-fill, minmax(420px, 1fr)) }
svg { width: 100%; max-width: 640px; font-size: 12px } svg text { fill: var(--ink) }
.grid { stroke: var(--line) } .pale { opacity: .35 }
.table { overflow-x: auto } table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .15rem .6rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line) }
.word, td:last-child { text-align: left } td:last-child { color: var(--faint) }
.key span { display: inline-block; margin-right: 1.2rem } .key svg { width: .8em; height: .8em }
${colours
  .map((colour, i) => `.s${i} { fill: ${colour} } .l${i} { stroke: ${colour}; fill: none }`)
  .join('\n')}
polyline { stroke-width: 2 }
`;

/** Whether a row's figures prove little. */
function isDoubtful({ remarks }: Pick<TrafficRow, 'remarks'>): boolean {
  return remarks.some(remark => !remark.startsWith('broker had time'));
}

class Page {
  private readonly report: Report;

  constructor(report: Report) {
    this.report = report;
  }

  html(): string {
    const { report } = this;
    const title = `minnow bench, ${report.started.slice(0, 10)}`;
    const conditions = conditionLines(report).map(escapeHtml).join('<br>\n');
    return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
<h1>${escapeHtml(title)}</h1>
<p class="conditions">${conditions}</p>
<p class="note">Pale bars are figures that prove little: the tables say why.</p>
${[this.key(), ...this.charts(), ...this.tables()].join('\n')}
</html>
`;
  }

  private colourOf(peer: string): number {
    const place = this.report.peers.findIndex(({ name }) => name === peer);
    return Math.max(0, place) % colours.length;
  }

  private key(): string {
    const entries = this.report.peers.map(({ name }) => {
      const square = `<rect class="s${this.colourOf(name)}" width="10" height="10"/>`;
      return `<span><svg viewBox="0 0 10 10">${square}</svg> ${escapeHtml(name)}</span>`;
    });
    return `<p class="key">${entries.join('')}</p>`;
  }

  private charts(): string[] {
    const { passing, storing } = this.report;
    const isGrowth = (row: TrafficRow) => row.scenario.startsWith(GROWTH_PREFIX);
    const closed = this.closedLoops();
    const all = [...passing, ...storing].filter(row => !isGrowth(row));
    const full = all.filter(row => closed.has(row.scenario));
    const paced = all.filter(row => !closed.has(row.scenario));
    return [
      this.bars('Messages per second', full, row => row.perSecond, count),
      this.bars(
        'Processor time per message, µs (seconds per million messages)',
        all,
        row => row.cpuUsPerMessage,
        perMessage,
      ),
      this.bars('p99 at a fixed rate, ms', paced, row => row.latencyUs.p99, milliseconds),
      this.percentiles(paced),
      this.growth(passing.filter(isGrowth)),
      this.simpleBars(
        'Clients that come and go, per second',
        this.report.connects,
        row => row.perSecond,
        count,
        isDoubtful,
      ),
      this.simpleBars(
        'Bytes per connection',
        this.report.idle,
        row => row.bytesPerConnection,
        count,
      ),
      this.simpleBars(
        'First CONNACK after a cold start, ms',
        this.report.starts,
        row => row.connackMs,
        value => decimal(value, 1),
      ),
    ];
  }

  private closedLoops(): Set<string> {
    const closed = this.report.scenarios.filter(
      scenario => scenario.kind === 'traffic' && 'window' in scenario.pace,
    );
    return new Set(closed.map(({ name }) => name));
  }

  private bars(
    title: string,
    rows: readonly TrafficRow[],
    of: (row: TrafficRow) => number,
    show: (value: number) => string,
  ): string {
    return this.simpleBars(title, rows, of, show, isDoubtful);
  }

  /** A chart for each scenario. */
  private simpleBars<Row extends { readonly scenario: string; readonly peer: string }>(
    title: string,
    rows: readonly Row[],
    of: (row: Row) => number,
    show: (value: number) => string,
    pale: (row: Row) => boolean = () => false,
  ): string {
    const names = [...new Set(rows.map(({ scenario }) => scenario))];
    const charts = names.map(name => {
      const bars = rows
        .filter(row => row.scenario === name && !Number.isNaN(of(row)))
        .map((row): Bar => {
          const { peer } = row;
          const value = of(row);
          const series = this.colourOf(peer);
          return { label: peer, text: show(value), value, series, pale: pale(row) };
        });
      return bars.length === 0
        ? ''
        : `<div><h3>${escapeHtml(name)}</h3>\n${barChart(`${title}: ${name}`, bars)}</div>`;
    });
    return section(title, charts);
  }

  /** How latency rises towards the rare ones: the share that is slower, from one half to 0.1 %. */
  private percentiles(rows: readonly TrafficRow[]): string {
    const names = [...new Set(rows.map(({ scenario }) => scenario))];
    const charts = names.map(name => {
      const lines = rows
        .filter(row => row.scenario === name)
        .map(({ peer, latencyUs }): Line => {
          const points = [
            { x: 2, y: latencyUs.p50 },
            { x: 10, y: latencyUs.p90 },
            { x: 100, y: latencyUs.p99 },
            { x: 1_000, y: latencyUs.p999 },
          ];
          return { series: this.colourOf(peer), points };
        });
      const x = (value: number) => `p${decimal(100 - 100 / value, value > 100 ? 1 : 0)}`;
      const chart = lineChart(`Latency: ${name}`, lines, { x, y: us => milliseconds(us) });
      return `<div><h3>${escapeHtml(name)}</h3>\n${chart}</div>`;
    });
    return section('Latency percentiles at a fixed rate, ms', charts);
  }

  private growth(rows: readonly TrafficRow[]): string {
    if (rows.length === 0) return '';
    const lines = [...new Set(rows.map(({ peer }) => peer))].map((peer): Line => {
      const own = rows.filter(row => row.peer === peer);
      const points = own.map(({ scenario, cpuUsPerMessage }) => ({
        x: Number(scenario.slice(GROWTH_PREFIX.length)),
        y: cpuUsPerMessage,
      }));
      return { series: this.colourOf(peer), points };
    });
    const title = 'Growth: µs of processor time per message over connections, at one total rate';
    const chart = lineChart(title, lines, { x: count, y: value => String(value) });
    return section(title, [`<div>${chart}</div>`]);
  }

  private tables(): string[] {
    const { passing, storing, connects, idle, retained, starts } = this.report;
    return [
      table('Traffic', trafficColumns, passing),
      table('Traffic that is kept', storeColumns, storing),
      table('Clients that come and go', connectsColumns, connects),
      table('Connections', idleColumns, idle),
      table('Retained messages', retainedColumns, retained),
      table('Cold start', startColumns, starts),
    ];
  }
}

function section(title: string, charts: readonly string[]): string {
  const some = charts.filter(chart => chart !== '');
  if (some.length === 0) return '';
  return `<h2>${escapeHtml(title)}</h2>\n<div class="charts">\n${some.join('\n')}\n</div>`;
}

function table<Row>(title: string, columns: readonly Column<Row>[], rows: readonly Row[]): string {
  if (rows.length === 0) return '';
  const cells = (tag: string, texts: readonly string[]) =>
    texts
      .map((text, i) => `<${tag}${i < WORDS ? ' class="word"' : ''}>${escapeHtml(text)}</${tag}>`)
      .join('');
  const head = cells(
    'th',
    columns.map(column => column.head),
  );
  const lines = rows.map(
    row =>
      `<tr>${cells(
        'td',
        columns.map(({ cell }) => cell(row)),
      )}</tr>`,
  );
  return `<h2>${escapeHtml(title)}</h2>
<div class="table"><table>
<tr>${head}</tr>
${lines.join('\n')}
</table></div>`;
}

export function page(report: Report): string {
  return new Page(report).html();
}
