// Loading a configuration the short way, for the suites of config/.

import assert from 'node:assert/strict';
import { type Config, type Host, loadConfig } from '../../src/config/config.ts';
import type { Inputs } from '../../src/config/sources.ts';

export const HOST: Host = { env: { HOME: '/somebody' }, isRoot: false, version: '9.9.9' };

export interface Written extends Omit<Inputs, 'file'> {
  /** The text of minnow.toml. */
  readonly toml?: string;
}

function load({ toml, ...inputs }: Written, host: Host) {
  const file = toml === undefined ? {} : { file: { name: 'minnow.toml', text: toml } };
  return loadConfig({ ...inputs, ...file }, host);
}

/** What must load. */
export function loaded(written: Written = {}, host = HOST) {
  const result = load(written, host);
  if ('faults' in result) assert.fail(result.faults.join('\n'));
  return result;
}

export function configOf(written: Written = {}, host = HOST): Config {
  return loaded(written, host).config;
}

/** What must not load: its faults. */
export function faultsOf(written: Written): readonly string[] {
  const result = load(written, HOST);
  assert.ok('faults' in result, 'this configuration was expected to be refused');
  return result.faults;
}
