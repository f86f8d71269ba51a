// The reference and the sample say what the schema says.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { parse } from 'smol-toml';
import { effectiveToml } from '../../src/config/effective.ts';
import { reference, sample } from '../../src/config/reference.ts';
import { options } from '../../src/config/schema.ts';
import { environmentName } from '../../src/config/sources.ts';
import { describe, test } from '../harness.ts';
import { everyListener } from './listeners.ts';
import { configOf, loaded } from './load.ts';

describe('the reference', () => {
  test('docs/CONFIG.md is up to date (bun src/main.ts config --reference > docs/CONFIG.md)', () => {
    const url = new URL('../../docs/CONFIG.md', import.meta.url);
    assert.equal(readFileSync(url, 'utf8'), reference());
  });

  test('has every option with its environment name', () => {
    const text = reference();
    for (const path of options.keys()) {
      assert.ok(text.includes(`\`${path}\`<br>\`${environmentName(path)}\``), path);
    }
  });
});

describe('the sample file', () => {
  const uncommented = sample().replaceAll(/^#(?=[a-z]\w* = )/gimu, '');

  test('changes nothing as it is', () => {
    assert.deepEqual(configOf({ toml: sample() }), configOf());
  });

  test('holds every option, and each line is right when it is uncommented', () => {
    const file = parse(uncommented) as Record<string, Record<string, unknown>>;
    const paths = Object.entries(file).flatMap(([name, value]) =>
      options.has(name) ? name : Object.keys(value).map(key => `${name}.${key}`),
    );
    assert.deepEqual(paths, [...options.keys()]);
    configOf({ toml: uncommented });
  });

  test('shows the defaults where it shows no example', () => {
    const plain = uncommented
      .split('\n')
      .filter(line => ![...options.values()].some(option => option.example === line))
      .join('\n');
    assert.notEqual(plain, uncommented);
    assert.deepEqual(configOf({ toml: plain }), configOf());
  });
});

describe('the effective configuration', () => {
  test('can be read back and means the same', () => {
    const set = ['log.levels.io=error', 'auth.anonymous=true'];
    const written = { flags: { listen: [':1', '[2001:db8::1]:2'], set } };
    const { config, settings } = loaded(written);
    assert.deepEqual(configOf({ toml: effectiveToml(settings) }), config);
  });

  test('can be read back with listeners of every kind', () => {
    const { config, settings } = loaded({ toml: everyListener });
    assert.deepEqual(configOf({ toml: effectiveToml(settings) }), config);
  });

  test('shows names but no password', () => {
    const users = '[auth.users]\nalice = "hunter2"\n';
    const headers = '[auth.httpHeaders]\nAuthorization = "Bearer hunter2"\n';
    const { settings } = loaded({ toml: users + headers });
    const text = effectiveToml(settings);
    assert.ok(text.includes('alice = "********"'));
    assert.ok(text.includes('Authorization = "********"'));
    assert.ok(!text.includes('hunter2'));
  });
});
