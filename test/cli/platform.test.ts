// `minnow platform` on this machine: what it shows, and that it shows what `serve` will do.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { Exit } from '../../src/cli/exit.ts';
import { type ChoicePath, profileNames } from '../../src/platform/table.ts';
import { describe, test } from '../harness.ts';
import { minnow } from '../integration/process.ts';

function platform(...args: string[]) {
  const [program, ...rest] = [...minnow, 'platform', '--data', import.meta.dirname, ...args];
  const env = { PATH: process.env.PATH, HOME: tmpdir() };
  const run = spawnSync(program!, rest, { encoding: 'utf8', timeout: 60_000, env });
  return { code: run.status, stdout: run.stdout, stderr: run.stderr };
}

interface Report {
  readonly facts: {
    readonly runtime: { readonly name: string; readonly version: string };
    readonly arch: string;
    readonly ffi: { readonly works: boolean | null };
    readonly storage: { readonly directory: string };
  };
  readonly profile: string;
  readonly choices: Readonly<
    Record<ChoicePath, { readonly value: unknown; readonly why: string; readonly from: string }>
  >;
  readonly notes: readonly string[];
}

function report(...args: string[]): Report {
  const { code, stdout, stderr } = platform('--json', ...args);
  assert.equal(stderr, '');
  assert.equal(code, Exit.ok);
  return JSON.parse(stdout) as Report;
}

describe('minnow platform', () => {
  test('tells as JSON what it saw and what it chose', () => {
    const { facts, profile, choices } = report();
    const { bun, node } = process.versions;
    const runtime = { name: bun === undefined ? 'node' : 'bun', version: bun ?? node };
    assert.deepEqual(facts.runtime, runtime);
    assert.equal(facts.arch, process.arch);
    assert.equal(typeof facts.ffi.works, 'boolean', 'it was not tried');
    assert.equal(facts.storage.directory, import.meta.dirname);
    assert.ok(profileNames.some(name => name === profile));
    assert.equal(choices.profile.value, profile);
    assert.equal(choices['store.walBytes'].from, `profile ${profile}`);
  });

  test('tells what somebody set, and what it would have been', () => {
    const set = ['--set', 'profile=constrained', '--set', 'limits.connectionsMax=123'];
    const { profile, choices } = report(...set, '--io', 'async');
    assert.equal(profile, 'constrained');
    assert.deepEqual(choices['limits.connectionsMax'], {
      value: 123,
      why: 'set by --set; chosen was 1000: twice the 500 connections that a router has to carry',
      from: '--set',
    });
    const mode = { value: 'async', why: 'asked for by name', from: '--io' };
    assert.deepEqual(choices['io.mode'], mode);
  });

  test('as a table, with every choice on a line of its own', () => {
    const { code, stdout } = platform();
    assert.equal(code, Exit.ok);
    assert.match(stdout, /^Seen\n {2}runtime +(bun|node) \d/);
    assert.match(stdout, new RegExp(`^  data directory +${import.meta.dirname}: \\S`, 'm'));
    for (const [path, { why }] of Object.entries(report().choices)) {
      const line = stdout.split('\n').find(text => text.startsWith(`  ${path} `));
      assert.ok(line?.endsWith(`  ${why}`), `${path}: ${line}`);
    }
  });

  test('a mode that there is not', () => {
    const { code, stderr } = platform('--io', 'fast');
    assert.equal(code, Exit.config);
    assert.match(
      stderr,
      /^minnow: --io: io\.mode: found "fast", expected one of auto, async, sync/,
    );
  });
});
