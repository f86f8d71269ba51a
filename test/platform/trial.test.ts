// What is tried out: libc through FFI, and the limit of descriptors.

import assert from 'node:assert/strict';
import { Exit, Failure } from '../../src/cli/exit.ts';
import { chooseTried } from '../../src/cli/load.ts';
import { type Libc, systemError } from '../../src/io/sync/libc.ts';
import type { Facts } from '../../src/platform/facts.ts';
import { noWishes } from '../../src/platform/profile.ts';
import { tryOut } from '../../src/platform/trial.ts';
import { describe, test } from '../harness.ts';
import { factsOf } from './recorded.ts';

const EPERM = 1;

/** A libc that knows one limit; memory is handed out as its only view. */
function libcWith(limit: { soft: bigint; hard: bigint; refuses?: boolean }, wide = true) {
  let shared: DataView = new DataView(new ArrayBuffer(0));
  const put = (at: number, value: bigint) =>
    wide ? shared.setBigUint64(8 * at, value, true) : shared.setUint32(4 * at, Number(value), true);
  const get = (at: number) =>
    wide ? shared.getBigUint64(8 * at, true) : BigInt(shared.getUint32(4 * at, true));
  const libc: Partial<Libc> = {
    address(view) {
      shared = new DataView(view.buffer, view.byteOffset, view.byteLength);
      return 0;
    },
    getrlimit() {
      put(0, limit.soft);
      put(1, limit.hard);
      return 0;
    },
    setrlimit() {
      if (limit.refuses) return -1;
      limit.soft = get(0);
      assert.equal(get(1), limit.hard);
      return 0;
    },
    errno: () => EPERM,
  };
  return libc as Libc;
}

const low = { soft: 1_024, hard: 70_000, notRaised: 'the runtime left it as it was' };
const x64: Facts = { ...factsOf('gateway-4c8g'), descriptors: low };
const arm: Facts = { ...factsOf('armv7-512m'), descriptors: low };

describe('the limit of descriptors', () => {
  for (const [name, facts, wide] of [
    ['64 bits', x64, true] as const,
    ['32 bits', arm, false] as const,
  ]) {
    test(`is raised to the hard one, with ${name}`, async () => {
      const limit = { soft: 1_024n, hard: 70_000n };
      const { descriptors, ffi } = await tryOut(facts, async () => libcWith(limit, wide));
      assert.deepEqual(descriptors, { soft: 70_000, hard: 70_000, notRaised: null });
      assert.equal(limit.soft, 70_000n);
      assert.equal(ffi.works, true);
    });
  }

  test('that may not be raised stays, with the reason', async () => {
    const libc = libcWith({ soft: 1_024n, hard: 70_000n, refuses: true });
    const { descriptors } = await tryOut(x64, async () => libc);
    const { code } = systemError(libc, 'setrlimit');
    assert.deepEqual(descriptors, { ...low, notRaised: `the system refused it (${code})` });
  });
});

describe('libc', () => {
  const nothing = () => Promise.reject(new Error('Cannot find module "koffi"\nand more'));

  test('that cannot be reached is a fact with a reason of one line', async () => {
    const { ffi, descriptors } = await tryOut(arm, nothing);
    assert.deepEqual(ffi, { by: 'koffi', works: false, fault: 'Cannot find module "koffi"' });
    const why = 'the runtime left it as it was, and koffi does not work here';
    assert.deepEqual(descriptors, { ...low, notRaised: why });
  });

  test('is not tried where nothing relies on it', async () => {
    const { facts, profile } = await chooseTried(factsOf('gateway-4c8g'), noWishes);
    assert.equal(facts.ffi.works, null);
    assert.equal(profile.choices['io.mode'].value, 'async');
  });

  test('is tried where the synchronous mode is asked for', async () => {
    const { facts } = await chooseTried(factsOf('gateway-4c8g'), { ...noWishes, mode: 'sync' });
    assert.equal(facts.ffi.works, true);
  });

  test('that cannot be reached ends a command that was to use it: exit code 69', async () => {
    const facts = await tryOut(arm, nothing);
    await assert.rejects(chooseTried(facts, { ...noWishes, mode: 'sync' }), error => {
      assert.ok(error instanceof Failure);
      assert.equal(error.code, Exit.unavailable);
      assert.match(error.message, /^the synchronous I\/O mode cannot work here: libc cannot be/);
      return true;
    });
    const { profile } = await chooseTried(facts, noWishes);
    assert.equal(profile.choices['io.mode'].value, 'async');
  });
});
