// Charts as SVG text, without any script: bars per broker, and lines over a logarithmic axis.
// Colours are CSS classes (s0, s1, …) which the page defines for light and dark.

export interface Bar {
  readonly label: string;
  /** What is written behind the bar. */
  readonly text: string;
  readonly value: number;
  /** Which of the page's colours. */
  readonly series: number;
  /** A figure that proves little is drawn pale. */
  readonly pale: boolean;
}

export interface Line {
  readonly series: number;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

const WIDTH = 640;
const LABEL_WIDTH = 130;
const TEXT_WIDTH = 110;
const BAR_HEIGHT = 16;
const BAR_GAP = 4;

export function escapeHtml(text: string): string {
  const names: Readonly<Record<string, string>> = { '&': 'amp', '<': 'lt', '>': 'gt', '"': 'quot' };
  return text.replace(/[&<>"]/g, char => `&${names[char]};`);
}

function svg(height: number, title: string, parts: readonly string[]): string {
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeHtml(title)}">
${parts.join('\n')}
</svg>`;
}

function text(x: number, y: number, content: string, anchor = 'start'): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}">${escapeHtml(content)}</text>`;
}

/** Coordinates to a tenth of a pixel. */
function at(value: number): number {
  return Math.round(value * 10) / 10;
}

/** One bar per broker, from zero to the largest; a value that is none has its text alone. */
export function barChart(title: string, bars: readonly Bar[]): string {
  const largest = Math.max(...bars.map(({ value }) => (value > 0 ? value : 0)), Number.MIN_VALUE);
  const room = WIDTH - LABEL_WIDTH - TEXT_WIDTH;
  const parts = bars.flatMap((bar, i) => {
    const top = i * (BAR_HEIGHT + BAR_GAP);
    const width = bar.value > 0 ? at((bar.value / largest) * room) : 0;
    const base = top + BAR_HEIGHT - 4;
    const paleness = bar.pale ? ' pale' : '';
    return [
      text(LABEL_WIDTH - 8, base, bar.label, 'end'),
      `<rect class="s${bar.series}${paleness}" x="${LABEL_WIDTH}" y="${top}"` +
        ` width="${width}" height="${BAR_HEIGHT}"/>`,
      text(LABEL_WIDTH + width + 6, base, bar.text),
    ];
  });
  return svg(bars.length * (BAR_HEIGHT + BAR_GAP), title, parts);
}

/** 1, 2 or 5 times a power of ten: the steps of an axis from zero up to `largest`. */
export function axisSteps(largest: number, wanted = 5): number[] {
  if (!(largest > 0) || !Number.isFinite(largest)) return [0];
  const rough = largest / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(factor => factor * power).find(size => size >= rough)!;
  const steps: number[] = [];
  for (let i = 0; i * step < largest + step * 0.999; i++) steps.push(i * step);
  return steps;
}

/** Lines over x on a logarithmic axis and y from zero. */
export function lineChart(
  title: string,
  lines: readonly Line[],
  names: { readonly x: (value: number) => string; readonly y: (value: number) => string },
): string {
  const [left, right, top, bottom] = [60, WIDTH - 20, 10, 230];
  const points = lines.flatMap(line => line.points).filter(({ y }) => y >= 0);
  const places = [...new Set(points.map(({ x }) => x))].toSorted((a, b) => a - b);
  const steps = axisSteps(Math.max(...points.map(({ y }) => y), 0));
  const first = Math.log(places[0] ?? 1);
  const reach = Math.log(places.at(-1) ?? 1) - first || 1;
  const xOf = (x: number) => at(left + ((Math.log(x) - first) / reach) * (right - left));
  const yOf = (y: number) => at(bottom - (y / (steps.at(-1) || 1)) * (bottom - top));
  const grid = steps.flatMap(y => [
    `<line class="grid" x1="${left}" x2="${right}" y1="${yOf(y)}" y2="${yOf(y)}"/>`,
    text(left - 6, yOf(y) + 4, names.y(y), 'end'),
  ]);
  const ticks = places.map(x => text(xOf(x), bottom + 18, names.x(x), 'middle'));
  const curves = lines.flatMap(({ series, points: own }) => {
    const known = own.filter(({ y }) => y >= 0).toSorted((a, b) => a.x - b.x);
    const path = known.map(({ x, y }) => `${xOf(x)},${yOf(y)}`).join(' ');
    const dots = known.map(
      ({ x, y }) => `<circle class="s${series}" cx="${xOf(x)}" cy="${yOf(y)}" r="3.5"/>`,
    );
    return [`<polyline class="l${series}" points="${path}"/>`, ...dots];
  });
  return svg(bottom + 28, title, [...grid, ...ticks, ...curves]);
}
