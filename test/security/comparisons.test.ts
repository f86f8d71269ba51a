// What is secret is compared in a time that tells nothing: by construction, so this reads the
// sources. Whoever compares a password, a token, a hash or a proof says timingSafeEqual.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from '../harness.ts';

const sources = join(import.meta.dirname, '..', '..', 'src', 'auth');

/** Names of what must not leak through the time that comparing it takes. */
const SECRET = /(password|secret|token|digest|hash|proof|signature|key|standing|login|bytes)\)*$/i;
const OPERATOR = /([\w.?!()[\]]+)\s+(?:===|!==|==|!=)\s+([\w.?!()[\]]+)/g;
const METHOD =
  /([\w.?!()]+)\.(?:equals|compare|localeCompare|includes|indexOf|startsWith)\(([^)]*)/g;
const HARMLESS = /^(null|undefined|true|false|-?\d+|PROVED|)\)*$/;

/** Comparisons that are right as they are, and why. */
const known: Readonly<Record<string, string>> = {
  'step.standing?.(username) === standing': 'both are MACs with a key of this process',
  '.equals(bytes': 'a password with itself, through another form',
};

/** The comparisons in `text` that time could tell something by. */
function suspicious(text: string): string[] {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
  const found: string[] = [];
  for (const pattern of [OPERATOR, METHOD]) {
    for (const [all, left, right] of code.matchAll(pattern)) {
      if (HARMLESS.test(left!) || HARMLESS.test(right!)) continue;
      if ([left!, ...right!.split(',')].some(name => SECRET.test(name))) found.push(all.trim());
    }
  }
  return found.filter(text => !Object.keys(known).some(allowed => text.includes(allowed)));
}

test('secrets in src/auth are compared by timingSafeEqual only', () => {
  const files = readdirSync(sources, { recursive: true, encoding: 'utf8' });
  const paths = files.filter(name => name.endsWith('.ts'));
  assert.ok(paths.length > 20);
  const found = paths.flatMap(path =>
    suspicious(readFileSync(join(sources, path), 'utf8')).map(text => `${path}: ${text}`),
  );
  assert.deepEqual(found, []);
});

test('and would be found if they were not', () => {
  const wrong = [
    'if (password === user.password) return ALLOWED;',
    'return sha256(password).equals(hash.digest);',
    'Buffer.compare(hash.digest, computed)',
    'return tokens.includes(token);',
    'if (offered !== this.secret) return WRONG;',
  ];
  for (const text of wrong) assert.equal(suspicious(text).length, 1, text);
  const right = [
    'if (password === null) return null;',
    'timingSafeEqual(sha256(password), hash.digest)',
    '// a password === another',
  ];
  for (const text of right) assert.deepEqual(suspicious(text), [], text);
});
