// Who may change a file: one process at a time, and nobody who has died.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { claimOf, withClaim } from '../../src/cli/auth/file-claim.ts';
import { Exit } from '../../src/cli/exit.ts';
import { afterEach, beforeEach, describe, test } from '../harness.ts';

let directory = '';
let path = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'minnow-claim-'));
  path = join(directory, 'users');
});
afterEach(() => rmSync(directory, { recursive: true }));

describe('a claim to a file', () => {
  test('is there during the work, and gone after it, come what may', async () => {
    const work = () => {
      assert.ok(existsSync(claimOf(path, process.pid)));
      return 'done';
    };
    assert.equal(await withClaim(path, work), 'done');
    const failing = withClaim(path, () => {
      throw new Error('no');
    });
    await assert.rejects(failing, /^Error: no$/);
    assert.deepEqual(readdirSync(directory), []);
  });

  test('waits for another process as long as that lives', async () => {
    const other = spawn('cat', { stdio: ['pipe', 'ignore', 'ignore'] });
    await once(other, 'spawn');
    const claim = claimOf(path, other.pid!);
    writeFileSync(claim, '');
    const refused = { code: Exit.unavailable, message: new RegExp(`process ${other.pid} is`) };
    await assert.rejects(
      withClaim(path, () => assert.fail(), 0),
      refused,
    );
    assert.deepEqual(readdirSync(directory), [claim.slice(directory.length + 1)]);
    const waiting = withClaim(path, () => 'done');
    other.stdin.end();
    assert.equal(await waiting, 'done');
    assert.deepEqual(readdirSync(directory), []);
  });

  test('of a process whose number came again counts for nothing', async () => {
    writeFileSync(claimOf(path, process.ppid).replace(/\d+$/, '7'), '');
    for (const start of ['0', '7']) {
      writeFileSync(claimOf(path, process.pid).replace(/\d+$/, start), '');
    }
    assert.equal(await withClaim(path, () => 'done', 0), 'done');
    assert.deepEqual(readdirSync(directory), []);
  });

  test('of a process that could not tell when it started holds while there is one', async () => {
    const claim = claimOf(path, process.ppid).replace(/\d+$/, '0');
    writeFileSync(claim, '');
    const refused = { message: new RegExp(`process ${process.ppid} is`) };
    await assert.rejects(
      withClaim(path, () => assert.fail(), 0),
      refused,
    );
    assert.deepEqual(readdirSync(directory), [basename(claim)]);
  });

  test('of the dead counts for nothing, also where it cannot be removed', async () => {
    const claim = claimOf(path, process.ppid).replace(/\d+$/, '7');
    mkdirSync(claim); // as another's in a folder of everybody's, which root would remove
    assert.equal(await withClaim(path, () => 'done', 0), 'done');
    assert.deepEqual(readdirSync(directory), [basename(claim)]);
  });

  test('leaves other files alone', async () => {
    const others = ['users.claim-', 'users.claim-x-1', 'other.claim-1-1', 'users'];
    for (const name of others) writeFileSync(join(directory, name), '');
    await withClaim(path, () => {});
    assert.deepEqual(readdirSync(directory).sort(), [...others].sort());
  });
});
