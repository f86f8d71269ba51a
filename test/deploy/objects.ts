// What is in targets/deploy: its files as the objects that they describe.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { YAML } from 'bun';
import { Templates } from './template.ts';

export const project = join(import.meta.dirname, '../..');
export const deploy = join(project, 'targets/deploy');
const chart = join(deploy, 'helm/minnow');

// biome-ignore lint/suspicious/noExplicitAny: whatever a file says
export type Data = any;

/** An object of Kubernetes. */
export type Thing = Data;

/** The documents of a text, without those that say nothing. */
export function documents(text: string): Data[] {
  const parsed = YAML.parse(text);
  return (Array.isArray(parsed) ? parsed : [parsed]).filter(one => one !== null);
}

export function readYaml(...path: string[]): Data {
  return documents(readFileSync(join(project, ...path), 'utf8'))[0];
}

/** The plain manifests, by file. */
export function manifests(): Map<string, Thing> {
  const folder = join(deploy, 'kubernetes');
  const names = readdirSync(folder).filter(name => name !== 'kustomization.yaml');
  return new Map(names.map(name => [name, readYaml('targets/deploy/kubernetes', name)]));
}

export const chartFile = (name: string) => readFileSync(join(chart, name), 'utf8');
export const chartYaml = (name: string) => documents(chartFile(name))[0];

/** Lays `over` over `under`, as Helm does with values. */
function merge(under: Data, over: Data): Data {
  if (!isTable(under) || !isTable(over)) return over;
  const keys = new Set([...Object.keys(under), ...Object.keys(over)]);
  const pick = (key: string) => (key in over ? merge(under[key], over[key]) : under[key]);
  return Object.fromEntries([...keys].map(key => [key, pick(key)]));
}

const isTable = (value: Data) =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The chart's files, rendered with values beside its own, as `helm template RELEASE` has them. */
export function renderChart(values: Data = {}, release = 'minnow'): Map<string, string> {
  const folder = join(chart, 'templates');
  const names = readdirSync(folder);
  const templates = new Templates(
    new Map(names.map(name => [name, readFileSync(join(folder, name), 'utf8')])),
  );
  const { name: Name, version: Version, appVersion: AppVersion } = chartYaml('Chart.yaml');
  const scope = {
    Values: merge(chartYaml('values.yaml'), values),
    Chart: { Name, Version, AppVersion },
    Release: { Name: release, Namespace: 'default' },
  };
  return new Map(names.map(name => [name, templates.render(name, scope)]));
}

/** The objects that a release consists of, by file. */
export function renderObjects(values: Data = {}, release = 'minnow'): Map<string, Thing> {
  const objects = new Map<string, Thing>();
  for (const [name, text] of renderChart(values, release)) {
    if (!name.endsWith('.yaml')) continue;
    const [object] = documents(text);
    if (object !== undefined) objects.set(name, object);
  }
  return objects;
}
