// A processor profile (.cpuprofile, as Bun and Node write it) as a flame graph in SVG, and as a
// list of the functions that took most by themselves. Callers stand above what they call; a block's
// width is its share of the time; hovering shows its name, place and figures.

import { escapeHtml } from './chart.ts';

export interface Profile {
  readonly nodes: readonly ProfileNode[];
  /** The node that was found at work, by sample, and the microseconds since the one before. */
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

export interface ProfileNode {
  readonly id: number;
  readonly callFrame: {
    readonly functionName: string;
    readonly url: string;
    readonly lineNumber: number;
  };
  readonly children?: readonly number[];
}

/** A function called from one place: its own time, and with all it called. */
export interface Frame {
  readonly name: string;
  readonly place: string;
  readonly selfUs: number;
  readonly totalUs: number;
  readonly children: readonly Frame[];
}

/** What no function of the program did: waiting, mostly. */
const IDLE = /^\((idle|program|garbage collector)\)$/;

/** The tree of calls; equal callees of one caller are one frame, the longest first. */
export function frameTree(profile: Profile): Frame {
  const own = new Map<number, number>();
  profile.samples.forEach((id, i) => {
    own.set(id, (own.get(id) ?? 0) + Math.max(0, profile.timeDeltas[i] ?? 0));
  });
  const byId = new Map(profile.nodes.map(node => [node.id, node]));
  const called = new Set(profile.nodes.flatMap(({ children }) => children ?? []));
  const roots = profile.nodes.filter(({ id }) => !called.has(id));
  const merge = (nodes: readonly ProfileNode[]): Frame[] => {
    const groups = new Map<string, ProfileNode[]>();
    for (const node of nodes) {
      const key = `${nameOf(node)}\n${placeOf(node)}`;
      groups.set(key, [...(groups.get(key) ?? []), node]);
    }
    return [...groups.values()]
      .map(group => {
        const children = merge(
          group.flatMap(node => (node.children ?? []).map(id => byId.get(id)!)),
        );
        const selfUs = group.reduce((sum, { id }) => sum + (own.get(id) ?? 0), 0);
        const totalUs = children.reduce((sum, child) => sum + child.totalUs, selfUs);
        return { name: nameOf(group[0]!), place: placeOf(group[0]!), selfUs, totalUs, children };
      })
      .filter(({ totalUs, name }) => totalUs > 0 && !IDLE.test(name))
      .toSorted((a, b) => b.totalUs - a.totalUs);
  };
  const children = merge(roots).flatMap(root => (root.name === '(root)' ? root.children : [root]));
  const totalUs = children.reduce((sum, child) => sum + child.totalUs, 0);
  return { name: 'all', place: '', selfUs: 0, totalUs, children };
}

function nameOf({ callFrame }: ProfileNode): string {
  return callFrame.functionName || '(anonymous)';
}

function placeOf({ callFrame }: ProfileNode): string {
  const file = callFrame.url
    .replace(/^.*\/(src|node_modules|dist)\//, '$1/')
    .replace(/^.*\/\//, '');
  return file === '' ? '' : `${file}:${callFrame.lineNumber + 1}`;
}

export interface Share {
  readonly name: string;
  readonly place: string;
  readonly selfUs: number;
}

/** The functions that took most by themselves, wherever they were called from. */
export function heaviest(tree: Frame, count: number): Share[] {
  const shares = new Map<string, Share>();
  const visit = ({ name, place, selfUs, children }: Frame): void => {
    const key = `${name}\n${place}`;
    shares.set(key, { name, place, selfUs: (shares.get(key)?.selfUs ?? 0) + selfUs });
    for (const child of children) visit(child);
  };
  visit(tree);
  return [...shares.values()].toSorted((a, b) => b.selfUs - a.selfUs).slice(0, count);
}

const WIDTH = 1_400;
const ROW = 17;
const CHAR_WIDTH = 6.6;
/** Narrower blocks are left out. */
const WIDTH_MIN = 0.4;

export function flameGraph(title: string, tree: Frame): string {
  const parts: string[] = [];
  let depth = 0;
  const draw = (frame: Frame, left: number, level: number): void => {
    const width = (frame.totalUs / (tree.totalUs || 1)) * WIDTH;
    if (width < WIDTH_MIN) return;
    depth = Math.max(depth, level);
    parts.push(block(frame, left, width, level, tree.totalUs));
    let from = left;
    for (const child of frame.children) {
      draw(child, from, level + 1);
      from += (child.totalUs / (tree.totalUs || 1)) * WIDTH;
    }
  };
  draw(tree, 0, 0);
  const height = (depth + 3) * ROW;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}"
  font-family="ui-monospace, monospace" font-size="11">
<rect width="${WIDTH}" height="${height}" fill="#fffbf5"/>
<text x="4" y="13" font-size="13">${escapeHtml(title)}</text>
${parts.join('\n')}
</svg>
`;
}

function block(frame: Frame, left: number, width: number, level: number, allUs: number): string {
  const { name, place, selfUs, totalUs } = frame;
  const y = (level + 1.5) * ROW;
  const percent = (us: number) => `${((us / (allUs || 1)) * 100).toFixed(1)} %`;
  const told = `${name} ${place}\n${percent(totalUs)}, by itself ${percent(selfUs)}`;
  const room = Math.floor((width - 6) / CHAR_WIDTH);
  const shown = room < 3 ? '' : name.length > room ? `${name.slice(0, room - 1)}…` : name;
  const x = left.toFixed(1);
  return (
    `<g><title>${escapeHtml(told)}</title><rect x="${x}" y="${y}" width="${width.toFixed(1)}"` +
    ` height="${ROW - 1}" rx="1" fill="${colourOf(place)}"/>` +
    `<text x="${(left + 3).toFixed(1)}" y="${y + 12}">${escapeHtml(shown)}</text></g>`
  );
}

/** Each room of the house has a warm colour of its own; what is not ours is grey. */
function colourOf(place: string): string {
  if (!place.startsWith('src/')) return '#d6d3d1';
  const room = place.split('/').slice(0, 3).join('/');
  let hash = 0;
  for (const char of room) hash = (hash * 31 + char.charCodeAt(0)) % 997;
  return `hsl(${10 + (hash % 50)}, 85%, ${66 + (hash % 14)}%)`;
}
